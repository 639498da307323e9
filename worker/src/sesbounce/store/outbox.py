"""Tells those outside of the transaction: what they must be told is kept until they have it.

A note for a target is written in the transaction that changes an address, one for each target
and address: the newest takes the place of an older one. Whoever delivers it claims it for a
minute, delivers, and removes the note unless a newer one has come in the meantime. A crash at
any point leaves the note, so that targets may be told twice and never not at all.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.errors import DeliveryError, StoreError
from sesbounce.store.columns import UtcDateTime
from sesbounce.store.engine import cause, write
from sesbounce.store.schema import address as addresses
from sesbounce.store.schema import outbox, suppressed_at
from sesbounce.store.strike_off import Parameters

_CLAIMED_FOR = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)
_AT_ONCE = 100


class Note(msgspec.Struct, frozen=True):
    """What one target is to be told of one address.

    Attributes:
        suppressed: true to strike it off, false to restore it.
        for_good: whether the suppression has (or had) no end.
        parameters: the address and its verdict, as a strike-off statement would get them.
    """

    suppressed: bool
    for_good: bool
    parameters: Parameters


class Target(Protocol):
    """Somebody outside of the transaction: another database, SES's own list, a webhook."""

    name: str

    def deliver(self, note: Note) -> None:
        """Tell it; may be called again with the same note.

        Raises:
            DeliveryError: it was not told, and is to be told again later.
        """


class Delivered(msgspec.Struct):
    """What a round of deliveries did, in numbers of notes.

    Attributes:
        delivered: notes that their target has got.
        failed: notes that are to be tried again; by the problem.
    """

    delivered: int = 0
    failed: dict[str, int] = msgspec.field(default_factory=dict)


class Outbox:
    """The notes that wait in the database, and the targets that they are for."""

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        self._targets = {target.name: target for target in targets}

    @property
    def used(self) -> bool:
        """Whether there is any target."""
        return bool(self._targets)

    def put(self, connection: sa.Connection, notes: Sequence[Note], now: datetime) -> None:
        """Write down what every target is to be told, in the caller's transaction."""
        rows = [
            {
                "target": target,
                "address": note.parameters["address"],
                "version": uuid.uuid4().hex,
                "note": msgspec.json.encode(note).decode(),
                "attempts": 0,
                "due_at": now,
                "problem": None,
            }
            for target in sorted(self._targets)
            for note in sorted(notes, key=lambda n: n.parameters["address"])
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

    def deliver(
        self,
        engine: sa.Engine,
        now: Callable[[], datetime],
        stopping: Callable[[], bool] = lambda: False,
    ) -> Delivered:
        """Deliver the notes that are due, a hundred a target at most.

        Args:
            engine: the database.
            now: the clock.
            stopping: asked between two notes whether to leave the rest to a later round.

        Raises:
            StoreError: the database can't be used.
        """
        done = Delivered()
        try:
            for target in sorted(self._targets):
                for row in _due(engine, target, now()):
                    if stopping() or not self._deliver(engine, row, now, done):
                        break
        except SQLAlchemyError as error:
            raise StoreError(f"the outbox can't be used: {cause(error)}") from error
        return done

    def _deliver(
        self,
        engine: sa.Engine,
        row: sa.Row[Any],
        now: Callable[[], datetime],
        done: Delivered,
    ) -> bool:
        """Deliver one note; whether there is a point in going on with its target."""
        if not _claim(engine, row, now()):
            return True  # another worker has it, or a newer one has taken its place
        try:
            self._targets[row.target].deliver(msgspec.json.decode(row.note, type=Note))
        except DeliveryError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  it is told and tried again like any failure
            # Its text may hold an address.
            failure = DeliveryError(f"a fault of ours: {type(error).__name__}")
        else:
            done.delivered += 1
            _forget(engine, row, now())
            return True
        problem = f"{row.target}: {failure}"
        done.failed[problem] = done.failed.get(problem, 0) + 1
        if failure.final:
            _forget(engine, row, now())
        else:
            _put_off(engine, row, now(), str(failure))
        return not failure.unreachable


def _due(engine: sa.Engine, target: str, now: datetime) -> Sequence[sa.Row[Any]]:
    with engine.connect() as connection:
        return connection.execute(
            sa.select(outbox)
            .where(outbox.c.due_at <= now, outbox.c.target == target)
            .order_by(outbox.c.due_at, outbox.c.address)
            .limit(_AT_ONCE)
        ).all()


def _claim(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> bool:
    """Keep a note from other workers for a minute; false where one of them was faster."""
    with write(engine) as connection:
        claimed = connection.execute(
            sa.update(outbox)
            .where(_is(row), outbox.c.due_at == row.due_at)
            .values(due_at=now + _CLAIMED_FOR)
        )
        return claimed.rowcount == 1


def _forget(engine: sa.Engine, row: sa.Row[Any], now: datetime) -> None:
    """Remove a note that has been delivered.

    If a newer one has taken its place, and another worker may have delivered that before, the
    target now holds the older for the truth: the next sweep tells it again.
    """
    with write(engine) as connection:
        if connection.execute(sa.delete(outbox).where(_is(row))).rowcount == 0:
            connection.execute(
                sa.update(addresses)
                .where(addresses.c.address == row.address)
                .values(struck_off=sa.not_(suppressed_at(now)))
            )


def _put_off(engine: sa.Engine, row: sa.Row[Any], now: datetime, problem: str) -> None:
    attempts = row.attempts + 1
    values = {"attempts": attempts, "due_at": now + _wait(attempts), "problem": problem}
    with write(engine) as connection:
        connection.execute(sa.update(outbox).where(_is(row)).values(values))


def waiting(engine: sa.Engine) -> list[Mapping[str, Any]]:
    """How many notes wait for each target and problem, the oldest due first.

    Raises:
        StoreError: the database can't answer.
    """
    query = (
        sa.select(
            outbox.c.target,
            outbox.c.problem,
            sa.func.count().label("notes"),
            sa.func.max(outbox.c.attempts).label("attempts"),
            sa.func.min(outbox.c.due_at, type_=UtcDateTime).label("due_at"),
        )
        .group_by(outbox.c.target, outbox.c.problem)
        .order_by("due_at")
    )
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
    except SQLAlchemyError as error:
        raise StoreError(f"the database can't answer: {cause(error)}") from error


def _is(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """The note as it was claimed, unless a newer one has taken its place."""
    return sa.and_(
        outbox.c.target == row.target,
        outbox.c.address == row.address,
        outbox.c.version == row.version,
    )


def _wait(attempts: int) -> timedelta:
    """Twice as long each time, an hour at most, and a little by chance: not all at once again."""
    longest = min(timedelta(seconds=2.0 ** min(attempts, 20)), _LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  no secret
