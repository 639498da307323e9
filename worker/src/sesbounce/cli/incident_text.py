"""The texts of the commands about incidents."""

from collections import Counter
from datetime import datetime
from typing import Self

import msgspec

from sesbounce.cli.common import counted, counted_addresses, now
from sesbounce.operations.rebuild import Change
from sesbounce.policy.outage import Suspect
from sesbounce.store.incidents import IncidentRow, numbers
from sesbounce.store.result import Recorded
from sesbounce.telemetry.visible import visible


class Shown(msgspec.Struct, frozen=True, kw_only=True, rename={"begins": "from", "ends": "until"}):
    """An incident as the commands print it.

    Attributes:
        number: the number by which people name it.
        provider: the provider, or the domain.
        begins: when it began, UTC.
        ends: when it ended, UTC; None while it goes on.
        state: suspected, open, closed or withdrawn.
        opened_by: the person who opened it; `sesbounce` for the detection.
        decided_by: the person who last decided about it; None if nobody has.
        note: the person's note, or the numbers of the detection.
    """

    number: int
    provider: str
    begins: datetime
    ends: datetime | None
    state: str
    opened_by: str
    decided_by: str | None
    note: str

    @classmethod
    def of(cls, row: IncidentRow) -> Self:
        """Make one of a row."""
        return cls(
            number=row.id,
            provider=row.provider,
            begins=row.begins_at,
            ends=row.ends_at,
            state=row.state_at(now()),
            opened_by=row.opened_by,
            decided_by=row.decided_by,
            note=row.note,
        )


def incident_line(one: Shown) -> str:
    """An incident in one line."""
    until = in_minutes(one.ends) if one.ends else "now"
    by = one.decided_by or one.opened_by
    note = f": {visible(one.note)}" if one.note else ""
    return (
        f"{one.number}  {visible(one.provider)}  {in_minutes(one.begins)} to {until}  {one.state}, "
        f"by {visible(by)}{note}"
    )


def suspect_line(found: Suspect) -> str:
    """A suspected incident in one line."""
    before = "" if found.share_before is None else f"; {found.share_before:.2%} before"
    return (
        f"{visible(found.provider)}  {in_minutes(found.begins)} to {in_minutes(found.ends)}  "
        f"{numbers(found)}{before}"
    )


def change_line(change: Change) -> str:
    """A change of a verdict in one line."""
    before, after = visible(change.before.why), visible(change.after.why)
    verb = "changed" if change.change == "changed" else f"to be {change.change}"
    return f"{visible(change.address)}: {verb} ({before} -> {after})"


def summary(row: IncidentRow, totals: Counter[str], now: datetime) -> str:
    """What saving an incident changes, in one sentence."""
    until = f"to {in_minutes(row.ends_at)}" if row.ends_at else "until somebody closes it"
    name = f"Incident {row.id}" if row.id else "A new incident"
    return (
        f"{name} of {visible(row.provider)}, {in_minutes(row.begins_at)} {until}, "
        f"{row.state_at(now)}: {difference(totals)}."
    )


def difference(totals: Counter[str]) -> str:
    """How many verdicts change."""
    return (
        f"{counted_addresses(totals['released'])} to be released, {totals['suppressed']:,} to be "
        f"suppressed, {totals['changed']:,} suppressed for another reason or time"
    )


def saved(row: IncidentRow, done: Recorded) -> str:
    """What was done, in one sentence."""
    return (
        f"Incident {row.id} is saved: {counted_addresses(done.released)} released "
        f"({counted(done.restored_rows, 'row')} restored), {done.suppressed:,} suppressed "
        f"({counted(done.struck_rows, 'row')} struck off)."
    )


def so_far(done: Recorded) -> str:
    """How far the judging of addresses has come."""
    return f"{counted_addresses(done.released)} released, {done.suppressed:,} suppressed"


def in_minutes(moment: datetime) -> str:
    """A time for people: `2026-11-20 12:30Z`."""
    return f"{moment:%Y-%m-%d %H:%M}Z"
