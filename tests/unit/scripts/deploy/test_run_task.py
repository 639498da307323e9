"""ECS and CloudWatch's log as they answer while a task runs; moto runs none."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy import run_task
from scripts.deploy.run_task import Placement, TaskError
from sesbounce.doctor.declared import Service

DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/sesbounce:2"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/cluster/abc"
SERVICE = Service("cluster", "sesbounce", DEFINITION, "/ecs/sesbounce")
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-a"], "assignPublicIp": "ENABLED"}}
STREAM = "worker/worker/abc"


class Aws:
    """Clients that give the answers that a test has for them."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {
            name: boto3.client(
                name,
                region_name="eu-west-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            for name in ("ecs", "logs")
        }
        self.ecs, self.logs = (Stubber(client) for client in self.clients.values())
        self.lines: list[str] = []
        self.said: list[str] = []
        self.sleep: Callable[[float], None] = lambda _: None

    def client(self, name: str) -> Any:
        return self.clients[name]

    def starts(self, **answer: Any) -> None:
        wanted = {
            "cluster": "cluster",
            "taskDefinition": DEFINITION,
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "overrides": {
                "containerOverrides": [{"name": "worker", "command": ["why", "a b@example.com"]}]
            },
            "startedBy": "sesbounce-cli",
            "propagateTags": "TASK_DEFINITION",
        }
        self.ecs.add_response("run_task", answer or {"tasks": [{"taskArn": TASK}]}, wanted)

    def task_is(
        self, status: str, times: int = 1, migration: int | None = None, **container: Any
    ) -> None:
        task = {
            "taskArn": TASK,
            "lastStatus": status,
            "stoppedReason": "it stopped",
            "containers": [
                *([{"name": "migrate", "exitCode": migration}] if migration is not None else []),
                {"name": "worker", **container},
            ],
        }
        for _ in range(times):
            self.ecs.add_response("describe_tasks", {"tasks": [task]})

    def log_has(self, token: str, *lines: str, asked: str | None = None) -> None:
        wanted = {"logGroupName": "/ecs/sesbounce", "logStreamName": STREAM, "startFromHead": True}
        self.logs.add_response(
            "get_log_events",
            {"events": [{"message": line} for line in lines], "nextForwardToken": token},
            wanted | ({"nextToken": asked} if asked else {}),
        )

    def run(self) -> int:
        return run_task.run(
            cast("boto3.Session", self),
            SERVICE,
            ["why", "a b@example.com"],
            self.said.append,
            self.lines.append,
            place=Placement(NETWORK),
            sleep=self.sleep,
        )


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()
    with aws.ecs, aws.logs:
        yield aws
    aws.ecs.assert_no_pending_responses()
    aws.logs.assert_no_pending_responses()


def test_the_log_is_passed_on_as_it_comes_with_the_exit_code(aws: Aws) -> None:
    aws.starts()
    aws.task_is("PENDING")
    aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    aws.task_is("RUNNING")
    aws.log_has("1", "one", "two")
    aws.log_has("1", asked="1")
    aws.task_is("STOPPED", times=3, exitCode=3)
    aws.log_has("2", "three", asked="1")
    aws.log_has("2", asked="2")
    aws.log_has("3", "four, which comes late", asked="2")
    aws.log_has("3", asked="3")
    aws.log_has("3", asked="3")
    assert aws.run() == 3
    assert aws.lines == ["one", "two", "three", "four, which comes late"]
    assert aws.said == ["Fargate starts the task abc, which takes about a minute."]


def test_ecs_may_know_a_task_some_seconds_after_its_start(aws: Aws) -> None:
    aws.starts()
    aws.ecs.add_response("describe_tasks", {"tasks": [], "failures": [{"reason": "MISSING"}]})
    aws.task_is("STOPPED", times=3, exitCode=0)
    for _ in range(3):
        aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    assert aws.run() == 0


def test_a_task_that_ecs_does_not_know_is_not_waited_for_for_ever(aws: Aws) -> None:
    aws.starts()
    for _ in range(16):
        aws.ecs.add_response("describe_tasks", {"tasks": []})
    with pytest.raises(TaskError, match="ECS no longer knows the task abc"):
        aws.run()


def test_a_task_that_never_ran_is_an_error_with_what_to_do(aws: Aws) -> None:
    aws.starts()
    aws.task_is("STOPPED", times=3, reason="CannotPullContainerError: i/o timeout")
    for _ in range(3):
        aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    with pytest.raises(TaskError) as caught:
        aws.run()
    assert str(caught.value).splitlines()[:3] == [
        "The task ended before the command did:",
        "abc: it stopped",
        "  worker: CannotPullContainerError: i/o timeout",
    ]
    assert "own subnets need a NAT gateway" in str(caught.value)


def test_the_exit_code_is_the_command_s_and_not_that_of_the_migration(aws: Aws) -> None:
    aws.starts()
    aws.task_is("STOPPED", times=3, migration=0, exitCode=1)
    for _ in range(3):
        aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    assert aws.run() == 1


def test_a_migration_that_failed_is_an_error_with_its_log(aws: Aws) -> None:
    aws.starts()
    aws.task_is("STOPPED", times=3, migration=2)
    for _ in range(3):
        aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    aws.logs.add_response(
        "get_log_events",
        {"events": [{"message": "Error: no database"}], "nextForwardToken": "1"},
        {
            "logGroupName": "/ecs/sesbounce",
            "logStreamName": "worker/migrate/abc",
            "startFromHead": True,
        },
    )
    aws.logs.add_response("get_log_events", {"events": [], "nextForwardToken": "1"})
    with pytest.raises(TaskError) as caught:
        aws.run()
    assert str(caught.value).splitlines() == [
        "The task ended before the command did:",
        "abc: it stopped",
        "  migrate: exit code 2",
        "  The container migrate failed, so the worker did not start. Its log:",
        "    Error: no database",
    ]


def test_a_task_that_ecs_does_not_place_is_an_error(aws: Aws) -> None:
    aws.starts(tasks=[], failures=[{"reason": "Capacity is unavailable"}])
    with pytest.raises(TaskError, match="no task of sesbounce:2: Capacity is unavailable"):
        aws.run()


def test_a_missing_right_is_named(aws: Aws) -> None:
    aws.ecs.add_client_error("run_task", "AccessDeniedException", "not you")
    with pytest.raises(TaskError, match="RunTask of AWS: AccessDeniedException: not you"):
        aws.run()


def test_an_interrupt_stops_the_task(aws: Aws) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    aws.sleep = interrupt
    aws.starts()
    aws.task_is("PENDING")
    aws.logs.add_client_error("get_log_events", "ResourceNotFoundException", "no stream")
    aws.ecs.add_response(
        "stop_task", {}, {"cluster": "cluster", "task": TASK, "reason": "interrupted"}
    )
    with pytest.raises(KeyboardInterrupt):
        aws.run()
