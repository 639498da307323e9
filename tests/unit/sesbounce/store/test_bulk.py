from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from sesbounce.feedback.kind import Kind
from sesbounce.store.bulk import Insert
from sesbounce.store.columns import Key, UtcDateTime, Word, Words
from sesbounce.store.find import Find
from sesbounce.store.schema import metadata

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
thing = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", Key, unique=True),
    sa.Column("at", UtcDateTime),
    sa.Column("kind", Word),
    sa.Column("text", Words),
    sa.Column("flag", sa.Boolean),
)


@pytest.fixture
def connection(engine: sa.Engine) -> Any:
    with engine.connect() as connection:
        thing.create(connection)
        yield connection


def rows(connection: sa.Connection) -> list[tuple[Any, ...]]:
    columns = (thing.c.key, thing.c.at, thing.c.kind, thing.c.text, thing.c.flag)
    return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(thing.c.id))]


def test_values_are_converted_as_the_columns_say_and_rows_are_in_order(
    connection: sa.Connection,
) -> None:
    insert = Insert(thing, "key")
    assert insert.columns == ["key", "at", "kind", "text", "flag"]
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    insert(connection, [("b", tokyo, Kind.BOUNCE, "nul\0", True), ("a", None, None, None, None)])
    assert rows(connection) == [
        ("a", None, None, None, None),
        ("b", AT, "bounce", "nul\N{REPLACEMENT CHARACTER}", True),
    ]


def test_times_are_written_as_sqlalchemy_writes_them(connection: sa.Connection) -> None:
    Insert(thing, "key")(connection, [("a", AT, None, None, None)])
    written = connection.exec_driver_sql("SELECT at FROM thing").scalar_one()
    stored = sa.DateTime().dialect_impl(connection.dialect).bind_processor(connection.dialect)
    assert stored is not None
    assert written == stored(AT)


def test_a_row_that_is_there_stays(connection: sa.Connection) -> None:
    insert = Insert(thing, "key")
    insert(connection, [("a", AT, Kind.BOUNCE, "old", True)])
    insert(connection, [("a", AT, Kind.OPEN, "new", False), ("b", AT, Kind.OPEN, "new", False)])
    assert [(key, text) for key, _, _, text, _ in rows(connection)] == [("a", "old"), ("b", "new")]


def test_the_later_time_is_kept_and_nothing_else(connection: sa.Connection) -> None:
    insert = Insert(thing, "key", greatest=("at",))
    for minutes, text in ((1, "first"), (2, "second"), (0, "third")):
        insert(connection, [("a", AT + timedelta(minutes=minutes), None, text, None)])
    assert rows(connection) == [("a", AT + timedelta(minutes=2), None, "first", None)]


def test_the_greater_text_is_kept_and_any_rather_than_none(connection: sa.Connection) -> None:
    insert = Insert(thing, "key", greatest=("at", "text"))
    for text in (None, "b", "a", "B", None):
        insert(connection, [("a", AT, None, text, None)])
    insert(connection, [("a", None, None, "c", True)])
    assert rows(connection) == [("a", AT, None, "c", None)]


def test_the_columns_to_replace_are_replaced_and_no_others(connection: sa.Connection) -> None:
    insert = Insert(thing, "key", replace=("text", "flag"))
    insert(connection, [("a", AT, Kind.BOUNCE, "old", True)])
    insert(connection, [("a", AT + timedelta(days=1), Kind.OPEN, "new", False)])
    assert rows(connection) == [("a", AT, "bounce", "new", False)]


@pytest.mark.parametrize("table", list(metadata.sorted_tables), ids=str)
def test_no_cast_cuts_what_is_too_long(table: sa.Table) -> None:
    """PostgreSQL refuses what does not fit a column, and cuts what does not fit a cast."""
    key = next(c.name for c in table.columns if c is not table.autoincrement_column)
    dialect = sa.create_engine("postgresql+psycopg://").dialect
    sql = Insert(table, key)._compile(dialect).sql
    assert sql.count("%b::") == len(table.columns) - (table.autoincrement_column is not None)
    assert "VARCHAR" not in sql


def test_nothing_is_inserted_and_nothing_found_of_nothing(connection: sa.Connection) -> None:
    Insert(thing, "key")(connection, [])
    assert list(Find(sa.select(thing), thing.c.key)(connection, [])) == []


def test_any_number_of_keys_is_found_in_their_order(connection: sa.Connection) -> None:
    keys = sorted([*(f"{n:04}" for n in range(2500)), "ü'\"\\%"])
    Insert(thing, "key")(connection, [(key, None, None, None, None) for key in reversed(keys)])
    find = Find(sa.select(thing.c.key), thing.c.key)
    assert [row.key for row in find(connection, [*keys, "~"])] == keys
    assert [row.key for row in find(connection, ["0007", "x"])] == ["0007"]
