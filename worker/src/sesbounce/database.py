"""Opens the database: the engine, and what each kind of database needs to be dependable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.schema import CREATE_SUPPRESSED, SUPPRESSED, metadata

# How long a writer waits for another one, in seconds, unless the URL says `?timeout=`.
_LOCK_TIMEOUT_SECONDS = "30"
_WRITE = "sesbounce_write"


def open_database(url: str, *, read_only: bool = False) -> sa.Engine:
    """An engine for the database at `url`.

    Args:
        url: a database URL of SQLAlchemy.
        read_only: for those who only ask: neither make a file nor change its settings.

    Raises:
        ConfigurationError: the URL is none, or names a database that is not supported.
        StoreError: the SQLite file is not there.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            raise ConfigurationError(
                f"SESBOUNCE_DATABASE_URL names {parsed.drivername}; this version knows sqlite only"
            )
        # Parameters are addresses: they stay out of error messages and so out of logs.
        engine = sa.create_engine(
            parsed.update_query_dict({"timeout": _LOCK_TIMEOUT_SECONDS} | dict(parsed.query)),
            hide_parameters=True,
        )
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_URL is not a database URL; for example sqlite:///sesbounce.sqlite3"
        ) from None
    if read_only and parsed.database and not Path(parsed.database).exists():
        raise StoreError(
            f"there is no database {parsed.database} yet: set SESBOUNCE_DATABASE_URL to the "
            "worker's, or let `sesbounce run` make it"
        )
    sa.event.listen(engine, "connect", _take_over_transactions)
    sa.event.listen(engine, "begin", _on_begin)
    if not read_only:
        sa.event.listen(engine, "connect", _make_durable)
    return engine


def create_tables(engine: sa.Engine) -> None:
    """Make the tables and the view that are not there yet.

    Raises:
        StoreError: the database refused, or has something else under one of the names.
    """
    try:
        with write(engine) as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(CREATE_SUPPRESSED)
            _refuse_strangers(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"the tables can't be made: {cause(error)}") from error


def _refuse_strangers(connection: sa.Connection) -> None:
    """Make sure that what bears our names is ours: the database may be the sender's own."""
    inspector = sa.inspect(connection)
    for table in metadata.tables.values():
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        if missing := set(table.columns.keys()) - columns:
            raise StoreError(
                f"the database has a table {table.name} that is not sesbounce's (it lacks "
                f"{', '.join(sorted(missing))}): rename it, or give sesbounce another database"
            )
    if SUPPRESSED not in inspector.get_view_names():
        raise StoreError(
            f"the database has a table {SUPPRESSED} where sesbounce needs a view of that name: "
            "rename it, or give sesbounce another database"
        )


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that will write; committed at the end of the block."""
    with engine.execution_options(**{_WRITE: True}).begin() as connection:
        yield connection


def cause(error: SQLAlchemyError) -> str:
    """The database's own words, without statement and parameters."""
    return str(getattr(error, "orig", None) or error)


def _take_over_transactions(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy, not the driver, begins the transactions: see _on_begin.
    connection.isolation_level = None


def _make_durable(connection: sqlite3.Connection, _record: object) -> None:
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
