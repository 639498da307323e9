"""Selects rows by many keys, which each kind of database gets as it takes them fastest."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

KEYS_PER_QUERY = 1000
# Between the keys of one statement. No key holds an end of line: `feedback.address.parse` replaces
# it, and all other keys are hexadecimal.
_SEPARATOR = "\n"


def chunks(keys: Sequence[str], size: int | None = None) -> Iterator[Sequence[str]]:
    """Split keys into chunks of a size; by default into those that one query each looks up."""
    size = size or KEYS_PER_QUERY
    return (keys[i : i + size] for i in range(0, len(keys), size))


class Find:
    """Selects rows by their keys.

    On SQLite and PostgreSQL the statement has one parameter for all keys, so that SQLAlchemy
    compiles it once, whatever the number of keys.
    """

    def __init__(self, query: sa.Select[Any], key: sa.Column[str], *, ordered: bool = True) -> None:
        """Define the query.

        Args:
            query: what it selects.
            key: the column that is compared with the keys.
            ordered: whether the rows come in the order of the keys. Otherwise no key may be given
                twice, and the databases take a seventh less time.
        """
        self._query = query.order_by(key) if ordered else query
        self._condition = _among if ordered else _equal
        self._key = key
        self._queries: dict[str, sa.Select[Any]] = {}

    def __call__(self, connection: sa.Connection, keys: Sequence[str]) -> Iterator[sa.Row[Any]]:
        """Yield the rows; in the order of the keys, if these are sorted."""
        for chunk in chunks(keys):
            yield from self.at_once(connection, chunk)

    def at_once(self, connection: sa.Connection, keys: Sequence[str]) -> sa.CursorResult[Any]:
        """Select the rows in a single query."""
        dialect = connection.dialect.name
        query = self._queries.get(dialect)
        if query is None:
            query = self._query.where(self._condition(self._key, dialect))
            self._queries[dialect] = query
        return connection.execute(query, {"keys": _as_parameter(keys, dialect)})


def _as_parameter(keys: Sequence[str], dialect: str) -> Sequence[str] | str:
    """All keys as the one value that the database takes apart."""
    match dialect:
        case "sqlite":
            return msgspec.json.encode(keys).decode()
        case "postgresql":
            return _SEPARATOR.join(keys)
        case _:
            return keys


def _among(column: sa.Column[str], dialect: str) -> sa.ColumnElement[bool]:
    """The condition that a column is one of `:keys`."""
    if dialect == "mysql":
        return column.in_(sa.bindparam("keys", expanding=True, type_=sa.String))
    return column.in_(sa.select(_listed(dialect)))


def _equal(column: sa.Column[str], dialect: str) -> sa.ColumnElement[bool]:
    """The condition that joins the table with `:keys`, where the database can make them rows."""
    return _among(column, dialect) if dialect == "mysql" else column == _listed(dialect)


def _listed(dialect: str) -> sa.ColumnElement[str]:
    """The column of a table that SQLite or PostgreSQL makes of `:keys`.

    As an array of PostgreSQL's own they would take psycopg longer than all else that is done here.
    And not as JSON: what an encoding of PostgreSQL lacks, it could not take out of an escape.
    And not `= ANY`: without an index, or with a plan for few keys, PostgreSQL would compare each
    row with each key.
    """
    keys = sa.bindparam("keys", type_=sa.String)
    if dialect == "sqlite":
        return sa.func.json_each(keys).table_valued("value").c.value
    array = sa.func.string_to_array(keys, sa.literal_column(r"E'\n'"))
    return sa.func.unnest(array, type_=sa.String).column_valued("key")
