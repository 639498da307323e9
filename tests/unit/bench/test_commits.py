from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from sesbounce.store.engine import open_database, write
from tests.bench.commits import commits


def insert(engine: sa.Engine, rows: int) -> None:
    with write(engine) as connection:
        for row in range(rows):
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", (row,))


def test_transactions_that_write_are_counted_from_outside(tmp_path: Path) -> None:
    database = tmp_path / "a.sqlite3"
    assert commits(database) == 0
    engine = open_database(f"sqlite:///{database}")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    before = commits(database)
    for _ in range(7):
        insert(engine, rows=3)
    assert commits(database) - before == 7
    engine.dispose()


def test_neither_reading_nor_rolling_back_nor_a_checkpoint_counts(tmp_path: Path) -> None:
    database = tmp_path / "a.sqlite3"
    engine = open_database(f"sqlite:///{database}")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    insert(engine, rows=1)
    before = commits(database)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM t").all()
        connection.rollback()
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        connection.rollback()
    with closing(engine.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA wal_checkpoint")
    assert commits(database) == before
    engine.dispose()
