"""The outbox: a table of verdicts that targets outside of the database have not got yet.

The transaction that changes an address writes an entry for each target; it replaces an older entry
about the same address. `sesbounce.outbound.relay` claims an entry for a minute, delivers it, and
removes it unless a newer one has replaced it in the meantime. A crash at any point leaves the
entry in the table: each target gets each verdict at least once.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.store.columns import UtcDateTime
from sesbounce.store.engine import translated, write
from sesbounce.store.schema import address as addresses
from sesbounce.store.schema import outbox, suppressed_at
from sesbounce.store.statements import Parameters

ENTRIES_AT_ONCE = 100
_CLAIM = timedelta(minutes=1)


class OutboxEntry(msgspec.Struct, frozen=True):
    """A verdict of one address that a target is to get.

    Attributes:
        suppressed: true to strike the address off, false to restore it.
        for_good: whether the suppression has (or had) no end.
        parameters: the address and its verdict, as for a strike-off statement.
    """

    suppressed: bool
    for_good: bool
    parameters: Parameters


class Outbox:
    """Writes entries for targets into the table.

    Attributes:
        uses_event: whether a target uses parameters that tell of the event that decided.
    """

    def __init__(self, targets: Iterable[str] = (), *, uses_event: bool = False) -> None:
        """Make an outbox.

        Args:
            targets: the names of the targets.
            uses_event: whether a target uses parameters that tell of the event that decided.
        """
        self._targets = sorted(targets)
        self.uses_event = uses_event

    @property
    def has_targets(self) -> bool:
        """Whether there is any target."""
        return bool(self._targets)

    def put(self, connection: sa.Connection, entries: Sequence[OutboxEntry], now: datetime) -> None:
        """Write the entries for each target in the caller's transaction; they are due at `now`."""
        rows = [
            {
                "target": target,
                "address": entry.parameters["address"],
                "version": uuid.uuid4().hex,
                "entry": msgspec.json.encode(entry).decode(),
                "attempts": 0,
                "due_at": now,
                "problem": None,
            }
            for target in self._targets
            for entry in sorted(entries, key=lambda e: e.parameters["address"])
        ]
        if rows:
            keys = [{"t": row["target"], "a": row["address"]} for row in rows]
            connection.execute(
                sa.delete(outbox).where(
                    outbox.c.target == sa.bindparam("t"), outbox.c.address == sa.bindparam("a")
                ),
                keys,
            )
            connection.execute(sa.insert(outbox), rows)


def due(engine: sa.Engine, target: str, now: datetime) -> Sequence[sa.Row[Any]]:
    """The entries for a target that are due, the oldest first, 100 at most."""
    with engine.connect() as connection:
        return connection.execute(
            sa.select(outbox)
            .where(outbox.c.due_at <= now, outbox.c.target == target)
            .order_by(outbox.c.due_at, outbox.c.address)
            .limit(ENTRIES_AT_ONCE)
        ).all()


def claim(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> bool:
    """Reserve an entry for a minute; returns false if another worker took or replaced it."""
    with write(engine) as connection:
        claimed = connection.execute(
            sa.update(outbox)
            .where(_is_unchanged(row), outbox.c.due_at == row.due_at)
            .values(due_at=now + _CLAIM)
        )
        return claimed.rowcount == 1


def remove(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> None:
    """Remove an entry that has been delivered.

    If a newer entry has replaced it, another worker may have delivered that one first, and the
    target now holds the older verdict. So the address is marked for the next sweep, which
    propagates its verdict once more.
    """
    with write(engine) as connection:
        if connection.execute(sa.delete(outbox).where(_is_unchanged(row))).rowcount == 0:
            connection.execute(
                sa.update(addresses)
                .where(addresses.c.address == row.address)
                .values(struck_off=sa.not_(suppressed_at(now)))
            )


def postpone(engine: sa.Engine, row: sa.Row[Any], due_at: datetime, problem: str) -> None:
    """Postpone an entry to `due_at` after a failed delivery; `problem` is kept with it."""
    values = {"attempts": row.attempts + 1, "due_at": due_at, "problem": problem}
    with write(engine) as connection:
        connection.execute(sa.update(outbox).where(_is_unchanged(row)).values(values))


def waiting(engine: sa.Engine) -> list[Mapping[str, Any]]:
    """Count the waiting entries of each target and problem, the one due first at the beginning.

    Raises:
        StoreError: the database can't answer.
    """
    query = (
        sa.select(
            outbox.c.target,
            outbox.c.problem,
            sa.func.count().label("entries"),
            sa.func.max(outbox.c.attempts).label("attempts"),
            sa.func.min(outbox.c.due_at, type_=UtcDateTime).label("due_at"),
        )
        .group_by(outbox.c.target, outbox.c.problem)
        .order_by("due_at")
    )
    with translated("the outbox can't be read"), engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _is_unchanged(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """The condition that no newer entry has replaced the one that was read."""
    return sa.and_(
        outbox.c.target == row.target,
        outbox.c.address == row.address,
        outbox.c.version == row.version,
    )
