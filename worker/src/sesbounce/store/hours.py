"""Counts hard bounces and deliveries by provider and hour, in a small table.

The detection of incidents reads it, so that it need not search the log. The hard bounces follow
from the states, and the deliveries from the log.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from sesbounce.feedback.extract import Event
from sesbounce.feedback.provider import PROVIDERS, SIMULATOR, provider_of
from sesbounce.feedback.reason import Effect
from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import (
    BASELINE,
    EXAMINED,
    HOUR,
    Cell,
    Detection,
    HourCount,
    Suspect,
    cell_of,
    hard_cells,
    hour_of,
    suspects,
    times_before,
)
from sesbounce.policy.state import State
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.bulk import Insert
from sesbounce.store.event_log import Inserted

# The baseline of the hours that are examined, and of the suspected hours before these.
_KEPT = BASELINE + 2 * EXAMINED
# An incident that ends at a full hour has no part of that hour.
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_HOUR_LENGTH = len("2026-11-20T12")
_PROVIDER_AT = _HOUR_LENGTH + 2

_table = schema.hour
_add = Insert(_table, "cell", add=("hard", "known", "delivered"))


class ProviderCounts(NamedTuple):
    """What happened lately at one of `PROVIDERS`.

    Attributes:
        provider: its name.
        hour: the counts of the present hour.
        day: those of the last 24 hours, of which the present one is the last.
        before: those of the 14 days before these.
    """

    provider: str
    hour: HourCount
    day: HourCount
    before: HourCount

    def share(self, count: HourCount) -> float | None:
        """The share of hard bounces; None without mails, or where no deliveries are counted."""
        mails = count.hard + count.delivered
        return count.hard / mails if mails and self.day.delivered + self.before.delivered else None

    def times(self, count: HourCount) -> float | None:
        """How many times as large as before the share is; None where that is not known."""
        return times_before(count, self.before)


class HourCounts:
    """The counts that a transaction adds to the table."""

    def __init__(self, now: datetime) -> None:
        """Count only what happened in the time for which the table is kept."""
        self._since = hour_of(now - _KEPT)
        self._cells: dict[Cell, HourCount] = {}

    def count_deliveries(self, inserted: Inserted) -> None:
        """Count the deliveries that the log did not hold, or held with an earlier time."""
        for event in inserted.new:
            if event.effect is Effect.DELIVERED:
                self._count_delivery(event)
        for before, after in inserted.changed:
            if after.effect is Effect.DELIVERED:
                self._count_delivery(before, -1)
                self._count_delivery(after)

    def _count_delivery(self, event: Event, number: int = 1) -> None:
        provider = provider_of(event.address)
        if provider in PROVIDERS:
            self._add(cell_of(event.occurred_at, provider), HourCount(delivered=number))

    def replace(self, address: str, before: State, after: State) -> None:
        """Count the hard bounces of a state instead of those of the state before."""
        if is_forgotten(address) or provider_of(address) == SIMULATOR:
            return
        for sign, state in ((-1, before), (1, after)):
            for cell, count in hard_cells(state, address).items():
                self._add(cell, count, sign)

    def save(self, connection: sa.Connection) -> None:
        """Add the counts to the table, at the end of the transaction: others wait for the rows."""
        _add(
            connection,
            (
                (_name(cell), count.hard, count.known, count.delivered)
                for cell, count in self._cells.items()
                if count != HourCount()
            ),
        )

    def _add(self, cell: Cell, count: HourCount, sign: int = 1) -> None:
        if cell.hour >= self._since:
            self._cells.setdefault(cell, HourCount()).add(count, sign)


def find_suspects(connection: sa.Connection, detection: Detection, now: datetime) -> list[Suspect]:
    """The suspected incidents that have not ended two days ago, the earliest first."""
    since = now - EXAMINED
    # There may be many domains, but few with so many hard bounces.
    many = _since(since).where(_table.c.hard >= detection.addresses)
    providers = {_cell(row.cell).provider for row in connection.execute(many)}
    if not providers:
        return []
    provider = sa.func.substr(_table.c.cell, _PROVIDER_AT)
    cells = connection.execute(_since(now - _KEPT).where(provider.in_(sorted(providers))))
    delivered = (_table.c.delivered > 0) | (_table.c.known > 0)
    found = suspects(
        {_cell(row.cell): HourCount(row.hard, row.known, row.delivered) for row in cells},
        detection,
        reports_deliveries=bool(connection.scalar(sa.select(sa.exists().where(delivered)))),
    )
    return [one for one in found if one.ends > since]


def counts_around(
    connection: sa.Connection, incident: Incident, now: datetime
) -> tuple[HourCount, HourCount] | None:
    """What happened at a provider during an incident, and in the 14 days before it.

    None where the counts of its first hour were deleted.
    """
    if incident.begins < now - _KEPT:
        return None
    first = _hour_name(incident.begins)
    query = _since(incident.begins - BASELINE).where(
        sa.func.substr(_table.c.cell, _PROVIDER_AT) == incident.provider
    )
    if incident.ends:
        query = query.where(_table.c.cell < _hour_name(hour_of(incident.ends - _TICK) + HOUR))
    during, before = HourCount(), HourCount()
    for row in connection.execute(query):
        count = HourCount(row.hard, row.known, row.delivered)
        (before if row.cell < first else during).add(count)
    return during, before


def counts_by_provider(connection: sa.Connection, now: datetime) -> list[ProviderCounts]:
    """What happened lately at each of `PROVIDERS`, the one with the most mails first."""
    hour = hour_of(now)
    day = hour - _DAY + HOUR
    first = day - BASELINE
    # A place that is no parameter is the same one in both clauses, for PostgreSQL as well.
    provider = sa.func.substr(_table.c.cell, sa.literal_column(str(_PROVIDER_AT)))
    sums = [
        sa.func.sum(sa.case((_table.c.cell >= _hour_name(since), _table.c[name]), else_=0))
        for since in (hour, day, first)
        for name in HourCount.__struct_fields__
    ]
    query = _since(first).with_only_columns(provider, *sums).group_by(provider)
    found = [
        _provider_counts(name, list(map(int, numbers)))
        for name, *numbers in connection.execute(query.where(provider.in_(sorted(PROVIDERS))))
    ]
    return sorted(found, key=_most_mails_first)


def _provider_counts(name: str, numbers: Sequence[int]) -> ProviderCounts:
    """The counts of a provider from the numbers of the hour, of the day, and of all of the time."""
    hour, day, before = (HourCount(*numbers[n : n + 3]) for n in (0, 3, 6))
    before.add(day, -1)
    return ProviderCounts(name, hour, day, before)


def _most_mails_first(counts: ProviderCounts) -> tuple[int, str]:
    mails = sum(one.hard + one.delivered for one in (counts.day, counts.before))
    return -mails, counts.provider


def delete_old_hours(connection: sa.Connection, now: datetime) -> None:
    """Delete the counts that the detection no longer needs."""
    connection.execute(sa.delete(_table).where(_table.c.cell < _hour_name(now - _KEPT)))


def _since(moment: datetime) -> sa.Select[tuple[str, int, int, int]]:
    """Select the counts of an hour and of all later ones."""
    return sa.select(_table).where(_table.c.cell >= _hour_name(moment))


def _hour_name(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()[:_HOUR_LENGTH]


def _name(cell: Cell) -> str:
    return f"{_hour_name(cell.hour)} {cell.provider}"


def _cell(name: str) -> Cell:
    hour, _, provider = name.partition(" ")
    return Cell(datetime.fromisoformat(f"{hour}+00:00"), provider)
