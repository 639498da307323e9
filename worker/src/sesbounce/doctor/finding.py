"""What the checks of the wiring tell."""

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much a finding matters."""

    BROKEN = "broken"
    """Event is lost, or not recorded."""
    HINT = "hint"
    """Somebody should know; nothing is lost by it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        weight: how much it matters.
        what: what is so, and of what.
        why: why that matters.
        remedy: what to do.
    """

    weight: Weight
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.weight}: {self.what}: {self.why}. {self.remedy}."


def broken(what: str, why: str, remedy: str) -> Finding:
    """Something by which feedback is lost, or not recorded."""
    return Finding(Weight.BROKEN, what, why, remedy)


def hint(what: str, why: str, remedy: str) -> Finding:
    """Something that somebody should know."""
    return Finding(Weight.HINT, what, why, remedy)
