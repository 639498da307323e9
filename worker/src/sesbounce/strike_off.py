"""Strikes addresses off the sender's own tables, by the sender's own SQL.

The statements run in the transaction that records the feedback: either both are kept or
neither. Values are bound, never pasted.
"""

from collections.abc import Sequence
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.errors import StrikeOffError


class Parameters(TypedDict):
    """What a statement may name: `:address`, `:original`, `:reason`, and so on."""

    address: str
    original: str
    reason: str | None
    kind: str | None
    occurred_at: str | None
    why: str


_VERBS = ("UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE")
_ALLOWED = frozenset(Parameters.__annotations__)


class StrikeOff:
    """The statements for addresses that become suppressed, and for those that cease to be."""

    def __init__(self, strike_off_sql: str | None = None, restore_sql: str | None = None) -> None:
        self._strike_off = _statement("SESBOUNCE_STRIKE_OFF_SQL", strike_off_sql)
        self._restore = _statement("SESBOUNCE_RESTORE_SQL", restore_sql)

    @property
    def strikes(self) -> bool:
        """Whether there is a strike-off statement."""
        return self._strike_off is not None

    @property
    def restores(self) -> bool:
        """Whether there is a restore statement."""
        return self._restore is not None

    def check(self, connection: sa.Connection) -> None:
        """Have the database compile the statements without running them.

        Raises:
            StrikeOffError: a table or column is missing, or it is no SQL.
        """
        for variable, statement in (
            ("SESBOUNCE_STRIKE_OFF_SQL", self._strike_off),
            ("SESBOUNCE_RESTORE_SQL", self._restore),
        ):
            if statement is None:
                continue
            nothing = dict.fromkeys(_names(statement))
            try:
                connection.execute(sa.text(f"EXPLAIN {statement.text}"), nothing)
            except SQLAlchemyError as error:
                raise StrikeOffError(
                    f"{variable} does not fit the database: {getattr(error, 'orig', error)}. "
                    "Correct the statement, or create the table first."
                ) from error

    def strike_off(self, connection: sa.Connection, addresses: Sequence[Parameters]) -> int:
        """Run the strike-off statement for each address; returns how many rows it changed."""
        return _run(connection, self._strike_off, addresses)

    def restore(self, connection: sa.Connection, addresses: Sequence[Parameters]) -> int:
        """Run the restore statement for each address; returns how many rows it changed."""
        return _run(connection, self._restore, addresses)


def _statement(variable: str, sql: str | None) -> sa.TextClause | None:
    if not sql or not sql.strip():
        return None
    statement = sa.text(sql.strip().rstrip(";"))
    names = _names(statement)
    if unknown := names - _ALLOWED:
        raise StrikeOffError(
            f"{variable} names :{', :'.join(sorted(unknown))}; "
            f"it may name :{', :'.join(sorted(_ALLOWED))}"
        )
    if statement.text.split(maxsplit=1)[0].upper() not in _VERBS:
        raise StrikeOffError(f"{variable} must change rows: it begins with {', '.join(_VERBS)}")
    if not names & {"address", "original"}:
        raise StrikeOffError(f"{variable} must say which row it means: use :address or :original")
    return statement


def _names(statement: sa.TextClause) -> set[str]:
    return set(statement.compile().params)


def _run(
    connection: sa.Connection, statement: sa.TextClause | None, addresses: Sequence[Parameters]
) -> int:
    if statement is None or not addresses:
        return 0
    # Some drivers can't tell how many rows a statement changed, and say -1.
    return max(0, connection.execute(statement, addresses).rowcount)
