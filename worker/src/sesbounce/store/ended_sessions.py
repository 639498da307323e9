"""The table of the sessions of the console that people have ended, which all processes read."""

from datetime import datetime

import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.bulk import Insert
from sesbounce.store.engine import answering, ask, translated, write

_table = schema.ended_session
_insert = Insert(_table, "number")


def end(engine: sa.Engine, number: str, began_at: datetime, oldest: datetime) -> None:
    """Record that a person has ended a session; a second time changes nothing.

    Args:
        engine: the database.
        number: the number of the session.
        began_at: when the session began, UTC.
        oldest: a time, UTC; sessions that began until then have ended by themselves, and their rows
            are deleted.

    Raises:
        StoreError: the database can't be used.
    """
    with translated("the session was not ended"), write(engine) as connection:
        connection.execute(sa.delete(_table).where(_table.c.began_at <= oldest))
        _insert(connection, [(number, began_at)])


def has_ended(engine: sa.Engine, number: str) -> bool:
    """Whether a person has ended a session.

    Raises:
        StoreError: the database can't be used.
    """
    query = sa.select(_table.c.number).where(_table.c.number == number)
    with answering("the sessions can't be read"), ask(engine) as connection:
        return connection.scalar(query) is not None
