"""Waits until ECS runs the deployed task definition, and reports why if it does not."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts import ScriptError
from scripts.deploy.run_task import Placement
from scripts.deploy.stopped import advice, failed_migration, reasons, short
from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Service

if TYPE_CHECKING:
    from types_boto3_ecs.client import ECSClient
    from types_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef, TaskTypeDef

POLL_SECONDS = 10
# The circuit breaker gives up after at least three tasks, and a task may take minutes to fail.
PATIENCE_SECONDS = 30 * 60

_EVENTS = 8
_TASKS = 3


class RolloutError(ScriptError):
    """ECS does not run the deployed task definition."""


def await_stable(
    client: "ECSClient",
    service: Service,
    say: Callable[[str], None],
    logs: Any,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the service runs its task definition and nothing else.

    Args:
        client: a client of ECS.
        service: the service, with the task definition to wait for.
        say: called with a line at each change.
        logs: a client of CloudWatch Logs, for the log of a migration that failed.
        patience_seconds: seconds after which to give up.
        sleep: called with the seconds between two calls of ECS.

    Raises:
        RolloutError: ECS has given up on the task definition, or takes too long.
    """
    said = ""
    for _ in range(max(1, int(patience_seconds / POLL_SECONDS))):
        found = describe(client, service)
        if given_up := _given_up(found, service):
            raise RolloutError(_report(client, logs, service, found, given_up))
        line = _progress(found, service)
        if line is None:
            say(f"{service.name} is stable.")
            return
        if line != said:
            said = line
            say(line)
        sleep(POLL_SECONDS)
    late = f"{service.name} is not stable after {patience_seconds / 60:.0f} minutes"
    raise RolloutError(_report(client, logs, service, found, late))


def restart(client: "ECSClient", service: Service) -> None:
    """Begin a new deployment of the service's task definition, whose tasks read their secrets.

    Raises:
        RolloutError: ECS rejects the call.
    """
    try:
        client.update_service(
            cluster=service.cluster,
            service=service.name,
            taskDefinition=service.task_definition,
            forceNewDeployment=True,
        )
    except ClientError as error:
        raise RolloutError(
            f"ECS begins no new deployment of {service.name}: {error_text(error)}. This needs "
            "ecs:UpdateService."
        ) from error


def failed_deployment(client: "ECSClient", service: Service) -> str | None:
    """The id of the deployment that ECS has given up; None if there is none, or no service.

    Raises:
        RolloutError: ECS rejects the call.
    """
    found = _find(client, service)
    ours = _deployment(found, service) if found else None
    return ours["id"] if ours and ours.get("rolloutState") == "FAILED" else None


def is_given_up(client: "ECSClient", service: Service) -> bool:
    """Whether ECS has given up the declared task definition, or runs another one.

    Raises:
        RolloutError: ECS rejects the call, or there is no such service.
    """
    return _given_up(describe(client, service), service) is not None


def describe(client: "ECSClient", service: Service) -> "ServiceTypeDef":
    """The service, as ECS describes it.

    Raises:
        RolloutError: ECS rejects the call, or there is no such service.
    """
    if found := _find(client, service):
        return found
    raise RolloutError(f"The service {service.name} no longer exists; run make deploy.")


def placement(client: "ECSClient", service: Service) -> Placement:
    """Where a task beside the service's runs: in its network, on demand.

    Raises:
        RolloutError: ECS rejects the call, or there is no such service.
    """
    return Placement(describe(client, service)["networkConfiguration"])


def _find(client: "ECSClient", service: Service) -> "ServiceTypeDef | None":
    try:
        answer = client.describe_services(cluster=service.cluster, services=[service.name])
    except ClientError as error:
        raise RolloutError(
            f"Can't read the state of {service.name} from ECS: {error_text(error)}. This needs "
            "ecs:DescribeServices."
        ) from error
    return next((found for found in answer["services"] if found["status"] == "ACTIVE"), None)


def _given_up(found: "ServiceTypeDef", service: Service) -> str | None:
    """Why waiting is useless; None while it is not."""
    ours = _deployment(found, service)
    if ours and ours.get("rolloutState") == "FAILED":
        reason = ours.get("rolloutStateReason", "").rstrip(".")
        return f"ECS has given up on {short(service.task_definition)}: {reason}"
    if found["taskDefinition"] != service.task_definition:
        return (
            f"{service.name} runs {short(found['taskDefinition'])} and not "
            f"{short(service.task_definition)}: ECS has rolled it back, or somebody else deployed"
        )
    return None


def _progress(found: "ServiceTypeDef", service: Service) -> str | None:
    """What the rollout waits for; None when it is complete."""
    ours = _deployment(found, service)
    if ours is None:
        return f"Waiting until ECS begins to deploy {short(service.task_definition)}."
    if ours.get("rolloutState") == "COMPLETED":
        return None
    failed = ours.get("failedTasks", 0)
    return (
        f"Waiting until {service.name} is stable: {ours['runningCount']} of "
        f"{ours['desiredCount']} tasks run{f', {failed} failed' if failed else ''}."
    )


def _deployment(found: "ServiceTypeDef", service: Service) -> "DeploymentTypeDef | None":
    ours = [d for d in found["deployments"] if d["taskDefinition"] == service.task_definition]
    # A new deployment of the same task definition is the primary one; the old one stays a while.
    return max(ours, key=lambda d: d.get("status") == "PRIMARY", default=None)


def _report(
    client: "ECSClient", logs: Any, service: Service, found: "ServiceTypeDef", what: str
) -> str:
    """What happened, as ECS reports it, and what to do."""
    events = [event["message"] for event in found.get("events", [])[:_EVENTS]]
    lines = [f"{what}.", "The service's last events:", *(f"  {event}" for event in events)]
    if not events:
        lines.append("  none")
    try:
        tasks = _stopped(client, service)
        stopped = [f"  {reason}" for task in tasks for reason in reasons(task)]
        lines += ["Tasks that stopped:", *(stopped or ["  none"])]
        lines += advice("\n".join([*events, *stopped]))
        if tasks:
            lines += failed_migration(tasks[0], logs, service.log_group)
    except ClientError as error:
        lines.append(f"Why tasks stopped can't be read: {error_text(error)}.")
    return "\n".join(
        [
            *lines,
            f"The log: aws logs tail {service.log_group} --since 1h",
            "Fix the cause, and run make deploy; if only a secret was wrong, make restart.",
        ]
    )


def _stopped(client: "ECSClient", service: Service) -> "list[TaskTypeDef]":
    """The latest tasks that stopped, the last one first; ECS keeps them for an hour."""
    listed = client.list_tasks(
        cluster=service.cluster, serviceName=service.name, desiredStatus="STOPPED"
    )["taskArns"]
    if not listed:
        return []
    tasks = client.describe_tasks(cluster=service.cluster, tasks=listed[:100])["tasks"]
    latest = sorted(tasks, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)
    return latest[:_TASKS]
