"""The outbox: what targets outside of the transaction are still to be told.

The transaction that changes an address writes an entry for each target: the newest takes the
place of an older one of the same address. `sesbounce.outbound.relay` claims an entry for a
minute, delivers it, and removes it unless a newer one has come in the meantime. A crash at any
point leaves the entry: a target may be told twice, and is never left untold.
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
from sesbounce.store.strike_off import Parameters

_CLAIMED_FOR = timedelta(minutes=1)
_MOST_DUE = 100


class OutboxEntry(msgspec.Struct, frozen=True):
    """What one target is to be told of one address.

    Attributes:
        suppressed: true to strike the address off, false to restore it.
        for_good: whether the suppression has (or had) no end.
        parameters: the address and its verdict, as a strike-off statement gets them.
    """

    suppressed: bool
    for_good: bool
    parameters: Parameters


class Outbox:
    """Writes the entries for its targets."""

    def __init__(self, targets: Iterable[str] = ()) -> None:
        """Take the names of the targets."""
        self._targets = sorted(targets)

    @property
    def has_targets(self) -> bool:
        """Whether there is any target."""
        return bool(self._targets)

    def put(self, connection: sa.Connection, entries: Sequence[OutboxEntry], now: datetime) -> None:
        """Write the entries for every target, due at once, in the caller's transaction."""
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
    """The entries for a target that are due, the oldest first, a hundred at most."""
    with engine.connect() as connection:
        return connection.execute(
            sa.select(outbox)
            .where(outbox.c.due_at <= now, outbox.c.target == target)
            .order_by(outbox.c.due_at, outbox.c.address)
            .limit(_MOST_DUE)
        ).all()


def claim(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> bool:
    """Keep an entry from other workers for a minute; false where one of them was faster."""
    with write(engine) as connection:
        claimed = connection.execute(
            sa.update(outbox)
            .where(_is_unchanged(row), outbox.c.due_at == row.due_at)
            .values(due_at=now + _CLAIMED_FOR)
        )
        return claimed.rowcount == 1


def remove(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> None:
    """Remove an entry that has been delivered.

    If a newer one has taken its place, and another worker may have delivered that before, the
    target now holds the older verdict: the next sweep propagates the address once more.
    """
    with write(engine) as connection:
        if connection.execute(sa.delete(outbox).where(_is_unchanged(row))).rowcount == 0:
            connection.execute(
                sa.update(addresses)
                .where(addresses.c.address == row.address)
                .values(struck_off=sa.not_(suppressed_at(now)))
            )


def postpone(engine: sa.Engine, row: sa.Row[Any], due_at: datetime, problem: str) -> None:
    """Have an entry wait until `due_at` after a delivery that failed."""
    values = {"attempts": row.attempts + 1, "due_at": due_at, "problem": problem}
    with write(engine) as connection:
        connection.execute(sa.update(outbox).where(_is_unchanged(row)).values(values))


def waiting(engine: sa.Engine) -> list[Mapping[str, Any]]:
    """How many entries wait for each target and problem, the oldest due first.

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
    """The entry as it was read, unless a newer one has taken its place."""
    return sa.and_(
        outbox.c.target == row.target,
        outbox.c.address == row.address,
        outbox.c.version == row.version,
    )
