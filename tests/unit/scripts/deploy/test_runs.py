"""Scheduler as it answers, and ECS as it does while a run of the worker takes place."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy import run_task, runs
from scripts.deploy.run_task import Placement
from scripts.deploy.runs import RunError
from sesbounce.doctor.declared import Schedule, Tasks

SCHEDULE = Schedule("cluster", "sesbounce", "task:2", "/ecs/sesbounce", "acme", 900)
COMMAND = ["run", "--until-empty", "--at-most", "900"]
NETWORK = {"subnets": ["subnet-a"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
ANSWER: Mapping[str, Any] = {
    "ScheduleExpression": "rate(15 minutes)",
    "Target": {
        "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/cluster",
        "RoleArn": "arn:aws:iam::123456789012:role/acme-schedule",
        "Input": json.dumps({"containerOverrides": [{"name": "worker", "command": COMMAND}]}),
        "EcsParameters": {
            "TaskDefinitionArn": "task:2",
            "CapacityProviderStrategy": SPOT,
            "NetworkConfiguration": {
                "awsvpcConfiguration": {
                    "Subnets": ["subnet-a"],
                    "SecurityGroups": ["sg-1"],
                    "AssignPublicIp": "ENABLED",
                }
            },
        },
    },
}


class Scheduler:
    """A session with a client of Scheduler that gives the answers that a test has for it."""

    def __init__(self) -> None:
        self.of: Any = boto3.client(
            "scheduler",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.stub = Stubber(self.of)

    def client(self, name: str) -> Any:
        assert name == "scheduler"
        return self.of

    @property
    def session(self) -> boto3.Session:
        return cast("boto3.Session", self)

    def answers(self) -> None:
        wanted = {"GroupName": "acme", "Name": "sesbounce"}
        self.stub.add_response("get_schedule", ANSWER, wanted)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    with scheduler.stub:
        yield scheduler
    scheduler.stub.assert_no_pending_responses()


def ends_with(monkeypatch: pytest.MonkeyPatch, code: int, *log: str) -> list[Any]:
    """Let a task end with an exit code; returns what it was started with."""
    started: list[Any] = []

    def task(
        _: object, worker: Tasks, arguments: Sequence[str], __: Any, say: Any, place: Placement
    ) -> int:
        started.extend([worker, arguments, place.arguments])
        for line in log:
            say(line)
        return code

    monkeypatch.setattr(run_task, "run", task)
    return started


def test_a_run_has_the_command_the_network_and_the_capacity_of_the_schedule(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.answers()
    started = ends_with(monkeypatch, 0, '{"event": "batch"}', '{"_aws":{}}', "1 message received")
    said: list[str] = []
    runs.run_now(scheduler.session, SCHEDULE, said.append)
    assert started == [
        SCHEDULE,
        COMMAND,
        {
            "networkConfiguration": {"awsvpcConfiguration": NETWORK},
            "capacityProviderStrategy": SPOT,
        },
    ]
    assert said == [
        "Starting a run of the worker, as the schedule does.",
        '{"event": "batch"}',
        "1 message received",
        "The run has ended well. The schedule starts the others: rate(15 minutes).",
    ]


def test_a_run_that_fails_is_an_error(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.answers()
    ends_with(monkeypatch, 2)
    said: list[str] = []
    with pytest.raises(RunError, match="exit code 2; its log is above"):
        runs.run_now(scheduler.session, SCHEDULE, said.append)
    assert said == ["Starting a run of the worker, as the schedule does."]


def test_a_command_beside_the_schedule_runs_on_demand(scheduler: Scheduler) -> None:
    scheduler.answers()
    assert runs.beside(scheduler.session, SCHEDULE).arguments == {
        "networkConfiguration": {"awsvpcConfiguration": NETWORK},
        "launchType": "FARGATE",
    }


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("ResourceNotFoundException", "sesbounce no longer exists; run make deploy"),
        ("AccessDeniedException", "no. This needs scheduler:GetSchedule"),
    ],
)
def test_a_schedule_that_can_t_be_read_is_an_error(
    scheduler: Scheduler, code: str, problem: str
) -> None:
    scheduler.stub.add_client_error("get_schedule", code, "no")
    with pytest.raises(RunError, match=problem):
        runs.run_now(scheduler.session, SCHEDULE, print)
