"""What SQS says about dead letters, and what an error says about SQS."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from sesbounce.aws.dead_letters import DeadLetterQueue, Letter
from sesbounce.errors import QueueError
from tests.unit.sesbounce.dead_letter_queue import ARN, URL, FakeSqs, rejected


def queue_of(sqs: FakeSqs) -> DeadLetterQueue:
    return DeadLetterQueue(sqs, URL)  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[str], None]:
    def raise_(_: str) -> None:
        raise error

    return raise_


def test_a_letter_has_the_reason_of_sns() -> None:
    sqs = FakeSqs(["a", "b"])
    sqs.message_attributes["id-1"] = {
        "ErrorCode": {"DataType": "String", "StringValue": "KMS.AccessDeniedException"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no key"},
    }
    plain, denied = queue_of(sqs).receive(60)
    assert (plain.code, plain.reason, plain.times) == (None, None, 2)
    assert (denied.code, denied.reason) == ("KMS.AccessDeniedException", "no key")
    assert Letter("id", "r", "", 1, None, {"ErrorCode": {"BinaryValue": b"x"}}).code is None


@pytest.mark.parametrize(
    ("attributes", "retention", "moves_on"),
    [
        ({}, timedelta(days=14), False),
        ({"MessageRetentionPeriod": "60"}, timedelta(minutes=1), False),
        # SQS's default, which an emulator may leave out.
        ({"MessageRetentionPeriod": ""}, timedelta(days=4), False),
        ({"RedrivePolicy": "{}"}, timedelta(days=14), True),
    ],
)
def test_the_facts_of_a_queue(
    attributes: dict[str, str], retention: timedelta, *, moves_on: bool
) -> None:
    sqs = FakeSqs(["a"] * 3)
    sqs.attributes = attributes
    facts = queue_of(sqs).facts()
    assert facts == (ARN, retention, 3, 0, moves_on)


@pytest.mark.parametrize(
    ("error", "words", "lasting"),
    [
        (
            rejected("AccessDenied", "not authorized"),
            f"sqs:ReceiveMessage on {URL} failed: AccessDenied: not authorized. Your AWS user or "
            "role needs sqs:ReceiveMessage: Terraform gives it to the worker with "
            "consumer_may_redrive = true, and prints the policy for others as the output "
            "dlq_operator_policy",
            True,
        ),
        (
            rejected("KMS.AccessDeniedException", "no"),
            "needs kms:Decrypt and kms:GenerateDataKey on its key",
            True,
        ),
        (
            rejected("AWS.SimpleQueueService.NonExistentQueue", "no such queue"),
            "check the URL of the queue and AWS_REGION",
            True,
        ),
        (NoCredentialsError(), "name a profile in AWS_PROFILE", True),
        (rejected("InternalError", "try later"), "failed: InternalError: try later", False),
        (EndpointConnectionError(endpoint_url="https://x"), "Could not connect", False),
    ],
)
def test_an_error_names_the_action_and_what_to_do(
    error: Exception, words: str, *, lasting: bool
) -> None:
    sqs = FakeSqs()
    sqs.before = raising(error)
    with pytest.raises(QueueError) as caught:
        queue_of(sqs).receive(60)
    assert words in str(caught.value)
    assert caught.value.lasting is lasting


@pytest.mark.parametrize(
    ("answer", "active"),
    [({}, None), ({"Status": "RUNNING"}, True), ({"Status": "COMPLETED"}, False)],
)
def test_a_task_of_sqs(answer: dict[str, Any], *, active: bool | None) -> None:
    sqs = FakeSqs()
    sqs.tasks = [answer] if answer else []
    task = queue_of(sqs).move_task(ARN)
    assert (task and task.active) is active
