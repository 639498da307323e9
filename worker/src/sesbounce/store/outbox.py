"""The outbox: a table of verdicts that targets outside of the database have not got yet.

The transaction that changes an address writes an entry for each target; it replaces an older entry
about the same address. `sesbounce.outbound.relay` claims an entry for a minute, delivers it, and
removes it unless a newer one has replaced it in the meantime. A crash at any point leaves the
entry in the table: each target gets each verdict at least once.

A target is stopped as long as one of its entries is: `due_at` of a stopped entry is `NEVER`.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.store import acts
from sesbounce.store.acts import Act, Done
from sesbounce.store.columns import UtcDateTime
from sesbounce.store.engine import translated, write
from sesbounce.store.schema import address as addresses
from sesbounce.store.schema import outbox, suppressed_at
from sesbounce.store.statements import Parameters

ENTRIES_AT_ONCE = 100
_CLAIM = timedelta(minutes=1)
# In no time zone is it behind the year 9999, the last that Python knows.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class OutboxEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A verdict of one address that a target is to get.

    Attributes:
        suppressed: true to strike the address off, false to restore it.
        for_good: whether the suppression has (or had) no end.
        parameters: the address and its verdict, as for a strike-off statement.
        at: when the verdict was propagated; None in entries of older versions.
        version: the identity of the entry in the outbox: equal in each attempt to deliver it, and
            in each process; the entry of another target or of a newer verdict has another.
    """

    suppressed: bool
    for_good: bool
    parameters: Parameters
    at: datetime | None = None
    version: str = ""


class _Propagated(msgspec.Struct):
    """What `oldest` reads of an entry."""

    at: datetime | None = None


class Waiting(msgspec.Struct, frozen=True):
    """An entry that a target has not got yet.

    Attributes:
        target: the name of the target.
        suppressed: true to strike the address off, false to restore it.
        at: when the verdict was propagated, UTC; None in entries of older versions.
        attempts: the number of attempts to deliver it that failed.
        due_at: when it is attempted next, UTC; None where it is stopped.
        problem: why the last attempt failed.
    """

    target: str
    suppressed: bool
    at: datetime | None
    attempts: int
    due_at: datetime | None
    problem: str | None


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


def read(row: sa.Row[Any]) -> OutboxEntry:
    """The entry of a row that `due` has returned."""
    entry = msgspec.json.decode(row.entry, type=OutboxEntry)
    return msgspec.structs.replace(entry, version=row.version)


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


def stop(engine: sa.Engine, target: str, problem: str) -> int:
    """Stop all entries of a target, so that none is due; `problem` is kept with each.

    Returns:
        The number of entries that were not stopped before.
    """
    with write(engine) as connection:
        return connection.execute(
            sa.update(outbox)
            .where(outbox.c.target == target, outbox.c.due_at < NEVER)
            .values(due_at=NEVER, problem=problem)
        ).rowcount


def stopped(engine: sa.Engine, target: str) -> str | None:
    """Why a target is stopped; None if it is not."""
    with engine.connect() as connection:
        return connection.scalar(
            sa.select(outbox.c.problem)
            .where(outbox.c.target == target, outbox.c.due_at == NEVER)
            .limit(1)
        )


def waiting(engine: sa.Engine) -> list[Mapping[str, Any]]:
    """Count the waiting entries of each target and problem, the one due first at the beginning.

    `due_at` is None for entries that are stopped.

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
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [{**row, "due_at": None if row["due_at"] == NEVER else row["due_at"]} for row in rows]


def oldest(engine: sa.Engine, target: str, most: int = 1000) -> datetime | None:
    """When the verdict was propagated that waits longest for a target, UTC.

    None where no entry waits, where more than `most` do, since all would have to be read, and for
    entries of older versions.

    Raises:
        StoreError: the database can't answer.
    """
    query = sa.select(outbox.c.entry).where(outbox.c.target == target).limit(most + 1)
    with translated("the outbox can't be read"), engine.connect() as connection:
        rows = connection.scalars(query).all()
    if len(rows) > most:
        return None
    times = [msgspec.json.decode(row, type=_Propagated).at for row in rows]
    return min((at for at in times if at), default=None)


def waiting_for(connection: sa.Connection, names: Collection[str]) -> list[Waiting]:
    """The waiting entries of one address, by target.

    Args:
        connection: a connection to the database.
        names: the names of the address in the tables.
    """
    query = sa.select(outbox).where(outbox.c.address.in_(names)).order_by(outbox.c.target)
    found = []
    for row in connection.execute(query):
        entry, due_at = read(row), None if row.due_at == NEVER else row.due_at
        found.append(
            Waiting(row.target, entry.suppressed, entry.at, row.attempts, due_at, row.problem)
        )
    return found


def count_postponed(engine: sa.Engine, targets: Collection[str], now: datetime) -> int:
    """Count the entries that `retry` makes due."""
    query = sa.select(sa.func.count()).where(*_postponed(targets, now))
    with translated("the outbox can't be read"), engine.connect() as connection:
        return connection.scalar(query) or 0


def retry(engine: sa.Engine, targets: Collection[str], now: datetime, by: str) -> int:
    """Make postponed and stopped entries due; a target of which none is stopped is not stopped.

    Args:
        engine: the database.
        targets: the names of the targets; empty means all.
        now: the current time.
        by: the person who decides, for the audit.

    Returns:
        The number of entries.

    Raises:
        StoreError: the database can't be used.
    """
    due = sa.update(outbox).where(*_postponed(targets, now)).values(due_at=now)
    done = Done(act=Act.OUTBOX_RETRIED, at=now, by=by, subject=" ".join(sorted(targets)))
    return _change(engine, due, done)


def count(engine: sa.Engine, target: str) -> int:
    """Count the entries of a target."""
    query = sa.select(sa.func.count()).where(outbox.c.target == target)
    with translated("the outbox can't be read"), engine.connect() as connection:
        return connection.scalar(query) or 0


def discard(engine: sa.Engine, target: str, now: datetime, by: str) -> int:
    """Delete the entries of a target that is no more, and return their number.

    Args:
        engine: the database.
        target: the name of the target.
        now: the current time.
        by: the person who decides, for the audit.

    Raises:
        StoreError: the database can't be used.
    """
    deletion = sa.delete(outbox).where(outbox.c.target == target)
    return _change(engine, deletion, Done(act=Act.OUTBOX_DISCARDED, at=now, by=by, subject=target))


def _change(engine: sa.Engine, statement: sa.Update | sa.Delete, done: Done) -> int:
    """Change entries, record who did so, and return the number of entries."""
    with translated("the outbox can't be used"), write(engine) as connection:
        number = connection.execute(statement).rowcount
        if number:
            acts.record(connection, msgspec.structs.replace(done, number=number))
    return number


def _postponed(targets: Collection[str], now: datetime) -> list[sa.ColumnElement[bool]]:
    """The conditions of entries that are due later than at a time."""
    of = [outbox.c.target.in_(sorted(targets))] if targets else []
    return [outbox.c.due_at > now, *of]


def _is_unchanged(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """The condition that no newer entry has replaced the one that was read."""
    return sa.and_(
        outbox.c.target == row.target,
        outbox.c.address == row.address,
        outbox.c.version == row.version,
    )
