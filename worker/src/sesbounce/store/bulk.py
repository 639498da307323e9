"""Statements for many rows at once: compiled by SQLAlchemy, and run past it.

What SQLAlchemy does for each value of each row costs several times what the database does with
it. So a statement is compiled once for each kind of database, the values are converted a column
at a time, by the types of the columns, and the driver gets the rows as tuples.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

Row = Sequence[Any]
# Keys in one query.
_KEYS = 1000


class Positional(NamedTuple):
    """A statement for one kind of database, whose values are bound by their places.

    Attributes:
        sql: as the driver takes it.
        names: of its values, in their order.
    """

    sql: str
    names: Sequence[str]


@lru_cache(maxsize=64)
def positional(statement: sa.ClauseElement, dialect: sa.Dialect) -> Positional:
    """Compile a statement for values in tuples, which is what drivers take fastest."""
    kind: Any = type(dialect)
    by_place = kind(paramstyle="qmark" if dialect.name == "sqlite" else "format")
    compiled: Any = statement.compile(dialect=by_place)
    return Positional(str(compiled), compiled.positiontup)


class Insert:
    """Inserts rows into a table, in the order of the key: two workers never dead-lock.

    Attributes:
        columns: what a row consists of: the table's columns, but for the number that it gets.
    """

    def __init__(
        self, table: sa.Table, key: str, *, latest: str | None = None, replace: Sequence[str] = ()
    ) -> None:
        """Say what becomes of a row whose key is there.

        Args:
            table: where to.
            key: the column that tells rows apart.
            latest: the one column of which the later time is kept.
            replace: the columns that get the new values.
        """
        self.columns = [c.name for c in table.columns if c is not table.autoincrement_column]
        self._table = table
        self._key = key
        self._latest = latest
        self._replaced = replace
        self._by_key = itemgetter(self.columns.index(key))
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, connection: sa.Connection, rows: Iterable[Row]) -> None:
        """Insert rows.

        Args:
            connection: the caller's transaction.
            rows: one for each key, with a value for each of `columns`.
        """
        ordered = sorted(rows, key=self._by_key)
        if not ordered:
            return
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if not compiled:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        connection.exec_driver_sql(compiled.sql, compiled.parameters(ordered))

    def _compile(self, dialect: sa.Dialect) -> "_Compiled":
        by_column = dialect.name == "postgresql"
        statement = self._on_mysql() if dialect.name == "mysql" else self._on_others(dialect)
        if by_column:
            statement = statement.from_select(self.columns, self._unnested())
        else:
            statement = statement.values(dict.fromkeys(self.columns))
        # Inline: whose number a row has got is not asked.
        sql = positional(statement.inline(), dialect).sql
        types = [self._table.c[name].type.dialect_impl(dialect) for name in self.columns]
        converters: list[tuple[int, Callable[[Any], Any]]] = [
            (place, convert)
            for place, kind in enumerate(types)
            if (convert := kind.bind_processor(dialect))
        ]
        # Of lists, psycopg makes text in ten times the time of its binary form.
        return _Compiled(sql.replace("%s::", "%b::"), converters, by_column)

    def _unnested(self) -> sa.Select[Any]:
        """Rows, of a list for each column: to PostgreSQL, many rows are one of these."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  slow, and for it alone

        lists = []
        for name in self.columns:
            kind = self._table.c[name].type
            # A cast to text of so many characters would cut it; the column rejects what is longer.
            plain = kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind
            wide = sa.Text() if isinstance(plain, sa.String) else kind
            lists.append(sa.bindparam(name, type_=postgresql.ARRAY(wide)))
        return sa.select(*map(sa.func.unnest, lists))

    def _on_others(self, dialect: sa.Dialect) -> Any:
        # Only the dialect in use: to import all of them takes longer than many a command.
        statement: Any = import_module(f"sqlalchemy.dialects.{dialect.name}").insert(self._table)
        if self._latest:
            column, later = self._table.c[self._latest], statement.excluded[self._latest]
            return statement.on_conflict_do_update(
                index_elements=[self._key], set_={self._latest: later}, where=column < later
            )
        if self._replaced:
            return statement.on_conflict_do_update(
                index_elements=[self._key],
                set_={name: statement.excluded[name] for name in self._replaced},
            )
        return statement.on_conflict_do_nothing(index_elements=[self._key])

    def _on_mysql(self) -> sa.Insert:
        from sqlalchemy.dialects import mysql  # noqa: PLC0415  slow, and for it alone

        statement = mysql.insert(self._table)
        kept: dict[str, Any] = {name: statement.inserted[name] for name in self._replaced}
        if self._latest:
            column = self._table.c[self._latest]
            kept[self._latest] = sa.func.greatest(column, statement.inserted[self._latest])
        # Not INSERT IGNORE, which would also cut values that do not fit.
        return statement.on_duplicate_key_update(kept or {self._key: self._table.c[self._key]})


class _Compiled(msgspec.Struct, frozen=True):
    """A statement for one kind of database.

    Attributes:
        sql: with placeholders by position.
        converters: of the columns, by their place, that the driver does not take as they are.
        by_column: whether it takes a list for each column, and not a tuple for each row.
    """

    sql: str
    converters: list[tuple[int, Callable[[Any], Any]]]
    by_column: bool

    def parameters(self, rows: Sequence[Row]) -> Any:
        """The rows as the driver takes them."""
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for place, convert in self.converters:
            columns[place] = map(convert, columns[place])
        return tuple(map(list, columns)) if self.by_column else list(zip(*columns, strict=True))


class Find:
    """Finds rows by their keys.

    The statement has one text whatever the number of keys, where the database can: it is
    compiled but once.
    """

    def __init__(self, query: sa.Select[Any], key: sa.Column[str]) -> None:
        """Say what is wanted of rows that have one of the keys in their column `key`."""
        self._query = query.order_by(key)
        self._key = key
        self._queries: dict[str, sa.Select[Any]] = {}

    def __call__(self, connection: sa.Connection, keys: Sequence[str]) -> Iterator[sa.Row[Any]]:
        """The rows, in the order of their keys if that is how these are given."""
        name = connection.dialect.name
        query = self._queries.get(name)
        if query is None:
            query = self._queries[name] = self._query.where(_among(self._key, name))
        for start in range(0, len(keys), _KEYS):
            some: Any = keys[start : start + _KEYS]
            if name == "sqlite":
                some = msgspec.json.encode(some).decode()
            yield from connection.execute(query, {"keys": some})


def _among(column: sa.Column[str], dialect: str) -> sa.ColumnElement[bool]:
    """The condition that a column is one of `:keys`."""
    if dialect == "sqlite":
        listed = sa.func.json_each(sa.bindparam("keys", type_=sa.String))
        return column.in_(sa.select(listed.table_valued("value").c.value))
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  slow, and for it alone

        # Not `= ANY`: where that has no index, or a plan that takes it for small, each row is
        # compared with each key.
        several = sa.func.unnest(sa.bindparam("keys", type_=postgresql.ARRAY(sa.String)))
        return column.in_(sa.select(several.column_valued("key")))
    return column.in_(sa.bindparam("keys", expanding=True, type_=sa.String))
