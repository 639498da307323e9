"""Runs a command, such as `sesbounce why`, in a task of its own, beside the worker.

The task has the worker's image, settings, secrets, rights and network, so that the command reaches
a database that nothing else can reach.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from scripts import ScriptError
from scripts.deploy.stopped import advice, failed_migration, reasons, short
from scripts.deploy.task_log import TaskLog
from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Tasks

if TYPE_CHECKING:
    from types_boto3_ecs.client import ECSClient
    from types_boto3_ecs.type_defs import TaskTypeDef

POLL_SECONDS = 2
# ECS may not know a task for some seconds after its start.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
_UNKNOWN_POLLS = 15
# CloudWatch may show the last lines a few seconds after the end of the task.
_LAST_LINES_POLLS = 3
_STARTED_BY = "sesbounce-cli"
_CONTAINER = "worker"
_ON_DEMAND = {"launchType": "FARGATE"}


class TaskError(ScriptError):
    """ECS did not start the task, or the task ended before the command did."""


@dataclass(frozen=True)
class Placement:
    """Where a task runs.

    Attributes:
        network: its network, as RunTask takes it.
        capacity: its strategy of capacity providers, as RunTask takes it; empty: Fargate, on
            demand.
    """

    network: Any
    capacity: Sequence[Mapping[str, Any]] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of RunTask."""
        how = {"capacityProviderStrategy": self.capacity} if self.capacity else _ON_DEMAND
        return {"networkConfiguration": self.network, **how}


def run(  # noqa: PLR0913  what runs, where, and what takes its lines
    session: boto3.Session,
    worker: Tasks,
    arguments: Sequence[str],
    say: Callable[[str], None],
    log: Callable[[str], None] = print,
    *,
    place: Placement,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run a command of sesbounce, and wait for its end.

    Args:
        session: a session in the region of the stack.
        worker: the worker, whose task definition the task gets.
        arguments: the command and its arguments, such as `why jane@example.com`.
        say: called with a line of progress.
        log: called with each line that the command writes.
        place: where the task runs.
        sleep: called with the seconds between two calls of ECS.

    Returns:
        The command's exit code.

    Raises:
        TaskError: ECS can't start the task, or the task ends without an exit code.
    """
    ecs: ECSClient = session.client("ecs")
    try:
        arn = _start(ecs, worker, arguments, place)
        say(f"Fargate starts the task {short(arn)}, which takes about a minute.")
        logs = session.client("logs")
        lines = TaskLog(logs, worker.log_group, f"worker/{_CONTAINER}/{short(arn)}")
        try:
            task = _follow(ecs, worker, arn, lines, log, sleep)
            migration = list(failed_migration(task, logs, worker.log_group))
        except KeyboardInterrupt:
            ecs.stop_task(cluster=worker.cluster, task=arn, reason="interrupted")
            raise
    except ClientError as error:
        raise TaskError(
            f"{error.operation_name} of AWS: {error_text(error)}. This needs ecs:RunTask, "
            "ecs:DescribeTasks, ecs:StopTask, logs:GetLogEvents, and iam:PassRole for the worker's "
            "two roles."
        ) from error
    container = next(each for each in task["containers"] if each.get("name") == _CONTAINER)
    if "exitCode" not in container:
        why = "\n".join([*reasons(task), *migration])
        raise TaskError("\n".join(["The task ended before the command did:", why, *advice(why)]))
    return container["exitCode"]


def _start(ecs: "ECSClient", worker: Tasks, arguments: Sequence[str], place: Placement) -> str:
    """Start the task; returns its ARN."""
    answer = ecs.run_task(
        cluster=worker.cluster,
        taskDefinition=worker.task_definition,
        overrides={"containerOverrides": [{"name": _CONTAINER, "command": list(arguments)}]},
        startedBy=_STARTED_BY,
        propagateTags="TASK_DEFINITION",
        **place.arguments,
    )
    if not answer["tasks"]:
        why = "; ".join(failure.get("reason", "no reason given") for failure in answer["failures"])
        raise TaskError(f"ECS starts no task of {short(worker.task_definition)}: {why}")
    return answer["tasks"][0]["taskArn"]


def _follow(
    ecs: "ECSClient",
    worker: Tasks,
    arn: str,
    lines: TaskLog,
    log: Callable[[str], None],
    sleep: Callable[[float], None],
) -> "TaskTypeDef":
    """Pass on the lines of the log until the task has stopped, and its last lines after that."""
    polls_left, unknown_left = _LAST_LINES_POLLS, _UNKNOWN_POLLS
    while True:
        found = ecs.describe_tasks(cluster=worker.cluster, tasks=[arn])["tasks"]
        if not found and not unknown_left:
            raise TaskError(f"ECS no longer knows the task {short(arn)}; its log may have an end.")
        unknown_left -= not found
        for task in found:
            polls_left -= task["lastStatus"] == "STOPPED"
            for line in lines.new():
                log(line)
            if polls_left == 0:
                return task
        sleep(POLL_SECONDS)
