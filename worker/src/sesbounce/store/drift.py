"""Says in words how the tables of a database differ from those that sesbounce needs.

https://alembic.sqlalchemy.org/en/latest/api/autogenerate.html lists the differences that Alembic
finds: each is what it would do to the database.
"""

from collections.abc import Iterable, Iterator
from typing import Any

_THINGS = {
    "table": "table",
    "index": "index",
    "constraint": "constraint",
    "fk": "foreign key",
    "table_comment": "comment on the table",
}


def in_words(differences: Iterable[Any]) -> Iterator[str]:
    """A sentence for each difference; Alembic groups those of one column."""
    for difference in differences:
        if isinstance(difference, list):
            yield from in_words(difference)
        else:
            yield _sentence(*difference)


def _sentence(action: str, *about: Any) -> str:
    verb, _, thing = action.partition("_")
    if thing == "column":
        _schema, table, column = about
        return f"The table {table} {_has(verb)} the column {column.name} ({column.type})."
    if verb == "modify":
        _schema, table, column, _existing, found, needed = about
        return f"The column {table}.{column} {_modified(thing, found, needed)}."
    what = about[0]
    name = f"{_THINGS.get(thing, thing)} {what.name}"
    if thing == "table":
        return f"The database {_has(verb)} the {name}."
    return f"The table {what.table.name} {_has(verb)} the {name}."


def _has(verb: str) -> str:
    return "lacks" if verb == "add" else "has, and should not have,"


def _modified(what: str, found: Any, needed: Any) -> str:
    match what:
        case "nullable":
            return "takes NULL, and should not" if found else "takes no NULL, and should"
        case _:
            return f"has the {what} {_shown(found)}, and should have {_shown(needed)}"


def _shown(value: Any) -> str:
    """A type or a default; sesbounce gives no column another attribute."""
    return "none" if value is None else str(getattr(value, "arg", value))
