"""Finds what a plan would lose: what it deletes or replaces and no later plan can restore.

A plan that was made without the variables of its stack looks like a decision to remove most of it.
So deploy confirms these deletions one by one, and in CI refuses those that `--allow-loss` does not
name.
"""

from collections.abc import Collection, Iterable

from scripts import ScriptError
from scripts.terraform.plan import Change, Plan

EVERYTHING = "all"

_FEEDBACK = "SES no longer publishes its feedback to the topic"

# What a deletion loses, by the type of the resource; a replacement loses the same.
_LOST = {
    "aws_db_instance": "the addresses and events in it",
    "aws_iam_access_key": "a worker outside AWS that uses it can't read the queue",
    "aws_kms_key": "the messages that it has encrypted",
    "aws_route53_record": "SES can't verify the domain without it, and then sends no mail from it",
    "aws_ses_configuration_set": "SES rejects mail that names it",
    "aws_ses_domain_identity": "SES no longer sends mail for it",
    "aws_ses_email_identity": "SES no longer sends mail for it",
    "aws_ses_event_destination": _FEEDBACK,
    "aws_ses_identity_notification_topic": _FEEDBACK,
    "aws_sesv2_configuration_set": "SES rejects mail that names it",
    "aws_sesv2_configuration_set_event_destination": _FEEDBACK,
    "aws_sesv2_email_identity": "SES no longer sends mail for it",
    "aws_sns_topic": "its subscriptions, and what SES publishes to it",
    "aws_sns_topic_subscription": "what the topic receives from now on",
    "aws_sqs_queue": "its messages, and what the topic sends to it",
}

# What starts a worker. Its replacement loses nothing, and worker.mode replaces one by another.
READERS = frozenset(
    {"aws_ecs_service", "aws_lambda_event_source_mapping", "aws_scheduler_schedule"}
)
_NO_READER = "no worker reads the queue"
# Its service is of the same type, and reads no queue.
_API = "module.api_service"
_NO_API = "no program gets an answer from the HTTP API"


class LossError(ScriptError):
    """The plan deletes or replaces what no later plan can restore."""

    def __init__(self, lost: Iterable[Change], *, destroys: bool = False) -> None:
        kinds = [EVERYTHING] if destroys else sorted({change.kind for change in lost})
        super().__init__(
            f"{describe(lost)}\nIf you want that, name each by its address or by its kind: "
            f"{' '.join(f'--allow-loss {kind}' for kind in kinds)}. If you don't, check that the "
            "variables are those of this stack: terraform/environments/NAME.tfvars with ENV=NAME, "
            "terraform/terraform.tfvars without."
        )


def losses(plan: Plan, allowed: Collection[str] = ()) -> tuple[Change, ...]:
    """The changes of a plan that lose something.

    Args:
        plan: what an apply would do.
        allowed: addresses and types of resources that may be lost, or `all`.
    """
    if EVERYTHING in allowed:
        return ()
    starts_worker = any(map(_starts_worker, plan.changes))
    return tuple(
        change
        for change in plan.changes
        if _lost(change)
        and change.address not in allowed
        and change.kind not in allowed
        and not (starts_worker and _is_reader(change))
    )


def describe(lost: Iterable[Change]) -> str:
    """Lines that name each resource and what is lost with it."""
    lines = [f"  {change}: {_lost(change)}" for change in lost]
    return "\n".join(["This plan loses what no later plan can restore:", *lines])


def _is_reader(change: Change) -> bool:
    return change.kind in READERS and not change.address.startswith(_API)


def _starts_worker(change: Change) -> bool:
    return change.creates and _is_reader(change)


def _lost(change: Change) -> str | None:
    if not change.deletes:
        return None
    if change.kind in READERS:
        lost = _NO_READER if _is_reader(change) else _NO_API
        return lost if not change.creates else None
    return _LOST.get(change.kind)
