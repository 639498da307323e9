"""Refuses plans that would lose messages, or that Terraform would not complete."""

from scripts import ScriptError
from scripts.deploy import aws
from scripts.terraform.plan import Plan
from scripts.terraform.stack import Stack
from sesbounce.doctor.declared import declared
from sesbounce.doctor.queues import how_to_handle, messages_wait, waiting_messages
from sesbounce.errors import NothingDeployedError


class DestroyError(ScriptError):
    """The plan would lose messages, or Terraform would stop halfway."""


def refuse_protected(plan: Plan) -> None:
    """Refuse a plan that deletes a database which is protected from deletion.

    Raises:
        DestroyError: it does.
    """
    for change in plan.changes:
        if (
            change.kind == "aws_db_instance"
            and change.deletes
            and change.before["deletion_protection"]
        ):
            raise DestroyError(
                f"The database {change.before['identifier']} is protected from deletion, so "
                "Terraform would stop halfway. If you no longer need its data, set database = "
                "{ deletion_protection = false } and run make deploy with this one change; then "
                "run the same command. A last snapshot is kept unless final_snapshot = false."
            )


def refuse_waiting(
    stack: Stack, plan: Plan, *, messages_too: bool = False, dead_letters_too: bool = False
) -> None:
    """Refuse a plan that deletes queues with messages in them, also to replace the queues.

    Args:
        stack: the stack that the plan would change.
        plan: what an apply would do.
        messages_too: whether the messages in all queues may be lost.
        dead_letters_too: whether those in the dead-letter queues may be lost.

    Raises:
        DestroyError: messages would be lost.
    """
    gone = {c.before["url"] for c in plan.changes if c.kind == "aws_sqs_queue" and c.deletes}
    if messages_too or not gone:
        return
    try:
        wired = declared(stack.outputs(), ())  # the outputs alone tell the queues
    except NothingDeployedError:
        return
    if dead_letters_too:
        gone -= {wired.dlq_url, wired.subscription_dlq_url}
    waiting = waiting_messages(aws.session(wired.region), sorted(gone))
    if waiting:
        lines = [
            f"{messages_wait(count)} in {url.rpartition('/')[2]}. {how_to_handle(wired, url)}."
            for url, count in waiting.items()
        ]
        raise DestroyError(
            "\n".join(
                [
                    "This plan would lose messages that no worker has handled:",
                    *lines,
                    "If you no longer need them: --allow-loss messages.",
                ]
            )
        )
