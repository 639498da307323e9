"""Why a task of ECS stopped, and what to do about it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.deploy.task_log import TaskLog

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import TaskTypeDef

# The container that brings the schema up to date; ECS starts the worker after its success.
_MIGRATION = "migrate"
_LINES = 20

# What to do, by what ECS writes. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
_NO_WAY_OUT = (
    "The task reaches no AWS service: own subnets need a NAT gateway or VPC endpoints, or, if they "
    "are public, network = { assign_public_ip = true }."
)
_SECRETS = (
    "Check the ARNs in worker.secrets and database_url_secret_arn, and that the secrets exist; "
    "then run make restart."
)
_OTHER_CPU = (
    "The image is for another CPU than the task: set worker.cpu_architecture to that of the image, "
    "or deploy an image for the task's platform (make outputs shows worker_platform)."
)
ADVICE = (
    ("descriptor matching platform", _OTHER_CPU),
    ("exec format error", _OTHER_CPU),
    ("i/o timeout", _NO_WAY_OUT),
    ("request canceled", _NO_WAY_OUT),
    ("context deadline exceeded", _NO_WAY_OUT),
    ("tls handshake timeout", _NO_WAY_OUT),
    ("check your task network configuration", _NO_WAY_OUT),
    ("unable to pull secrets", _SECRETS),
    (
        "unable to assume the role",
        (
            "ECS may not take the worker's roles. If aws:SourceArn in local.trust of "
            "terraform/modules/worker_service/iam.tf is the cause, remove that line and report it."
        ),
    ),
    (
        "tmpfs",
        (
            "Fargate of this region knows no tmpfs: remove the line tmpfs from "
            "terraform/modules/worker_service/main.tf; the worker itself writes nothing to disk."
        ),
    ),
)


def reasons(task: "TaskTypeDef") -> Iterator[str]:
    """The reasons that ECS gives, for the task and for each container."""
    yield f"{short(task['taskArn'])}: {task.get('stoppedReason', 'no reason given')}"
    for container in task.get("containers", []):
        details = [
            f"exit code {container['exitCode']}" if "exitCode" in container else "",
            container.get("reason", ""),
        ]
        if any(details):
            yield f"  {container['name']}: {', '.join(filter(None, details))}"


def failed_migration(task: "TaskTypeDef", logs: Any, group: str) -> Iterator[str]:
    """The last lines that a failed migration has written; none where it has not failed.

    Args:
        task: the task, as ECS describes it.
        logs: a client of CloudWatch Logs.
        group: the name of the worker's log group.
    """
    codes = {each.get("name"): each.get("exitCode") for each in task.get("containers", [])}
    if not codes.get(_MIGRATION):
        return
    yield f"  The container {_MIGRATION} failed, so the worker did not start. Its log:"
    written = list(TaskLog(logs, group, f"worker/{_MIGRATION}/{short(task['taskArn'])}").new())
    yield from (f"    {line}" for line in written[-_LINES:] or ["nothing yet"])


def advice(text: str) -> list[str]:
    """What to do about these reasons, each line once."""
    fitting = dict.fromkeys(advice for symptom, advice in ADVICE if symptom in text.lower())
    if _NO_WAY_OUT in fitting:
        # A task that reaches nothing can't pull its secrets either, and ECS names only these.
        fitting.pop(_SECRETS, None)
    return list(fitting)


def short(arn: str) -> str:
    """The last part of an ARN."""
    return arn.rpartition("/")[2]
