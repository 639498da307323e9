"""Checks the worker's function in AWS Lambda: it is active, the queue and a schedule call it."""

from collections.abc import Iterator
from typing import Any

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.queues import attributes_of

_NO_CALL = "nobody reads the queue, and messages wait in it"
_RESTORE = "Restore it: make deploy"
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_TIMEOUTS = 6


def function(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The function is active, and the event source mapping gives it this queue's messages."""
    declared = wiring.function
    if declared is None:
        return
    client: Any = session.client("lambda")
    found = client.get_function_configuration(FunctionName=declared.name)
    # A function that was not called for weeks is inactive until the next call.
    state, update = found.get("State"), found.get("LastUpdateStatus")
    if state not in ("Active", "Inactive"):
        yield broken(
            f"the function {declared.name} is {state}: {found.get('StateReason', 'no reason')}",
            _NO_CALL,
            "Read the reason, and run make deploy",
        )
    if update == "Failed":
        reason = found.get("LastUpdateStatusReason", "no reason")
        yield broken(
            f"the last update of {declared.name} has failed: {reason}",
            "the function runs with an older version",
            "Read the reason, and run make deploy",
        )
    mapping = client.get_event_source_mapping(UUID=declared.event_source_mapping)
    yield from _mapping(wiring, mapping, found["FunctionArn"])
    yield from _visibility(wiring, session, _TIMEOUTS * found["Timeout"])


def sweep(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The schedule by which the function sweeps is enabled."""
    if wiring.function is None:
        return
    _, group, name = wiring.function.sweep.split("/")
    client: Any = session.client("scheduler")
    # AWS answers with an error if there is no such schedule.
    if client.get_schedule(GroupName=group, Name=name)["State"] != "ENABLED":
        yield broken(
            f"the schedule {name} is disabled",
            "suppressions do not expire, and the function retries no statement or delivery",
            "Enable it: make deploy",
        )


def _mapping(wiring: Wiring, mapping: dict[str, Any], arn: str) -> Iterator[Finding]:
    if mapping["State"] not in ("Enabled", "Enabling", "Updating", "Creating"):
        yield broken(
            f"the event source mapping of the queue is {mapping['State']}: "
            f"{mapping.get('StateTransitionReason', 'no reason')}",
            _NO_CALL,
            "Enable it: make deploy",
        )
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        yield broken(
            "the event source mapping lacks ReportBatchItemFailures",
            "Lambda deletes the messages that the function wants to keep",
            _RESTORE,
        )
    if (mapping["EventSourceArn"], mapping["FunctionArn"]) != (wiring.queue_arn, arn):
        yield broken(
            "the event source mapping joins another queue or another function", _NO_CALL, _RESTORE
        )


def _visibility(wiring: Wiring, session: boto3.Session, needed: int) -> Iterator[Finding]:
    """A queue of the user's keeps its own visibility timeout."""
    timeout = int(attributes_of(session, wiring.queue_url)["VisibilityTimeout"])
    if timeout < needed:
        yield hint(
            f"the queue's visibility timeout is {timeout} seconds, less than six times the "
            "function's timeout",
            "SQS may deliver messages that the function is still handling",
            f"Set it: aws sqs set-queue-attributes --queue-url {wiring.queue_url} --attributes "
            f"VisibilityTimeout={needed}",
        )
