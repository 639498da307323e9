"""Counts hard bounces and deliveries by provider and hour, in a small table.

The detection of incidents reads it, so that it need not search the log.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from sesbounce.feedback.extract import Event
from sesbounce.feedback.provider import PROVIDERS, provider_of
from sesbounce.feedback.reason import Effect
from sesbounce.policy.outage import BASELINE, Cell, HourCount, cell_of, hard_cells
from sesbounce.policy.state import State
from sesbounce.store import schema
from sesbounce.store.bulk import Insert

# The detection looks at the hours of the last two days, and at the 14 days before each.
EXAMINED = timedelta(days=2)
KEPT = BASELINE + EXAMINED
_FORMAT = "%Y-%m-%dT%H"

_add = Insert(schema.hour, "cell", add=("hard", "known", "delivered"))


class HourCounts:
    """The counts that a transaction adds to the table."""

    def __init__(self, now: datetime) -> None:
        """Count only what happened in the time for which the table is kept."""
        self._since = now - KEPT
        self._cells: dict[Cell, HourCount] = {}

    def add_deliveries(self, events: Iterable[Event]) -> None:
        """Count the deliveries among new events; only those to providers with a name."""
        delivered = HourCount(delivered=1)
        for event in events:
            if event.effect is Effect.DELIVERED and event.occurred_at >= self._since:
                provider = provider_of(event.address)
                if provider in PROVIDERS:
                    self._add(cell_of(event.occurred_at, provider), delivered, 1)

    def replace(self, address: str, before: State, after: State) -> None:
        """Count the hard bounces of a state instead of those of the state before."""
        if not after.hard and not before.hard:
            return
        for sign, state in ((-1, before), (1, after)):
            for cell, count in hard_cells(state, address).items():
                if cell.hour >= self._since:
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

    def _add(self, cell: Cell, count: HourCount, sign: int) -> None:
        self._cells.setdefault(cell, HourCount()).add(count, sign)


def read_hours(connection: sa.Connection, now: datetime) -> Mapping[Cell, HourCount]:
    """Read the counts that the detection needs at this time."""
    table = schema.hour
    query = sa.select(table).where(table.c.cell >= f"{now - KEPT:{_FORMAT}}")
    return {
        _cell(row.cell): HourCount(row.hard, row.known, row.delivered)
        for row in connection.execute(query)
    }


def delete_old_hours(connection: sa.Connection, now: datetime) -> None:
    """Delete the counts that the detection needs no more."""
    table = schema.hour
    connection.execute(sa.delete(table).where(table.c.cell < f"{now - KEPT:{_FORMAT}}"))


def _name(cell: Cell) -> str:
    return f"{cell.hour:{_FORMAT}} {cell.provider}"


def _cell(name: str) -> Cell:
    hour, _, provider = name.partition(" ")
    return Cell(datetime.strptime(hour, _FORMAT).replace(tzinfo=UTC), provider)
