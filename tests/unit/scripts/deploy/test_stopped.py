"""What to do about the reasons for which ECS stops tasks, as ECS words them."""

import pytest

from scripts.deploy.stopped import advice

NO_WAY_OUT = "own subnets need a NAT gateway or VPC endpoints"
SECRETS = "Check the ARNs in worker.secrets"

NO_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
        (
            f"{NO_AUTH}The task cannot pull registry auth from Amazon ECR: There is a connection "
            "issue between the task and Amazon ECR. Check your task network configuration.",
            NO_WAY_OUT,
        ),
        (
            f"{NO_AUTH}execution resource retrieval failed: unable to retrieve ecr registry auth: "
            "service call has been retried 3 time(s): RequestError: send request failed caused by: "
            'Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp 1.2.3.4:443: i/o timeout',
            NO_WAY_OUT,
        ),
        (
            "CannotPullContainerError: API error (500): Get https://1.dkr.ecr.us-east-1.amazonaws."
            "com/v2/: net/http: request canceled while waiting for connection (Client.Timeout "
            "exceeded while awaiting headers)",
            NO_WAY_OUT,
        ),
        (
            f"{NO_AUTH}execution resource retrieval failed: unable to retrieve secret from asm: "
            "service call has been retried 1 time(s): ResourceNotFoundException: Secrets Manager "
            "can't find the specified secret.",
            SECRETS,
        ),
    ],
)
def test_a_task_that_can_t_start_comes_with_what_to_do(reason: str, remedy: str) -> None:
    (said,) = advice(reason)
    assert remedy in said


def test_an_unknown_reason_comes_with_nothing() -> None:
    assert advice("Essential container in task exited") == []
