"""How a transaction that writes to SQLite waits for the write lock."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from sesbounce.store import sqlite
from sesbounce.store.driver_errors import is_locked
from sesbounce.store.engine import open_database, write


class Clock:
    """A clock that only pauses move; at a time it ends another client's transaction."""

    def __init__(self, other: sqlite3.Connection) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.free_after = float("inf")
        self._other = other

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        if sum(self.pauses) >= self.free_after and self._other.in_transaction:
            self._other.rollback()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def clock(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """While another client writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        clock = Clock(other)
        monkeypatch.setattr(sqlite, "time", clock)
        yield clock


def written(engine: sa.Engine, *, wait: bool = True) -> int:
    """Write; returns SQLite's own time to wait, in milliseconds, in the transaction."""
    with write(engine, wait=wait) as connection:
        return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())


def test_a_writer_begins_soon_after_the_other_one_has_ended(file: Path, clock: Clock) -> None:
    clock.free_after = 1.0
    engine = open_database(f"sqlite:///{file}")
    assert written(engine) == 30_000
    assert clock.pauses[0] == min(clock.pauses) == 0.002
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == max(clock.pauses) == 0.05
    assert sum(clock.pauses) < 1.0 + 0.05
    engine.dispose()


@pytest.mark.parametrize(("query", "seconds"), [("", 30.0), ("?timeout=3", 3.0)])
def test_a_writer_gives_up_when_its_time_is_over(
    file: Path, clock: Clock, query: str, seconds: float
) -> None:
    engine = open_database(f"sqlite:///{file}{query}")
    with pytest.raises(sa.exc.OperationalError) as raised:
        written(engine)
    assert is_locked(raised.value)
    assert seconds <= sum(clock.pauses) <= seconds + 0.05
    clock.free_after = 0.0
    assert written(engine) == seconds * 1000
    engine.dispose()


def test_a_writer_that_does_not_wait_makes_no_pause(file: Path, clock: Clock) -> None:
    engine = open_database(f"sqlite:///{file}")
    with pytest.raises(sa.exc.OperationalError) as raised:
        written(engine, wait=False)
    assert is_locked(raised.value)
    assert not clock.pauses
    engine.dispose()


def test_an_error_that_is_no_lock_is_raised_at_once(tmp_path: Path, clock: Clock) -> None:
    with closing(sqlite3.connect(tmp_path / "b.db")) as other:
        other.execute("PRAGMA journal_mode = WAL")
    (tmp_path / "b.db-wal").mkdir()
    engine = open_database(f"sqlite:///{tmp_path}/b.db", read_only=True)
    with pytest.raises(sa.exc.OperationalError, match="unable to open"):
        written(engine)
    assert not clock.pauses
    engine.dispose()
