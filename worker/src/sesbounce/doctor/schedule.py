"""Checks the worker's schedule: it is enabled, and what it starts exists."""

from collections.abc import Iterator
from typing import Any

import boto3

from sesbounce.doctor.declared import Schedule, Wiring
from sesbounce.doctor.finding import Finding, broken, hint

_NO_RUN = "no run starts, and messages wait in the queue"
_RESTORE = "Restore it: make deploy"


def schedule(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The schedule is enabled, and starts the declared task definition with a role that exists."""
    declared = wiring.schedule
    if declared is None:
        return
    client: Any = session.client("scheduler")
    found = client.get_schedule(GroupName=declared.group, Name=declared.name)
    if found["State"] != "ENABLED":
        yield broken(f"the schedule {declared.name} is disabled", _NO_RUN, "Enable it: make deploy")
    yield from _cluster(found["Target"], session)
    yield from _task_definition(found["Target"], declared, session)
    # AWS answers with an error if there is no such role.
    session.client("iam").get_role(RoleName=found["Target"]["RoleArn"].rpartition("/")[2])


def _cluster(target: dict[str, Any], session: boto3.Session) -> Iterator[Finding]:
    answer = session.client("ecs").describe_clusters(clusters=[target["Arn"]])
    if not any(cluster.get("status") == "ACTIVE" for cluster in answer["clusters"]):
        yield broken(f"there is no cluster {target['Arn'].rpartition('/')[2]}", _NO_RUN, _RESTORE)


def _task_definition(
    target: dict[str, Any], declared: Schedule, session: boto3.Session
) -> Iterator[Finding]:
    arn = target["EcsParameters"]["TaskDefinitionArn"]
    short = arn.rpartition("/")[2]
    answer = session.client("ecs").describe_task_definition(taskDefinition=arn)
    if answer["taskDefinition"]["status"] != "ACTIVE":
        yield broken(f"the task definition {short} is not active", _NO_RUN, _RESTORE)
    if arn != declared.task_definition:
        yield hint(
            f"the schedule {declared.name} starts {short}, but "
            f"{declared.task_definition.rpartition('/')[2]} is declared",
            "somebody else has changed it",
            _RESTORE,
        )
