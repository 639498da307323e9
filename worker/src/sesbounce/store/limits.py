"""Limits how long the sender's statements may take, and how long they wait for a lock.

Each limit holds in the block alone. A limit of the server or the user that is lower stays.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

_LONGEST_LOCK_SECONDS = 3.0
# PostgreSQL looks for deadlocks after one second: a lower limit would hide them.
_SHORTEST_LOCK_SECONDS = 0.1
_SQLITE_STEPS = 100_000
_KNOWN = "sesbounce_limits"


class Budget:
    """The time that one transaction may spend on statements of the sender.

    Attributes:
        seconds: all of the time; also the longest time of a single statement.
    """

    def __init__(self, seconds: float) -> None:
        """Begin to count now."""
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; 0 when the budget is spent."""
        return max(0.0, self._until - time.monotonic())


def stops_statements(dialect: sa.Dialect) -> bool:
    """Whether the database stops a statement that takes too long; MySQL stops only queries."""
    return dialect.name != "mysql" or getattr(dialect, "is_mariadb", False)


def limited(connection: sa.Connection, seconds: float) -> AbstractContextManager[None]:
    """Limit each statement in the block to so many seconds, and its wait for a lock to less.

    Args:
        connection: has begun a savepoint; if the block fails, the caller rolls it back.
        seconds: the longest time of a statement. On SQLite it is the time of the whole block, and
            a statement that is stopped rolls the whole transaction back.
    """
    lock_seconds = max(_SHORTEST_LOCK_SECONDS, min(_LONGEST_LOCK_SECONDS, seconds))
    if connection.dialect.name == "postgresql":
        return _on_postgresql(connection, lock_seconds, seconds)
    if connection.dialect.name == "mysql":
        return _on_mysql(connection, lock_seconds, seconds)
    return _on_sqlite(connection, seconds)


@contextmanager
def _on_postgresql(
    connection: sa.Connection, lock_seconds: float, seconds: float
) -> Iterator[None]:
    """SET LOCAL alone: it ends with the savepoint or the transaction, also behind a pooler."""
    if _KNOWN not in connection.info:
        settings = connection.exec_driver_sql(
            "SELECT name, setting FROM pg_settings WHERE name IN ('lock_timeout', "
            "'statement_timeout')"
        )
        connection.info[_KNOWN] = {row.name: int(row.setting) for row in settings}
    before: dict[str, int] = connection.info[_KNOWN]
    wanted = {"lock_timeout": lock_seconds, "statement_timeout": seconds}
    lower = {name: _lower(before[name], round(value * 1000)) for name, value in wanted.items()}
    connection.exec_driver_sql(_set_local(lower))
    yield
    # A deferred constraint of the sender's must fail here, and not at the commit.
    connection.exec_driver_sql(f"SET CONSTRAINTS ALL IMMEDIATE; {_set_local(before)}")


def _set_local(values: dict[str, int]) -> str:
    return "; ".join(f"SET LOCAL {name} = {value}" for name, value in values.items())


@contextmanager
def _on_mysql(connection: sa.Connection, lock_seconds: float, seconds: float) -> Iterator[None]:
    if _KNOWN not in connection.info:
        names = ["innodb_lock_wait_timeout", "lock_wait_timeout"]
        if stops_statements(connection.dialect):
            names.append("max_statement_time")
        columns = ", ".join(f"@@session.{name} AS {name}" for name in names)
        found = connection.exec_driver_sql(f"SELECT {columns}").mappings().one()
        connection.info[_KNOWN] = dict(found)
    before: dict[str, Any] = connection.info[_KNOWN]
    whole = max(1, round(lock_seconds))
    lower = {name: _lower(value, whole) for name, value in before.items()}
    if "max_statement_time" in before:
        lower["max_statement_time"] = _lower(before["max_statement_time"], seconds)
    connection.exec_driver_sql(_set_session(lower))
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.exec_driver_sql(_set_session(before))


def _set_session(values: dict[str, Any]) -> str:
    return "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in values.items())


@contextmanager
def _on_sqlite(connection: sa.Connection, seconds: float) -> Iterator[None]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  the only driver for SQLite
    until = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > until, _SQLITE_STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _lower(before: Any, wanted: float) -> Any:
    """The lower one of two limits; 0 is no limit."""
    return min(before, wanted) if before else wanted
