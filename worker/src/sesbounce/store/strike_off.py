"""Strikes addresses off the sender's own tables, by the sender's own SQL.

The statements run in the transaction that records the events: the database keeps both or neither.
Values are bound parameters, never part of the SQL text.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sesbounce.errors import StrikeOffError
from sesbounce.store.bulk import positional
from sesbounce.store.engine import cause, is_row_fault

STRIKE_OFF_VARIABLE = "SESBOUNCE_STRIKE_OFF_SQL"
RESTORE_VARIABLE = "SESBOUNCE_RESTORE_SQL"


class Parameters(TypedDict):
    """The parameters that a statement may use: `:address`, `:original`, `:reason`, and so on."""

    address: str
    original: str
    reason: str | None
    kind: str | None
    occurred_at: str | None
    why: str


_VERBS = ("UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE")
_ALLOWED = frozenset(Parameters.__annotations__)


class Outcome(NamedTuple):
    """The result of running statements for some addresses.

    Attributes:
        rows: how many rows they changed.
        rejected: the database's error message for each address whose statement it rejected.
    """

    rows: int
    rejected: dict[str, str]


class StrikeOff:
    """The strike-off and the restore statements.

    Each text is one statement, or a JSON list of statements that run in this order.

    Raises:
        StrikeOffError: a statement is not one that changes the rows of an address.
    """

    def __init__(self, strike_off_sql: str | None = None, restore_sql: str | None = None) -> None:
        self._strike_off = _statements(STRIKE_OFF_VARIABLE, strike_off_sql)
        self._restore = _statements(RESTORE_VARIABLE, restore_sql)

    @property
    def strikes(self) -> bool:
        """Whether there is a strike-off statement."""
        return bool(self._strike_off)

    @property
    def restores(self) -> bool:
        """Whether there is a restore statement."""
        return bool(self._restore)

    def check(self, connection: sa.Connection) -> None:
        """Let the database compile the statements without running them.

        Raises:
            StrikeOffError: a table or column is missing, or the SQL is wrong.
        """
        for variable, statements in (
            (STRIKE_OFF_VARIABLE, self._strike_off),
            (RESTORE_VARIABLE, self._restore),
        ):
            for statement in statements:
                _check(connection, variable, statement)

    def strike_off(self, connection: sa.Connection, addresses: Sequence[Parameters]) -> Outcome:
        """Run the strike-off statements for each address, in the caller's transaction."""
        return _run(connection, self._strike_off, addresses)

    def restore(self, connection: sa.Connection, addresses: Sequence[Parameters]) -> Outcome:
        """Run the restore statements for each address, in the caller's transaction."""
        return _run(connection, self._restore, addresses)


def _statements(variable: str, sql: str | None) -> tuple[sa.TextClause, ...]:
    text = (sql or "").strip()
    if not text.startswith("["):
        return (_statement(variable, text),) if text else ()
    try:
        several = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError as error:
        raise StrikeOffError(f"{variable} is not a JSON list of statements: {error}") from None
    return tuple(_statement(variable, each) for each in several)


def _statement(variable: str, sql: str) -> sa.TextClause:
    statement = sa.text(sql.strip().rstrip(";"))
    names = _names(statement)
    if unknown := names - _ALLOWED:
        raise StrikeOffError(
            f"{variable} uses :{', :'.join(sorted(unknown))}; "
            f"it may use :{', :'.join(sorted(_ALLOWED))}"
        )
    if statement.text.split(maxsplit=1)[0].upper() not in _VERBS:
        raise StrikeOffError(f"{variable} must change rows: begin it with {' or '.join(_VERBS)}")
    if not names & {"address", "original"}:
        raise StrikeOffError(
            f"{variable} must select the rows of an address: use :address or :original"
        )
    return statement


def _check(connection: sa.Connection, variable: str, statement: sa.TextClause) -> None:
    nothing = dict.fromkeys(_names(statement))
    try:
        connection.execute(sa.text(f"EXPLAIN {statement.text}"), nothing)
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # the connection has broken, which does not mean that the statement is wrong
        raise StrikeOffError(
            f"{variable} does not fit the database: {cause(error)}. "
            "Correct the statement, or create the table first."
        ) from error


def _names(statement: sa.TextClause) -> set[str]:
    return set(statement.compile().params)


def _run(
    connection: sa.Connection,
    statements: Sequence[sa.TextClause],
    addresses: Sequence[Parameters],
) -> Outcome:
    """Run the statements for all addresses at once; if that fails, each in its own savepoint."""
    if not statements or not addresses:
        return Outcome(0, {})
    if connection.dialect.name == "mysql":
        addresses = [_without_offset(address) for address in addresses]
    try:
        return Outcome(_run_all(connection, statements, addresses), {})
    except SQLAlchemyError as error:
        if not is_row_fault(error):
            raise
        if len(addresses) == 1:
            return Outcome(0, {addresses[0]["address"]: cause(error)})
    rows = 0
    rejected: dict[str, str] = {}
    for address in addresses:
        outcome = _run(connection, statements, [address])
        rows += outcome.rows
        rejected |= outcome.rejected
    return Outcome(rows, rejected)


def _without_offset(parameters: Parameters) -> Parameters:
    """Cut the offset off the time, which is UTC: MariaDB rejects one in a value for DATETIME."""
    at = parameters["occurred_at"]
    return {**parameters, "occurred_at": at and at.removesuffix("+00:00")}


def _run_all(
    connection: sa.Connection,
    statements: Sequence[sa.TextClause],
    addresses: Sequence[Parameters],
) -> int:
    with connection.begin_nested():
        return sum(_run_one(connection, statement, addresses) for statement in statements)


def _run_one(
    connection: sa.Connection, statement: sa.TextClause, addresses: Sequence[Parameters]
) -> int:
    compiled = positional(statement, connection.dialect)
    rows = [tuple(map(address.__getitem__, compiled.names)) for address in addresses]
    # Some drivers don't know how many rows a statement changed, and return -1.
    return max(0, connection.exec_driver_sql(compiled.sql, rows).rowcount)
