"""What one run of deploy works with."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from scripts import ScriptError
from scripts.deploy.release import Sources
from scripts.terraform.stack import Stack

Ask = Callable[[str], str]


class DeclinedError(ScriptError):
    """You declined: this plan is not applied."""


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        stack: the stack, ready to be planned.
        options: those of the command line.
        ask: called with a question; returns the answer.
        account: the number of the account of the credentials; None where no command needs it.
    """

    stack: Stack
    options: argparse.Namespace
    ask: Ask
    account: str | None

    def sources(self, platform: str) -> Sources:
        """The sources of the image for a platform."""
        return Sources(platform, self.options.base, self.options.require_pinned)

    def agree(self, question: str) -> None:
        """Ask a person, unless `--yes` has answered every question.

        Raises:
            DeclinedError: the answer is not yes.
        """
        if self.options.yes:
            return
        if self.ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise DeclinedError(DeclinedError.__doc__)
