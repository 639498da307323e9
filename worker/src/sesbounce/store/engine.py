"""Opens the database, with the settings that each kind of database needs to be dependable."""

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

# How long a writer waits for SQLite's write lock, in seconds, unless the URL says `?timeout=`.
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
# Parameters hold addresses: SQLAlchemy keeps them out of error messages, and so out of logs.
_OPTIONS: dict[str, Any] = {"hide_parameters": True}
# The store locks rows one by one before it changes them. MySQL's default isolation level would
# lock the gaps between them as well, and the workers would deadlock.
_ISOLATION: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
# With these a client notices after about half a minute, not hours, that a server has vanished.
# Values in the URL take precedence. (libpq: "Connection control functions"; seconds, except for
# tcp_user_timeout, which is in milliseconds.)
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
    """Make an engine for the database at `url`; it opens no connection yet.

    The caller disposes of the engine.

    Args:
        url: a database URL of SQLAlchemy; the driver may be left out.
        read_only: neither create an SQLite file nor change its settings.
        create: whether to create an SQLite file that does not exist.

    Raises:
        ConfigurationError: the text is not a database URL, or the database is not supported.
        StoreError: the SQLite file (if `read_only`) or its folder does not exist.
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
        _check_folder(file)
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


def _check_folder(file: Path) -> None:
    # SQLite creates the file, but not its folder: it would only report "unable to open".
    if not file.parent.is_dir():
        raise StoreError(
            f"there is no folder {file.parent} for the database: create it, or set "
            "SESBOUNCE_DATABASE_URL to another path"
        )


@contextmanager
def write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a connection and a transaction that writes; the end of the block commits it."""
    with engine.execution_options(**{_WRITE: True}).begin() as connection:
        yield connection


@contextmanager
def translated(problem: str, hint: str = "") -> Iterator[None]:
    """Translate the database's errors in the block into those of sesbounce.

    Args:
        problem: what could not be done; the error message begins with it.
        hint: what to do about it; the error message ends with it.

    Raises:
        RowError: the database rejected the values of a row, and would accept other values.
        ConflictError: the transaction conflicted with another writer's.
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
        raise kind(f"{problem}: {cause(error)}{f'. {hint}' if hint else ''}") from error


def answering(problem: str) -> AbstractContextManager[None]:
    """`translated` for commands that only read, with a hint that the URL may be the wrong one."""
    return translated(problem, "Is SESBOUNCE_DATABASE_URL the worker's database?")


def cause(error: SQLAlchemyError) -> str:
    """The database's error message, without the statement, its parameters and addresses.

    Only the first line is kept: PostgreSQL quotes the values of a row in the others. MySQL quotes
    some of them in the first line, so every address is left out, before a blank or an end of line
    within it could cut it in two.
    """
    first = redact(str(getattr(error, "orig", None) or error)).partition("\n")[0]
    return " ".join("…" if "@" in word else word for word in first.split(" "))


def is_conflict(error: SQLAlchemyError) -> bool:
    """Whether the transaction conflicted with another writer's, so that a retry may succeed.

    PostgreSQL: serialization_failure, deadlock_detected; MySQL: lock wait timeout, deadlock, and
    a missing savepoint, because a deadlock has rolled it back.
    """
    return not _codes(error).isdisjoint({"40001", "40P01", 1205, 1213, 1305})


def is_row_fault(error: SQLAlchemyError) -> bool:
    """Whether the database rejected the values of a row, and would accept other values.

    For some of these errors drivers have no class of their own. PostgreSQL: a trigger's RAISE;
    MySQL: a trigger's SIGNAL, a CHECK, values that do not fit the column's type; MariaDB: a CHECK.
    """
    has_class = isinstance(error, IntegrityError | DataError)
    return has_class or not _codes(error).isdisjoint({"P0001", 1292, 1365, 1411, 1644, 3819, 4025})


def _codes(error: SQLAlchemyError) -> set[object]:
    """The SQLSTATE and MySQL's error number, if the driver reports them."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    number = cause.args[0] if cause and cause.args else None
    return {getattr(cause, "sqlstate", None), number}


def _take_over_transactions(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy begins the transactions, not the driver: see _on_begin.
    connection.isolation_level = None


def _make_durable(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # The worker deletes a message from the queue once its transaction is committed. In WAL mode
    # a commit survives a power failure only with FULL.
    cursor.execute("PRAGMA synchronous = FULL")
    # A batch changes scattered pages of a large database, and many batches change the same ones.
    # With 32 MB of cache SQLite reads such a page once; with a log of 32 MB it copies the page
    # into the database's file once in many batches.
    cursor.execute("PRAGMA cache_size = -32768")
    cursor.execute("PRAGMA wal_autocheckpoint = 8192")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # If another transaction wrote after this one's first read, this one's first write would fail
    # instead of waiting. A transaction that takes the write lock at its beginning waits.
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
