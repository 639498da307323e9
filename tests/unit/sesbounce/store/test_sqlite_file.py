"""What happens if somebody removes or replaces the file of an SQLite database that is open."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from sesbounce.errors import StoreError
from sesbounce.store.engine import ask, open_database, write


def made(file: Path, value: int) -> None:
    engine = open_database(f"sqlite:///{file}")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t AS SELECT ? AS v", (value,))
    engine.dispose()


def value(engine: sa.Engine) -> int:
    with ask(engine) as connection:
        return int(connection.exec_driver_sql("SELECT v FROM t").scalar_one())


@pytest.mark.parametrize("read_only", [True, False])
def test_another_file_is_read_at_once(tmp_path: Path, read_only: bool) -> None:
    file, other = tmp_path / "a.db", tmp_path / "b.db"
    made(file, 1)
    made(other, 2)
    engine = open_database(f"sqlite:///{file}", read_only=read_only, create=False)
    assert value(engine) == 1
    other.rename(file)
    assert [value(engine), value(engine)] == [2, 2]
    engine.dispose()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_gone_is_an_error_and_not_created(tmp_path: Path, read_only: bool) -> None:
    file, away = tmp_path / "a.db", tmp_path / "b.db"
    made(file, 1)
    engine = open_database(f"sqlite:///{file}", read_only=read_only, create=False)
    assert value(engine) == 1
    file.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError, match="there is no database"):
            value(engine)
    assert not file.exists()
    away.rename(file)
    assert value(engine) == 1
    engine.dispose()


def test_nothing_is_committed_to_a_file_that_nobody_can_find(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    made(file, 1)
    engine = open_database(f"sqlite:///{file}")
    assert value(engine) == 1
    file.unlink()
    with pytest.raises(sa.exc.OperationalError, match="no such table"), write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    engine.dispose()
