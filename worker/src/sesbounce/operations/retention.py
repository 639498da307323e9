"""Deletes old messages and events. No verdict changes: it follows from the state alone."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.engine import answering, write
from sesbounce.store.senders import delete_old

_CHUNK = 1000
_COUNTS_STAY = timedelta(days=400)
_DAYS = {"d": 1, "w": 7}


class Pruned(msgspec.Struct, frozen=True):
    """The numbers of rows that were deleted, or would be.

    Attributes:
        before: rows recorded before this time are deleted.
        messages: messages of SES.
        events: events in the log.
    """

    before: datetime
    messages: int
    events: int


def age(text: str) -> timedelta:
    """Parse an age in days or weeks: `90d`, `12w`.

    Raises:
        ValueError: the text is not an age, or is less than a day.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([dw])", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is not an age: write 90d for days or 12w for weeks")
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


def prunable(engine: sa.Engine, before: datetime) -> Pruned:
    """Count the rows that `prune` would delete.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("the old rows were not counted"), engine.connect() as connection:
        return Pruned(
            before=before,
            messages=_count(connection, schema.message, before),
            events=_count(connection, schema.event, before),
        )


def prune(engine: sa.Engine, before: datetime) -> Pruned:
    """Delete the messages and events that were recorded before a time.

    This takes many short transactions, so that workers hardly wait for it; after an interruption,
    a second call deletes the rest. If SES publishes a deleted event once more, it is recorded as
    new and counted once more, but does not change the state of its address.

    The counts by hour and by day stay for 400 days more: they tell of nobody.

    Raises:
        StoreError: the database can't be used; what was deleted so far stays deleted.
    """
    with answering("not all rows were deleted; a second prune deletes the rest"):
        with write(engine) as connection:
            delete_old(connection, before - _COUNTS_STAY)
        return Pruned(
            before=before,
            messages=sum(_chunks(engine, schema.message.c.digest, before)),
            events=sum(_chunks(engine, schema.event.c.id, before)),
        )


def _count(connection: sa.Connection, table: sa.Table, before: datetime) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.recorded_at < before)
    return connection.scalar(query) or 0


def _chunks(engine: sa.Engine, key: sa.Column[Any], before: datetime) -> Iterator[int]:
    """Delete old rows in the order of their times; yields the number in each transaction.

    Each chunk begins where the one before it ended: until a vacuum, the index also leads to the
    rows that are deleted already.
    """
    recorded_at = key.table.c.recorded_at
    old_rows = sa.select(key, recorded_at).where(recorded_at < before)
    old_rows = old_rows.order_by(recorded_at).limit(_CHUNK)
    chunk = old_rows
    while True:
        with write(engine) as connection:
            rows = connection.execute(chunk).all()
            if rows:
                connection.execute(sa.delete(key.table).where(key.in_([row[0] for row in rows])))
        yield len(rows)
        if len(rows) < _CHUNK:
            return
        chunk = old_rows.where(recorded_at >= rows[-1].recorded_at)
