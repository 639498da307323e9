"""What speaks against destroying a stack, looked at before anything is gone."""

from scripts import ScriptError
from scripts.deploy import aws
from scripts.terraform.stack import Stack
from sesbounce.doctor.declared import declared
from sesbounce.doctor.queues import how_to_redrive, waiting_dead_letters
from sesbounce.errors import NothingDeployedError


class DemolitionError(ScriptError):
    """Something would be lost, or Terraform would stop halfway."""


def refuse_losses(stack: Stack, *, dead_letters_too: bool = False) -> None:
    """Make sure that a stack can go.

    Args:
        stack: what is to be destroyed.
        dead_letters_too: let go of messages in the dead-letter queues.

    Raises:
        DemolitionError: it can't.
    """
    resources = stack.resources()
    protected = [
        values["identifier"]
        for kind, values in resources
        if kind == "aws_db_instance" and values["deletion_protection"]
    ]
    if protected:
        raise DemolitionError(
            f"The database {protected[0]} is protected from deletion, so that Terraform would stop "
            "halfway. If its data may go, set database = { deletion_protection = false }, make "
            "deploy, then destroy; a last snapshot is kept unless final_snapshot = false."
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
            f"{count} messages wait in {url.rpartition('/')[2]}. {how_to_redrive(wired, url)}."
            for url, count in waiting.items()
        ]
        raise DemolitionError(
            "\n".join(
                [
                    "Destroying the stack would lose messages that nobody has handled:",
                    *lines,
                    "Or let them go: --even-with-dead-letters.",
                ]
            )
        )
