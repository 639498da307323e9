"""Opens the database: the engine, and what each kind of database needs to be dependable."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from sesbounce.errors import ConfigurationError, ConflictError, RowError, StoreError
from sesbounce.privacy.redaction import redact

# How long a writer waits for another one, in seconds, unless the URL says `?timeout=`.
_LOCK_TIMEOUT_SECONDS = "30"
_WRITE = "sesbounce_write"

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
# Parameters are addresses: they stay out of error messages and so out of logs.
_OPTIONS: dict[str, Any] = {"hide_parameters": True}
# Rows are locked one by one before they are changed; MySQL's own default would lock the gaps
# between them as well, and have the workers dead-lock.
_ISOLATION: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
# A server that has vanished without a word is noticed after about half a minute, not hours. What
# the URL says itself holds. (libpq: "Connection control functions"; seconds, and milliseconds.)
_TIMEOUTS = {
    "postgresql+psycopg": {
        "connect_timeout": "10",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "4",
        "tcp_user_timeout": "30000",
    },
    "mysql+pymysql": {"connect_timeout": "10"},
}


def open_database(url: str, *, read_only: bool = False, create: bool = True) -> sa.Engine:
    """An engine for the database at `url`; nothing is connected yet.

    Args:
        url: a database URL of SQLAlchemy; the driver may be left out.
        read_only: for those who only ask: neither make a file nor change its settings.
        create: whether to create a SQLite file that is not there.

    Raises:
        ConfigurationError: the URL is none, or names a database that is not supported.
        StoreError: the SQLite file is not there; or, to write, not even its folder.
    """
    try:
        parsed = sa.make_url(url)
        driver = _DRIVERS.get(parsed.drivername)
        if driver is None:
            raise ConfigurationError(
                f"SESBOUNCE_DATABASE_URL names {parsed.drivername}; it should begin with sqlite, "
                "postgresql or mysql"
            )
        parsed = parsed.set(drivername=driver)
        if driver == "sqlite":
            return _open_sqlite(parsed, read_only=read_only, create=create and not read_only)
        for name, value in _TIMEOUTS[driver].items():
            if name not in parsed.query:
                parsed = parsed.update_query_dict({name: value})
        return sa.create_engine(parsed, pool_pre_ping=True, **_OPTIONS, **_ISOLATION)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_URL is not a database URL; for example sqlite:///sesbounce.sqlite3"
            " or postgresql://user:password@host/database"
        ) from None


def _open_sqlite(url: sa.URL, *, read_only: bool, create: bool) -> sa.Engine:
    file = _file_of(url.database)
    if file and not create and not file.exists():
        raise StoreError(
            f"there is no database {file.absolute()}: set SESBOUNCE_DATABASE_URL to the URL of "
            "the worker's database, or create one with `sesbounce db upgrade`"
        )
    if file and not read_only:
        _demand_folder(file)
    timeout = {"timeout": _LOCK_TIMEOUT_SECONDS}
    engine = sa.create_engine(url.update_query_dict(timeout | dict(url.query)), **_OPTIONS)
    sa.event.listen(engine, "connect", _take_over_transactions)
    sa.event.listen(engine, "begin", _on_begin)
    if not read_only:
        sa.event.listen(engine, "connect", _make_durable)
    return engine


def _file_of(database: str | None) -> Path | None:
    """The file of a SQLite database; None for one in memory."""
    if not database or database == ":memory:":
        return None
    if not database.startswith("file:"):
        return Path(database)
    uri = urlsplit(database)  # https://www.sqlite.org/uri.html
    in_memory = uri.path == ":memory:" or "mode=memory" in uri.query.split("&")
    return None if in_memory else Path(unquote(uri.path))


def _demand_folder(file: Path) -> None:
    # SQLite makes the file, but would say of a folder only that it is "unable to open".
    if not file.parent.is_dir():
        raise StoreError(
            f"there is no folder {file.parent} for the database: make it, or set "
            "SESBOUNCE_DATABASE_URL to another"
        )


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that will write; committed at the end of the block."""
    with engine.execution_options(**{_WRITE: True}).begin() as connection:
        yield connection


@contextmanager
def translated(what: str, hint: str = "") -> Iterator[None]:
    """Turn the database's errors into those of sesbounce: a row's own fault, or everybody's.

    Args:
        what: what was not done; the error begins with it.
        hint: what to do; the error ends with it.

    Raises:
        RowError: the database rejected the values of a row.
        ConflictError: another writer was in the way.
        StoreError: the database can't be used.
    """
    try:
        yield
    except SQLAlchemyError as error:
        kind: type[StoreError] = StoreError
        if is_row_fault(error):
            kind = RowError
        elif is_conflict(error):
            kind = ConflictError
        raise kind(f"{what}: {cause(error)}{f'. {hint}' if hint else ''}") from error


def answering(what: str) -> AbstractContextManager[None]:
    """`translated` for commands that only ask, whose database is easily the wrong one."""
    return translated(what, "Is SESBOUNCE_DATABASE_URL the worker's database?")


def cause(error: SQLAlchemyError) -> str:
    """The database's own words, without statement and parameters.

    The first line alone: in the others PostgreSQL quotes the values of a row. MySQL quotes
    some in the first, so that whatever looks like an address is left out, before a blank or an
    end of line in an address would cut it in two.
    """
    first = redact(str(getattr(error, "orig", None) or error)).partition("\n")[0]
    return " ".join("…" if "@" in word else word for word in first.split(" "))


def is_conflict(error: SQLAlchemyError) -> bool:
    """Whether the database gave way to another writer: the same may succeed at once.

    PostgreSQL: serialization_failure, deadlock_detected; MySQL: lock wait timeout, deadlock, and
    a savepoint that is not there, for a deadlock has taken it along.
    """
    return not _codes(error).isdisjoint({"40001", "40P01", 1205, 1213, 1305})


def is_row_fault(error: SQLAlchemyError) -> bool:
    """Whether the database rejected the values of a row, and would take others.

    Some of that the drivers do not call by its name. PostgreSQL: a trigger's RAISE; MySQL: a
    trigger's SIGNAL, a CHECK, values that fit no column of their type; MariaDB: a CHECK.
    """
    named = isinstance(error, IntegrityError | DataError)
    return named or not _codes(error).isdisjoint({"P0001", 1292, 1365, 1411, 1644, 3819, 4025})


def _codes(error: SQLAlchemyError) -> set[object]:
    """The SQLSTATE and MySQL's error number, as far as the driver tells."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    number = cause.args[0] if cause and cause.args else None
    return {getattr(cause, "sqlstate", None), number}


def _take_over_transactions(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy, not the driver, begins the transactions: see _on_begin.
    connection.isolation_level = None


def _make_durable(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A message is deleted from the queue on the strength of a commit: in WAL mode only FULL
    # makes a commit outlive a power failure.
    cursor.execute("PRAGMA synchronous = FULL")
    # A batch changes a page here and there of a large database, some of them in every batch.
    # These are read but once with room to keep them, and brought into the database's file
    # but once in many batches: 32 MB of memory, and as much of a log.
    cursor.execute("PRAGMA cache_size = -32768")
    cursor.execute("PRAGMA wal_autocheckpoint = 8192")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # A transaction that reads before it writes would fail, not wait, if another one wrote in
    # between; taking the write lock at once makes it wait.
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
