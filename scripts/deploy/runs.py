"""Starts a run of the worker at once, as its schedule does, and reports how it ends."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from scripts import ScriptError
from scripts.deploy import run_task
from scripts.deploy.run_task import Placement
from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Schedule

# How the lines begin from which CloudWatch makes metrics.
_METRICS = '{"_aws"'


class RunError(ScriptError):
    """A run of the worker can't be started, or has failed."""


def run_now(session: boto3.Session, schedule: Schedule, say: Callable[[str], None]) -> None:
    """Start a run, and wait for its end.

    Args:
        session: a session in the region of the stack.
        schedule: the worker's schedule, whose command, network and capacity the run gets.
        say: called with each line of progress and of the run's log.

    Raises:
        RunError: the schedule can't be read, or the run has failed.
        TaskError: ECS can't start the task, or the task ends without an exit code.
    """
    found = _describe(session, schedule)
    (override,) = json.loads(found["Target"]["Input"])["containerOverrides"]

    def log(line: str) -> None:
        if not line.startswith(_METRICS):
            say(line)

    place = _placement(found)
    say("Starting a run of the worker, as the schedule does.")
    code = run_task.run(session, schedule, override["command"], say, log, place=place)
    if code:
        raise RunError(
            f"The run has ended with exit code {code}; its log is above. Nothing is lost: the "
            "messages are in the queue. Fix the cause, and run make deploy; if only a secret was "
            "wrong, make restart."
        )
    say(f"The run has ended well. The schedule starts the others: {found['ScheduleExpression']}.")


def beside(session: boto3.Session, schedule: Schedule) -> Placement:
    """Where a task beside the schedule's runs: in its network, on demand.

    Raises:
        RunError: Scheduler rejects the call, or there is no such schedule.
    """
    return replace(_placement(_describe(session, schedule)), capacity=())


def _describe(session: boto3.Session, schedule: Schedule) -> dict[str, Any]:
    client: Any = session.client("scheduler")  # the locked types have none for this service
    try:
        found: dict[str, Any] = client.get_schedule(GroupName=schedule.group, Name=schedule.name)
    except client.exceptions.ResourceNotFoundException:
        raise RunError(f"The schedule {schedule.name} no longer exists; run make deploy.") from None
    except ClientError as error:
        raise RunError(
            f"Can't read the schedule {schedule.name}: {error_text(error)}. This needs "
            "scheduler:GetSchedule."
        ) from error
    return found


def _placement(found: dict[str, Any]) -> Placement:
    """Where the schedule starts its tasks; ECS spells some of the keys in another way."""
    ecs = found["Target"]["EcsParameters"]
    network = ecs["NetworkConfiguration"]["awsvpcConfiguration"]
    return Placement(
        network={
            "awsvpcConfiguration": {key[0].lower() + key[1:]: network[key] for key in network}
        },
        capacity=ecs["CapacityProviderStrategy"],
    )
