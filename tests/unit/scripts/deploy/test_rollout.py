"""ECS as it answers while it deploys; the states can't be provoked where nothing runs."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy.rollout import (
    RolloutError,
    await_stable,
    failed_deployment,
    is_given_up,
    restart,
)
from sesbounce.doctor.declared import Service

FAMILY = "arn:aws:ecs:eu-west-1:123456789012:task-definition/sesbounce"
SERVICE = Service("cluster", "sesbounce", f"{FAMILY}:2", "/ecs/sesbounce")


def deployment(revision: int, state: str, running: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "taskDefinition": f"{FAMILY}:{revision}",
        "rolloutState": state,
        "runningCount": running,
        "desiredCount": 1,
        "failedTasks": 0,
    } | more


def described(*deployments: dict[str, Any], revision: int = 2, **more: Any) -> dict[str, Any]:
    service = {
        "status": "ACTIVE",
        "taskDefinition": f"{FAMILY}:{revision}",
        "deployments": list(deployments),
    }
    return {"services": [service | more]}


class Ecs:
    """A client that gives the answers that a test has for it."""

    def __init__(self) -> None:
        self.client, self.logs = (
            boto3.client(
                name,
                region_name="eu-west-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            for name in ("ecs", "logs")
        )
        self.stub, self.log = Stubber(self.client), Stubber(self.logs)
        self.said: list[str] = []
        self.slept: list[float] = []

    def answers(self, *services: dict[str, Any]) -> None:
        for answer in services:
            self.stub.add_response(
                "describe_services", answer, {"cluster": "cluster", "services": ["sesbounce"]}
            )

    def lists_stopped(self, *tasks: dict[str, Any]) -> None:
        arns = [task["taskArn"] for task in tasks]
        self.stub.add_response("list_tasks", {"taskArns": arns})
        if tasks:
            self.stub.add_response("describe_tasks", {"tasks": list(tasks)})

    def wait(self, patience_seconds: float = 1000) -> None:
        await_stable(
            self.client,
            SERVICE,
            self.said.append,
            self.logs,
            patience_seconds=patience_seconds,
            sleep=self.slept.append,
        )


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    ecs = Ecs()
    with ecs.stub, ecs.log:
        yield ecs
    ecs.stub.assert_no_pending_responses()
    ecs.log.assert_no_pending_responses()


def test_it_waits_until_the_new_deployment_has_replaced_the_old(ecs: Ecs) -> None:
    old = deployment(1, "COMPLETED")
    ecs.answers(
        described(old),  # the service has the new task definition, its deployments not yet
        described(deployment(2, "IN_PROGRESS", running=0), old),
        described(deployment(2, "IN_PROGRESS", running=0), old),
        described(deployment(2, "IN_PROGRESS", failedTasks=1), old),
        described(deployment(2, "COMPLETED")),
    )
    ecs.wait()
    assert ecs.said == [
        "Waiting until ECS begins to deploy sesbounce:2.",
        "Waiting until sesbounce is stable: 0 of 1 tasks run.",
        "Waiting until sesbounce is stable: 1 of 1 tasks run, 1 failed.",
        "sesbounce is stable.",
    ]
    assert len(ecs.slept) == 4


def test_the_circuit_breaker_s_reasons_are_reported(ecs: Ecs) -> None:
    failed = deployment(
        2, "FAILED", running=0, rolloutStateReason="ECS deployment circuit breaker: tasks failed."
    )
    events = [{"message": f"event {n}"} for n in range(20)]
    ecs.answers(described(failed, deployment(1, "IN_PROGRESS"), events=events))
    ecs.lists_stopped(
        {
            "taskArn": f"{FAMILY}/abc",
            "stoppedReason": "Essential container in task exited",
            "containers": [
                {"name": "worker", "exitCode": 1},
                {"name": "other", "reason": "CannotPullContainerError"},
                {"name": "third"},
            ],
        }
    )
    with pytest.raises(RolloutError) as caught:
        ecs.wait()
    lines = str(caught.value).splitlines()
    assert lines[:3] == [
        "ECS has given up on sesbounce:2: ECS deployment circuit breaker: tasks failed.",
        "The service's last events:",
        "  event 0",
    ]
    assert "  event 8" not in lines
    assert lines[lines.index("Tasks that stopped:") + 1 :] == [
        "  abc: Essential container in task exited",
        "    worker: exit code 1",
        "    other: CannotPullContainerError",
        "The log: aws logs tail /ecs/sesbounce --since 1h",
        "Fix the cause, and run make deploy; if only a secret was wrong, make restart.",
    ]


def test_a_migration_that_failed_is_reported_with_its_log(ecs: Ecs) -> None:
    ecs.answers(described(deployment(2, "FAILED", running=0)))
    containers = [{"name": "worker"}, {"name": "migrate", "exitCode": 2}]
    ecs.lists_stopped(
        {"taskArn": f"{FAMILY}/abc", "stoppedReason": "it waited", "containers": containers}
    )
    answer = {"events": [{"message": f"line {n}"} for n in range(30)], "nextForwardToken": "1"}
    stream = {"logGroupName": "/ecs/sesbounce", "logStreamName": "worker/migrate/abc"}
    ecs.log.add_response("get_log_events", answer, stream | {"startFromHead": True})
    ecs.log.add_response("get_log_events", answer | {"events": []})
    with pytest.raises(RolloutError) as caught:
        ecs.wait()
    lines = str(caught.value).splitlines()
    begin = lines.index("  The container migrate failed, so the worker did not start. Its log:")
    assert lines[begin - 1] == "    migrate: exit code 2"
    assert lines[begin + 1 : begin + 21] == [f"    line {n}" for n in range(10, 30)]


def test_a_finished_roll_back_is_no_success(ecs: Ecs) -> None:
    ecs.answers(described(deployment(1, "COMPLETED"), revision=1))
    ecs.lists_stopped()
    with pytest.raises(RolloutError, match="runs sesbounce:1 and not sesbounce:2: ECS has rolled"):
        ecs.wait()


def test_it_does_not_wait_for_ever(ecs: Ecs) -> None:
    ecs.answers(*[described(deployment(2, "IN_PROGRESS", running=0))] * 6)
    ecs.stub.add_client_error("list_tasks", "AccessDeniedException", "not you")
    with pytest.raises(RolloutError) as caught:
        ecs.wait(patience_seconds=60)
    assert "sesbounce is not stable after 1 minutes." in str(caught.value)
    assert "Why tasks stopped can't be read: AccessDeniedException: not you." in str(caught.value)


def test_a_missing_service_is_reported(ecs: Ecs) -> None:
    ecs.answers(described(status="INACTIVE"))
    with pytest.raises(RolloutError, match="service sesbounce no longer exists"):
        ecs.wait()


def test_a_missing_permission_is_reported(ecs: Ecs) -> None:
    ecs.stub.add_client_error("describe_services", "AccessDeniedException", "not you")
    with pytest.raises(RolloutError, match="This needs ecs:DescribeServices"):
        ecs.wait()


def test_what_to_do_about_known_reasons_is_said_once(ecs: Ecs) -> None:
    failed = deployment(2, "FAILED", running=0)
    ecs.answers(described(failed, events=[{"message": "dial tcp: i/o timeout"}] * 2))
    ecs.lists_stopped(
        {
            "taskArn": f"{FAMILY}/abc",
            "stoppedReason": "image Manifest does not contain descriptor matching platform",
        }
    )
    with pytest.raises(RolloutError) as caught:
        ecs.wait()
    said = str(caught.value)
    assert said.count("own subnets need a NAT gateway") == 1
    assert said.count("set worker.cpu_architecture to that of the image") == 1


def test_a_deployment_of_the_same_definition_replaces_one_that_failed(ecs: Ecs) -> None:
    failed = deployment(2, "FAILED", status="ACTIVE")
    ecs.answers(
        described(failed, deployment(2, "IN_PROGRESS", status="PRIMARY")),
        described(failed, deployment(2, "COMPLETED", status="PRIMARY")),
    )
    ecs.wait()
    assert ecs.said[-1] == "sesbounce is stable."


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (described(deployment(2, "FAILED", id="ecs-svc/1")), "ecs-svc/1"),
        (described(deployment(2, "COMPLETED", id="ecs-svc/1")), None),
        (described(deployment(1, "FAILED", id="ecs-svc/1")), None),
        (described(status="INACTIVE"), None),
    ],
)
def test_which_deployment_has_failed(ecs: Ecs, answer: dict[str, Any], failed: str | None) -> None:
    ecs.answers(answer)
    assert failed_deployment(ecs.client, SERVICE) == failed


@pytest.mark.parametrize(
    ("answer", "given_up"),
    [
        (described(deployment(2, "FAILED")), True),
        (described(deployment(1, "COMPLETED"), revision=1), True),
        (described(deployment(2, "IN_PROGRESS")), False),
        (described(deployment(2, "COMPLETED")), False),
    ],
)
def test_whether_ecs_has_given_up(ecs: Ecs, answer: dict[str, Any], given_up: bool) -> None:
    ecs.answers(answer)
    assert is_given_up(ecs.client, SERVICE) is given_up


def test_a_restart_starts_tasks_of_the_declared_definition(ecs: Ecs) -> None:
    wanted = {
        "cluster": "cluster",
        "service": "sesbounce",
        "taskDefinition": f"{FAMILY}:2",
        "forceNewDeployment": True,
    }
    ecs.stub.add_response("update_service", {}, wanted)
    restart(ecs.client, SERVICE)
    ecs.stub.add_client_error("update_service", "AccessDeniedException", "not you")
    with pytest.raises(RolloutError, match=r"not you\. This needs ecs:UpdateService"):
        restart(ecs.client, SERVICE)
