"""Opens SQLite databases: commits outlive a power failure, and transactions wait for each other."""

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.store import sqlite_file, sqlite_reading
from sesbounce.store.driver_errors import is_locked

# The options of an execution: whether its transaction writes, and whether it waits for its turn.
WRITE = "sesbounce_write"
WAIT = "sesbounce_wait"
HOW_TO_PERMIT = (
    "let the user of this process enter the database's folder, read the file and, to change the "
    "database, write to both"
)
# How long a writer waits for SQLite's write lock, in seconds, unless the URL says `?timeout=`.
_LOCK_TIMEOUT_SECONDS = "30"
# Between two attempts to get it, in seconds: the longer the writer has waited, the longer.
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


def open_sqlite(
    url: sa.URL, variable: str, options: dict[str, Any], *, read_only: bool, create: bool
) -> sa.Engine:
    """Make an engine for a SQLite database; it opens no connection yet.

    Args:
        url: the URL of the database.
        variable: the setting that holds the URL, for error messages.
        options: the options that engines of all kinds have.
        read_only: neither create the file nor change its settings.
        create: whether to create a file that does not exist.

    Raises:
        ConfigurationError: the URL has an option that can't be used.
        StoreError: the file (if it is not to be created) or its folder does not exist, or this
            user may not enter the folder.
    """
    file = file_of(url.database)
    if file:
        _check_file(file, variable, create=create, read_only=read_only)
    url = url.update_query_dict({"timeout": _LOCK_TIMEOUT_SECONDS} | dict(url.query))
    # What such a connection reads may be what it has found at its beginning: each is used once.
    once = read_only and file is not None and not sqlite_reading.may_change(file)
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool if once else None, **options)
    except ValueError as error:
        raise ConfigurationError(f"{variable} is not a database URL: {error}") from None
    sa.event.listen(engine, "connect", _take_over_transactions)
    sa.event.listen(engine, "begin", _on_begin)
    if file:
        sqlite_file.watch(engine, file, _missing(file, variable), create=create)
    if once:
        sa.event.listen(engine, "do_connect", partial(sqlite_reading.connect, url))
    if not read_only:
        sa.event.listen(engine, "connect", _make_durable)
    return engine


def file_of(database: str | None) -> Path | None:
    """The file of a SQLite database; None for one in memory."""
    if not database or database == ":memory:":
        return None
    if not database.startswith("file:"):
        return Path(database)
    uri = urlsplit(database)  # https://www.sqlite.org/uri.html
    in_memory = uri.path == ":memory:" or "mode=memory" in uri.query.split("&")
    return None if in_memory else Path(unquote(uri.path))


def _missing(file: Path, variable: str) -> str:
    return (
        f"there is no database {file.absolute()}: set {variable} to the URL of the worker's "
        "database, or create one with `sesbounce db upgrade`"
    )


def _check_file(file: Path, variable: str, *, create: bool, read_only: bool) -> None:
    # Of all this SQLite would only report "unable to open".
    try:
        if not create and not file.exists():
            raise StoreError(_missing(file, variable))
        if not read_only and not file.parent.is_dir():
            raise StoreError(
                f"there is no folder {file.parent} for the database: create it, or set "
                f"{variable} to another path"
            )
    except PermissionError as error:
        raise StoreError(
            f"this user may not enter the folder of the database {file.absolute()} "
            f"({error.strerror}): {HOW_TO_PERMIT}"
        ) from error


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
    options = connection.get_execution_options()
    if not options.get(WRITE, False):
        connection.exec_driver_sql("BEGIN")
    else:
        _begin_to_write(connection, wait=options.get(WAIT, True))


def _begin_to_write(connection: sa.Connection, *, wait: bool) -> None:
    """Begin a transaction with the write lock; `wait` for it as long as the URL says."""
    milliseconds = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        _take_write_lock(connection, milliseconds / 1000 if wait else 0.0)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")


def _take_write_lock(connection: sa.Connection, seconds: float) -> None:
    # SQLite itself pauses for longer and longer, up to a tenth of a second. Of two processes that
    # write all the time, each would wait for a lock that nobody has for a quarter of the time.
    began = time.monotonic()
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except OperationalError as error:
            waited = time.monotonic() - began
            if waited >= seconds or not is_locked(error):
                raise
        time.sleep(min(max(_SHORTEST_PAUSE, waited / 10), _LONGEST_PAUSE))
