"""Checks the worker's service in ECS: its tasks run, from the declared definition."""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint


def service(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The service exists, and runs the declared task definition."""
    if wiring.service is None:
        return
    answer = session.client("ecs").describe_services(
        cluster=wiring.service.cluster, services=[wiring.service.name]
    )
    active = [found for found in answer["services"] if found["status"] == "ACTIVE"]
    if not active:
        yield broken(
            f"there is no service {wiring.service.name}",
            "no worker reads the queue",
            "Recreate it: make deploy",
        )
        return
    (found,) = active
    if found["desiredCount"] and not found["runningCount"]:
        yield broken(
            f"none of {found['desiredCount']} tasks of {wiring.service.name} runs",
            "no worker reads the queue",
            f"Find out why: aws logs tail {wiring.service.log_group} --since 1h, and the service's "
            "events in the ECS console",
        )
    if found["taskDefinition"] != wiring.service.task_definition:
        yield hint(
            f"{wiring.service.name} runs {found['taskDefinition'].rpartition('/')[2]}, but "
            f"{wiring.service.task_definition.rpartition('/')[2]} is declared",
            "ECS has rolled a deployment back, or somebody else has deployed",
            "Read the service's events in the ECS console, then run make deploy",
        )
