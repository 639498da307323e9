"""The worker's service: as many tasks run as should."""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint


def service(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The service is there, and runs what is declared."""
    if wiring.service is None:
        return
    answer = session.client("ecs").describe_services(
        cluster=wiring.service.cluster, services=[wiring.service.name]
    )
    active = [found for found in answer["services"] if found["status"] == "ACTIVE"]
    if not active:
        yield broken(
            f"there is no service {wiring.service.name}",
            "nobody reads the queue",
            "Make it again: make deploy",
        )
        return
    (found,) = active
    if found["desiredCount"] and not found["runningCount"]:
        yield broken(
            f"none of {found['desiredCount']} tasks of {wiring.service.name} runs",
            "nobody reads the queue",
            f"See why: aws logs tail {wiring.service.log_group} --since 1h, and the service's "
            "events in the ECS console",
        )
    if found["taskDefinition"] != wiring.service.task_definition:
        yield hint(
            f"{wiring.service.name} runs {found['taskDefinition'].rpartition('/')[2]}, but "
            f"{wiring.service.task_definition.rpartition('/')[2]} is declared",
            "ECS has rolled a deployment back, or somebody else has deployed",
            "See the service's events in the ECS console, and make deploy again",
        )
