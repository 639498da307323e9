"""Strikes addresses off the sender's own tables, by the sender's own SQL.

The statements run in the transaction that records the feedback: either both are kept or
neither. Values are bound, never pasted.
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
    """What a statement may name: `:address`, `:original`, `:reason`, and so on."""

    address: str
    original: str
    reason: str | None
    kind: str | None
    occurred_at: str | None
    why: str


_VERBS = ("UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE")
_ALLOWED = frozenset(Parameters.__annotations__)


class Outcome(NamedTuple):
    """What running a statement for some addresses did.

    Attributes:
        rows: how many rows it changed.
        rejected: the addresses for which the database rejected it, with its words.
    """

    rows: int
    rejected: dict[str, str]


class StrikeOff:
    """The statements for addresses that become suppressed, and for those that cease to be.

    Each may be several: a JSON list of statements, which are run in this order.
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
        """Have the database compile the statements without running them.

        Raises:
            StrikeOffError: a table or column is missing, or it is no SQL.
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
        raise StrikeOffError(f"{variable} is no JSON list of statements: {error}") from None
    return tuple(_statement(variable, each) for each in several)


def _statement(variable: str, sql: str) -> sa.TextClause:
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


def _check(connection: sa.Connection, variable: str, statement: sa.TextClause) -> None:
    nothing = dict.fromkeys(_names(statement))
    try:
        connection.execute(sa.text(f"EXPLAIN {statement.text}"), nothing)
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # the connection is gone, which says nothing of the statement
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
    """All addresses at once; where one is rejected, each within a savepoint of its own."""
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
    """MariaDB takes no time with an offset for its DATETIME; it is UTC in any case."""
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
    # Some drivers can't tell how many rows a statement changed, and say -1.
    return max(0, connection.exec_driver_sql(compiled.sql, rows).rowcount)
