"""The findings of the wiring's checks."""

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much a finding matters."""

    BROKEN = "broken"
    """Events are lost, or not recorded."""
    HINT = "hint"
    """Somebody should know it; it loses no events."""
    SETTING = "setting"
    """How something in AWS is set; it may well be so."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, in three parts of a message.

    Attributes:
        weight: how much it matters.
        what: what is wrong, and with which resource.
        why: why it matters.
        remedy: what to do about it.
    """

    weight: Weight
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.weight}: {self.what}: {self.why}. {self.remedy}."


def broken(what: str, why: str, remedy: str) -> Finding:
    """A finding by which events are lost, or not recorded."""
    return Finding(Weight.BROKEN, what, why, remedy)


def hint(what: str, why: str, remedy: str) -> Finding:
    """A finding that somebody should know, and that loses no events."""
    return Finding(Weight.HINT, what, why, remedy)


def setting(what: str, why: str, remedy: str) -> Finding:
    """A finding that says how something is set, what that means, and how to change it."""
    return Finding(Weight.SETTING, what, why, remedy)
