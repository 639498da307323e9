"""Checks the services in ECS: their tasks run, from the declared definition."""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Service, Wiring
from sesbounce.doctor.finding import Finding, broken, hint


def service(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The worker's service exists, and runs the declared task definition."""
    yield from _runs(wiring.service, session, "no worker reads the queue")


def api(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The service of the HTTP API exists, and runs the declared task definition."""
    yield from _runs(wiring.api, session, "no program gets an answer from the HTTP API")


def _runs(declared: Service | None, session: boto3.Session, otherwise: str) -> Iterator[Finding]:
    """A service exists and runs what is declared; `otherwise` says what is lost if it does not."""
    if declared is None:
        return
    answer = session.client("ecs").describe_services(
        cluster=declared.cluster, services=[declared.name]
    )
    active = [found for found in answer["services"] if found["status"] == "ACTIVE"]
    if not active:
        yield broken(f"there is no service {declared.name}", otherwise, "Recreate it: make deploy")
        return
    (found,) = active
    if found["desiredCount"] and not found["runningCount"]:
        yield broken(
            f"none of {found['desiredCount']} tasks of {declared.name} runs",
            otherwise,
            f"Find out why: aws logs tail {declared.log_group} --since 1h, and the service's "
            "events in the ECS console",
        )
    if found["taskDefinition"] != declared.task_definition:
        yield hint(
            f"{declared.name} runs {found['taskDefinition'].rpartition('/')[2]}, but "
            f"{declared.task_definition.rpartition('/')[2]} is declared",
            "ECS has rolled a deployment back, or somebody else has deployed",
            "Read the service's events in the ECS console, then run make deploy",
        )
