"""What checks find: findings, and the result of each check."""

from collections.abc import Iterable
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


class Status(StrEnum):
    """What a check says, the worst first."""

    BROKEN = "broken"
    HINT = "hint"
    SKIPPED = "skipped"
    OK = "ok"


@dataclass(frozen=True)
class Result:
    """What one check says.

    Attributes:
        id: the stable name of the check: `sns.topic`.
        title: what is as it should be, if the check is ok.
        status: the worst of the findings.
        findings: what the check has found, also how something is set.
        reason: why the check was skipped.
    """

    id: str
    title: str
    status: Status
    findings: tuple[Finding, ...] = ()
    reason: str = ""


def found(id_: str, title: str, findings: Iterable[Finding]) -> Result:
    """The result of a check with these findings. How something is set is no fault."""
    findings = tuple(findings)
    weights = {str(finding.weight) for finding in findings}
    status = next((each for each in Status if each in weights), Status.OK)
    return Result(id_, title, status, findings)


def skipped(id_: str, title: str, reason: str) -> Result:
    """The result of a check that was not made."""
    return Result(id_, title, Status.SKIPPED, reason=reason)
