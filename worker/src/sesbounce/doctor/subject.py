"""The database that the checks look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from sesbounce.settings import Settings
from sesbounce.store.engine import translated


class Database(NamedTuple):
    """The database, opened for reading, the settings, and the time (UTC)."""

    engine: sa.Engine
    settings: Settings
    now: datetime


@contextmanager
def connected(database: Database) -> Iterator[sa.Connection]:
    """A connection to the database; an error is a `StoreError`."""
    with translated("the database can't answer"), database.engine.connect() as opened:
        yield opened
