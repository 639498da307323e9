"""Refuses to destroy a stack if that would lose messages, or if Terraform would stop halfway."""

from scripts import ScriptError
from scripts.deploy import aws
from scripts.terraform.stack import Stack
from sesbounce.doctor.declared import declared
from sesbounce.doctor.queues import how_to_redrive, messages_wait, waiting_dead_letters
from sesbounce.errors import NothingDeployedError


class DestroyError(ScriptError):
    """Destroying the stack would lose messages, or Terraform would stop halfway."""


def refuse_losses(stack: Stack, *, dead_letters_too: bool = False) -> None:
    """Check that a stack can be destroyed.

    Args:
        stack: the stack to destroy.
        dead_letters_too: whether messages in the dead-letter queues may be lost.

    Raises:
        DestroyError: it can't be destroyed now.
    """
    resources = stack.resources()
    protected = [
        values["identifier"]
        for kind, values in resources
        if kind == "aws_db_instance" and values["deletion_protection"]
    ]
    if protected:
        raise DestroyError(
            f"The database {protected[0]} is protected from deletion, so Terraform would stop "
            "halfway. If you no longer need its data, set database = "
            "{ deletion_protection = false } and run make deploy, then destroy the stack. A last "
            "snapshot is kept unless final_snapshot = false."
        )
    if dead_letters_too:
        return
    try:
        wired = declared(stack.outputs(), resources)
    except NothingDeployedError:
        return
    waiting = waiting_dead_letters(wired, aws.session(wired.region))
    if waiting:
        lines = [
            f"{messages_wait(count)} in {url.rpartition('/')[2]}. {how_to_redrive(wired, url)}."
            for url, count in waiting.items()
        ]
        raise DestroyError(
            "\n".join(
                [
                    "Destroying the stack would lose messages that no worker has handled:",
                    *lines,
                    "If you no longer need them: --even-with-dead-letters.",
                ]
            )
        )
