"""The place where PostgreSQL keeps a row, by which it finds the row without an index.

A place is valid in the transaction that has locked the row, until that transaction changes it.
https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class PlaceType(sa.types.UserDefinedType[str]):
    """PostgreSQL's type of places."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """Its name."""
        return "tid"


class Place(sa.ColumnElement[str]):
    """The place of a row as a column of a query; null on other databases."""

    inherit_cache = True

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        self.type = PlaceType()


@compiles(Place)
def _null(_place: Place, _compiler: object, **_options: object) -> str:
    return "NULL"


@compiles(Place, "postgresql")
def _ctid(place: Place, compiler: Any, **_options: object) -> str:
    return f"{compiler.preparer.format_table(place.table)}.ctid"
