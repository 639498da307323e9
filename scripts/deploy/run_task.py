"""Runs a command, such as `sesbounce why`, in a task of its own, beside the worker's service.

The task has the worker's image, settings, secrets, rights and network, so that the command reaches
a database that nothing else can reach.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from scripts import ScriptError
from scripts.deploy import rollout
from scripts.deploy.stopped import advice, failed_migration, reasons, short
from scripts.deploy.task_log import TaskLog
from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Service

if TYPE_CHECKING:
    from types_boto3_ecs.client import ECSClient
    from types_boto3_ecs.type_defs import TaskTypeDef

POLL_SECONDS = 2
# CloudWatch may show the last lines a few seconds after the end of the task.
_LAST_LINES_POLLS = 3
_STARTED_BY = "sesbounce-cli"
_CONTAINER = "worker"


class TaskError(ScriptError):
    """ECS did not start the task, or the task ended before the command did."""


def run(
    session: boto3.Session,
    service: Service,
    arguments: Sequence[str],
    say: Callable[[str], None],
    log: Callable[[str], None] = print,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run a command of sesbounce, and wait for its end.

    Args:
        session: a session in the region of the stack.
        service: the worker's service, whose task definition and network the task gets.
        arguments: the command and its arguments, such as `why jane@example.com`.
        say: called with a line of progress.
        log: called with each line that the command writes.
        sleep: called with the seconds between two calls of ECS.

    Returns:
        The command's exit code.

    Raises:
        TaskError: ECS can't start the task, or the task ends without an exit code.
        RolloutError: there is no such service.
    """
    ecs: ECSClient = session.client("ecs")
    try:
        arn = _start(ecs, service, arguments)
        say(f"Fargate starts the task {short(arn)}, which takes about a minute.")
        logs = session.client("logs")
        lines = TaskLog(logs, service.log_group, f"worker/{_CONTAINER}/{short(arn)}")
        try:
            task = _follow(ecs, service, arn, lines, log, sleep)
            migration = list(failed_migration(task, logs, service.log_group))
        except KeyboardInterrupt:
            ecs.stop_task(cluster=service.cluster, task=arn, reason="interrupted")
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


def _start(ecs: "ECSClient", service: Service, arguments: Sequence[str]) -> str:
    """Start the task; returns its ARN."""
    network = rollout.describe(ecs, service)["networkConfiguration"]
    answer = ecs.run_task(
        cluster=service.cluster,
        taskDefinition=service.task_definition,
        launchType="FARGATE",
        networkConfiguration=network,
        overrides={"containerOverrides": [{"name": _CONTAINER, "command": list(arguments)}]},
        startedBy=_STARTED_BY,
        propagateTags="TASK_DEFINITION",
    )
    if not answer["tasks"]:
        why = "; ".join(failure.get("reason", "no reason given") for failure in answer["failures"])
        raise TaskError(f"ECS starts no task of {short(service.task_definition)}: {why}")
    return answer["tasks"][0]["taskArn"]


def _follow(
    ecs: "ECSClient",
    service: Service,
    arn: str,
    lines: TaskLog,
    log: Callable[[str], None],
    sleep: Callable[[float], None],
) -> "TaskTypeDef":
    """Pass on the lines of the log until the task has stopped, and its last lines after that."""
    polls_left = _LAST_LINES_POLLS
    while True:
        (task,) = ecs.describe_tasks(cluster=service.cluster, tasks=[arn])["tasks"]
        polls_left -= task["lastStatus"] == "STOPPED"
        for line in lines.new():
            log(line)
        if polls_left == 0:
            return task
        sleep(POLL_SECONDS)
