"""Runs statements for many rows: SQLAlchemy compiles them, the driver gets the rows directly.

SQLAlchemy's work for each value of each row costs several times the database's own work. So this
module compiles a statement once for each kind of database, converts the values column by column
as the columns' types say, and passes the rows to the driver as tuples.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from sesbounce.errors import ConflictError
from sesbounce.store.columns import Words
from sesbounce.store.place import Place, PlaceType

Row = Sequence[Any]
_ConvertColumn = Callable[[Sequence[Any]], Iterable[Any]]


class Positional(NamedTuple):
    """A statement for one kind of database, with placeholders bound by position.

    Attributes:
        sql: the text that the driver executes.
        names: the names of its parameters, in the order of the placeholders.
    """

    sql: str
    names: Sequence[str]


@lru_cache(maxsize=64)
def positional(statement: sa.ClauseElement, dialect: sa.Dialect) -> Positional:
    """Compile a statement for values in tuples, which drivers process fastest."""
    kind: Any = type(dialect)
    by_place = kind(paramstyle="qmark" if dialect.name == "sqlite" else "format")
    compiled: Any = statement.compile(dialect=by_place)
    return Positional(str(compiled), compiled.positiontup)


class Insert:
    """Inserts rows into a table in the order of their keys, so that two workers never deadlock.

    Attributes:
        columns: the columns that a row has values for: all but an autoincrement column and those
            that were left out.
    """

    def __init__(
        self,
        table: sa.Table,
        *key: str,
        greatest: Sequence[str] = (),
        widest: str | None = None,
        replace: Sequence[str] = (),
        add: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> None:
        """Define the statement; by default it skips a row whose key is in the table already.

        Args:
            table: the table.
            key: a unique column, or columns that are unique together.
            greatest: columns; if the key exists, the row keeps the greater of both values in each
                of these, and a value rather than none.
            widest: a column of texts; if the key exists, the row keeps the lower of both texts,
                and null if either is null.
            replace: columns; if the key exists, the row gets the new values of these.
            add: columns of numbers; if the key exists, the new values are added to the row's.
            without: columns that a new row has no value for, and a row whose key exists keeps.
        """
        self.columns = [
            column.name
            for column in table.columns
            if column is not table.autoincrement_column and column.name not in without
        ]
        self._table = table
        self._key = key
        self._greatest = greatest
        self._widest = widest
        self._replace = replace
        self._add = add
        self._by_key = itemgetter(*map(self.columns.index, key))
        self._compiled: dict[str, _Compiled] = {}
        self._change: _Compiled | None = None

    def __call__(self, connection: sa.Connection, rows: Iterable[Row]) -> int | None:
        """Insert rows.

        Args:
            connection: the caller's transaction.
            rows: at most one for each key, with a value for each of `columns`.

        Returns:
            How many rows were inserted or changed; None on MySQL, which counts in another way.
        """
        return self.send(connection, self.ready(connection.dialect, rows))

    def ready(self, dialect: sa.Dialect, rows: Iterable[Row]) -> Sequence[Row]:
        """Sort rows by their keys, and convert their values for the driver.

        Args:
            dialect: the kind of database.
            rows: at most one for each key, with a value for each of `columns`.
        """
        return self._for(dialect).converted(sorted(rows, key=self._by_key))

    def send(self, connection: sa.Connection, rows: Sequence[Row]) -> int | None:
        """Insert rows that are ready; see `ready`. It returns the same as a call."""
        if not rows:
            return 0
        dialect = connection.dialect
        compiled = self._for(dialect)
        result = connection.exec_driver_sql(compiled.sql, compiled.parameters(rows))
        return None if dialect.name == "mysql" else result.rowcount

    def change(self, connection: sa.Connection, places: Sequence[str], rows: Sequence[Row]) -> None:
        """Do what a call does to rows that are in the table already; on PostgreSQL.

        It needs no index to find the rows, which saves half of the server's time.

        Args:
            connection: the caller's transaction, which has locked the rows.
            places: where they are; see `Place`.
            rows: as for a call.

        Raises:
            ConflictError: a row is no longer at its place.
        """
        if not rows:
            return
        if not self._change:
            self._change = self._compile_change(connection.dialect)
        chosen = itemgetter(*map(self.columns.index, self._changed))
        values = [(place, *chosen(row)) for place, row in zip(places, rows, strict=True)]
        parameters = self._change.parameters(self._change.converted(values))
        if connection.exec_driver_sql(self._change.sql, parameters).rowcount != len(rows):
            raise ConflictError("another transaction has changed rows that this one has locked")

    def _for(self, dialect: sa.Dialect) -> "_Compiled":
        compiled = self._compiled.get(dialect.name)
        if not compiled:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: sa.Dialect) -> "_Compiled":
        by_column = dialect.name == "postgresql"
        statement = self._on_mysql() if dialect.name == "mysql" else self._on_others(dialect)
        if by_column:
            new = sa.select(*map(self._unnested, self.columns))
            statement = statement.from_select(self.columns, new)
        else:
            statement = statement.values(dict.fromkeys(self.columns))
        # Inline: the statement does not return the autoincrement column's new values.
        sql = positional(statement.inline(), dialect).sql
        return _Compiled(_in_binary(sql), self._converters(self.columns, dialect), by_column)

    @property
    def _changed(self) -> Sequence[str]:
        """The columns that a row whose key exists gets new values of, for `change`."""
        return [*self._replace, *self._greatest]

    def _compile_change(self, dialect: sa.Dialect) -> "_Compiled":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  slow, and for it alone

        texts = sa.bindparam("place", type_=postgresql.ARRAY(sa.Text()))
        places = sa.func.unnest(sa.cast(texts, postgresql.ARRAY(PlaceType())))
        values = (self._unnested(name).label(name) for name in self._changed)
        new = sa.select(places.label("place"), *values).subquery("new")
        statement = (
            sa.update(self._table)
            .values(self._new_values(new.c, dialect.name))
            .where(Place(self._table) == new.c.place)
        )
        # The places come first, and need no conversion.
        converters = [(n + 1, each) for n, each in self._converters(self._changed, dialect)]
        return _Compiled(_in_binary(positional(statement, dialect).sql), converters, by_column=True)

    def _converters(
        self, names: Sequence[str], dialect: sa.Dialect
    ) -> list[tuple[int, _ConvertColumn]]:
        """Position and converter of each column whose values may need a conversion."""
        types = [self._table.c[name].type.dialect_impl(dialect) for name in names]
        return [
            (place, _of_column(kind, convert))
            for place, kind in enumerate(types)
            if (convert := kind.bind_processor(dialect))
        ]

    def _unnested(self, name: str) -> sa.ColumnElement[Any]:
        """The values of a column from one array: PostgreSQL's way to pass many rows."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  slow, and for it alone

        kind = self._table.c[name].type
        # A cast to VARCHAR(n) would cut the text; the column itself rejects a longer one.
        plain = kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind
        wide = sa.Text() if isinstance(plain, sa.String) else kind
        return sa.func.unnest(sa.bindparam(name, type_=postgresql.ARRAY(wide)))

    def _on_others(self, dialect: sa.Dialect) -> Any:
        # Only the dialect in use: to import all of them takes longer than many a command.
        statement: Any = import_module(f"sqlalchemy.dialects.{dialect.name}").insert(self._table)
        values = self._new_values(statement.excluded, dialect.name)
        if values:
            return statement.on_conflict_do_update(index_elements=self._key, set_=values)
        return statement.on_conflict_do_nothing(index_elements=self._key)

    def _new_values(
        self, inserted: ReadOnlyColumnCollection[str, Any], dialect: str
    ) -> dict[str, sa.ColumnElement[Any]]:
        """The new values, by column, of a row whose key exists."""
        values = {name: inserted[name] for name in self._replace}
        for name in self._greatest:
            values[name] = _greater(self._table.c[name], inserted[name], dialect)
        for name in self._add:
            values[name] = self._table.c[name] + inserted[name]
        if self._widest:
            values[self._widest] = _lower(
                self._table.c[self._widest], inserted[self._widest], dialect
            )
        return values

    def _on_mysql(self) -> sa.Insert:
        from sqlalchemy.dialects import mysql  # noqa: PLC0415  slow, and for it alone

        statement = mysql.insert(self._table)
        values = self._new_values(statement.inserted, "mysql")
        # Not INSERT IGNORE, which would also cut values that do not fit their columns.
        own = {name: self._table.c[name] for name in self._key}
        return statement.on_duplicate_key_update(values or own)


def _in_binary(sql: str) -> str:
    """The statement with arrays in their binary form, which takes psycopg a tenth of the time."""
    return sql.replace("%s::", "%b::")


def _of_column(kind: sa.types.TypeEngine[Any], convert: Callable[[Any], Any]) -> _ConvertColumn:
    """A function that converts all values of a column."""

    def each(values: Sequence[Any]) -> Iterable[Any]:
        # Many rows have the same words and times. A look-up is cheaper than a conversion.
        converted = {value: convert(value) for value in set(values)}
        return map(converted.__getitem__, values)

    def texts(values: Sequence[Any]) -> Iterable[Any]:
        # Hardly any text holds what `Words` replaces. One search is cheaper than one for each.
        return map(convert, values) if "\0" in "".join(filter(None, values)) else values

    return texts if isinstance(kind, Words) else each


def _lower(own: sa.Column[Any], new: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """The lower of two texts; null if either is null, as a comparison with null is not true."""
    # The same order as Python's, whatever the locale of the database.
    binary = own.collate("C") if dialect == "postgresql" else own
    return sa.case((binary <= new, own), (binary > new, new), else_=sa.null())


def _greater(
    old: sa.ColumnElement[Any], new: sa.ColumnElement[Any], dialect: str
) -> sa.ColumnElement[Any]:
    """The greater of two values, as Python compares them; a value rather than null."""
    compared = new
    if dialect == "postgresql" and isinstance(old.type, Words):
        compared = sa.collate(new, "C")
    return sa.case((sa.or_(old.is_(None), compared > old), new), else_=old)


class _Compiled(msgspec.Struct, frozen=True):
    """An insert statement for one kind of database.

    Attributes:
        sql: the text, with placeholders by position.
        converters: position and converter of each column whose values may need a conversion.
        by_column: whether the driver gets a list for each column instead of a tuple for each row.
    """

    sql: str
    converters: list[tuple[int, _ConvertColumn]]
    by_column: bool

    def converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with values as the driver takes them."""
        values = list(zip(*rows, strict=True))
        columns: list[Iterable[Any]] = [*values]
        for place, convert in self.converters if rows else ():
            columns[place] = convert(values[place])
        return list(zip(*columns, strict=True))

    def parameters(self, rows: Sequence[Row]) -> Any:
        """The parameters of the statement, from converted rows."""
        return tuple(map(list, zip(*rows, strict=True))) if self.by_column else rows
