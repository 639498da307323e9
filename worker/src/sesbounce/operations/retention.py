"""Deletes what is old from the log. No verdict changes: it rests on the address's state alone."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.engine import answering, write

_CHUNK = 1000
_DAYS = {"d": 1, "w": 7}


class Pruned(msgspec.Struct, frozen=True):
    """How much was deleted, or would be.

    Attributes:
        before: what was recorded before this moment.
        messages: messages as SES published them.
        events: events in the log.
    """

    before: datetime
    messages: int
    events: int


def age(text: str) -> timedelta:
    """An age in days or weeks: `90d`, `12w`.

    Raises:
        ValueError: it is none, or less than a day.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})([dw])", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is no age: write 90d for days or 12w for weeks")
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


def old(engine: sa.Engine, before: datetime) -> Pruned:
    """How much `prune` would delete.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("nothing was counted"), engine.connect() as connection:
        return Pruned(
            before=before,
            messages=_count(connection, schema.message, before),
            events=_count(connection, schema.event, before),
        )


def prune(engine: sa.Engine, before: datetime) -> Pruned:
    """Delete the messages and events that were recorded before a moment.

    They go in many short transactions, so that workers hardly wait; one that is interrupted is
    taken up again by calling it once more. A event that SES tells again afterwards is recorded
    anew, and is no news to the state of its address.

    Raises:
        StoreError: the database can't be used; what was deleted so far stays deleted.
    """
    with answering("not all was deleted; prune again to go on"):
        return Pruned(
            before=before,
            messages=sum(_chunks(engine, schema.message.c.digest, before)),
            events=sum(_chunks(engine, schema.event.c.id, before)),
        )


def _count(connection: sa.Connection, table: sa.Table, before: datetime) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.recorded_at < before)
    return connection.scalar(query) or 0


def _chunks(engine: sa.Engine, key: sa.Column[Any], before: datetime) -> Iterator[int]:
    """Delete in the order of the primary key; yields how many went in each transaction.

    Each chunk begins where the one before it ended: what is too young is passed but once.
    """
    table = key.table
    old_rows = sa.select(key).where(table.c.recorded_at < before).order_by(key).limit(_CHUNK)
    chunk = old_rows
    while True:
        with write(engine) as connection:
            keys = connection.scalars(chunk).all()
            if keys:
                connection.execute(sa.delete(table).where(key.in_(keys)))
        yield len(keys)
        if len(keys) < _CHUNK:
            return
        chunk = old_rows.where(key > keys[-1])
