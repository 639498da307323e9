"""Opens the database: the engine, and what each kind of database needs to be dependable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.schema import CREATE_SUPPRESSED, metadata

# How long a writer waits for another one, in seconds, unless the URL says `?timeout=`.
_LOCK_TIMEOUT_SECONDS = "30"
_WRITE = "sesbounce_write"


def open_database(url: str, *, must_exist: bool = False) -> sa.Engine:
    """An engine for the database at `url`.

    Args:
        url: a database URL of SQLAlchemy.
        must_exist: refuse to create an SQLite file, for those who only read.

    Raises:
        ConfigurationError: the URL is none, or names a database that is not supported.
        StoreError: the SQLite file is not there.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_URL is not a database URL; for example sqlite:///sesbounce.sqlite3"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"SESBOUNCE_DATABASE_URL names {parsed.drivername}; this version knows sqlite only"
        )
    if must_exist and parsed.database and not Path(parsed.database).exists():
        raise StoreError(
            f"there is no database {parsed.database} yet: set SESBOUNCE_DATABASE_URL to the "
            "worker's, or let `sesbounce run` make it"
        )
    # Parameters are addresses: they stay out of error messages and so out of logs.
    engine = sa.create_engine(
        parsed.update_query_dict({"timeout": parsed.query.get("timeout", _LOCK_TIMEOUT_SECONDS)}),
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def create_tables(engine: sa.Engine) -> None:
    """Make the tables and the view that are not there yet.

    Raises:
        StoreError: the database refused.
    """
    try:
        with write(engine) as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(CREATE_SUPPRESSED)
    except SQLAlchemyError as error:
        raise StoreError(f"the tables can't be made: {cause(error)}") from error


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that will write; committed at the end of the block."""
    with engine.execution_options(**{_WRITE: True}).begin() as connection:
        yield connection


def cause(error: SQLAlchemyError) -> str:
    """The database's own words, without statement and parameters."""
    return str(getattr(error, "orig", None) or error)


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy, not the driver, begins the transactions: see _on_begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A message is deleted from the queue on the strength of a commit: in WAL mode only FULL
    # makes a commit outlive a power failure.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # A transaction that reads before it writes would fail, not wait, if another one wrote in
    # between; taking the write lock at once makes it wait.
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
