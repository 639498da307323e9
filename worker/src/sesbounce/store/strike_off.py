"""Strikes addresses off the sender's own tables, by the sender's own SQL.

The statements run in the transaction that records the events: the database keeps both or neither.
Values are bound parameters, never part of the SQL text.

Whatever a statement raises on a connection that still answers is the problem of that address
alone, whatever its error code: a savepoint undoes the statement, and the sweep retries it. Only a
database that can't be used at all, and a conflict with another transaction, concern the batch.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sesbounce.errors import StrikeOffError, TransactionEndedError
from sesbounce.store.bulk import positional
from sesbounce.store.driver_errors import cause, is_conflict, is_unusable
from sesbounce.store.limits import Budget, limited, stops_statements
from sesbounce.store.plans import slow_plan
from sesbounce.store.statements import Parameters, Statement, read_statements

STRIKE_OFF_VARIABLE = "SESBOUNCE_STRIKE_OFF_SQL"
RESTORE_VARIABLE = "SESBOUNCE_RESTORE_SQL"
DEFAULT_SECONDS = 10.0
DOES_NOT_FIT = "Correct the statement, or create the table first."
# After the first address alone has shown how long a statement takes, so many times more at once.
_GROWTH = 16
_SHORTEST_SECONDS = 0.2
_NO_ADDRESSES: frozenset[str] = frozenset()


class Outcome(NamedTuple):
    """The result of running statements for some addresses.

    Attributes:
        rows: how many rows they changed.
        rejected: the database's error message for each address whose statement it rejected.
        pending: the addresses that were left out because the time was spent.
    """

    rows: int
    rejected: dict[str, str]
    pending: frozenset[str] = _NO_ADDRESSES


class _RejectedError(Exception):
    """The database rejected a statement, and a savepoint has undone it."""


class StrikeOff:
    """The strike-off and the restore statements.

    Each text is one statement, or a JSON list of statements that run in this order.

    Attributes:
        seconds: the time that one transaction may spend on statements.

    Raises:
        StrikeOffError: a statement is not one that changes the rows of an address.
    """

    def __init__(
        self,
        strike_off_sql: str | None = None,
        restore_sql: str | None = None,
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        self._strike_off = read_statements(STRIKE_OFF_VARIABLE, strike_off_sql)
        self._restore = read_statements(RESTORE_VARIABLE, restore_sql)
        self.seconds = seconds

    @property
    def strikes(self) -> bool:
        """Whether there is a strike-off statement."""
        return bool(self._strike_off)

    @property
    def restores(self) -> bool:
        """Whether there is a restore statement."""
        return bool(self._restore)

    @property
    def uses_event(self) -> bool:
        """Whether a statement uses a parameter that tells of the event that decided."""
        return any(statement.uses_event for statement in (*self._strike_off, *self._restore))

    def check(self, connection: sa.Connection) -> list[str]:
        """Let the database compile the statements without running them.

        Returns:
            A warning for each statement that reads a large table for every address.

        Raises:
            StrikeOffError: a table or column is missing, or the SQL is wrong.
        """
        warnings = []
        for statement in (*self._strike_off, *self._restore):
            _check(connection, statement)
            if warning := slow_plan(connection, statement):
                warnings.append(warning)
        return warnings

    def strike_off(
        self,
        connection: sa.Connection,
        addresses: Sequence[Parameters],
        budget: Budget | None = None,
    ) -> Outcome:
        """Run the strike-off statements for each address, in the caller's transaction.

        Args:
            connection: the caller's transaction.
            addresses: the parameters of each address.
            budget: the time that is left; None begins one.

        Raises:
            TransactionEndedError: a statement has ended the caller's transaction.
            SQLAlchemyError: the database can't be used, or another transaction is in conflict.
        """
        return _run(connection, self._strike_off, addresses, budget or Budget(self.seconds))

    def restore(
        self,
        connection: sa.Connection,
        addresses: Sequence[Parameters],
        budget: Budget | None = None,
    ) -> Outcome:
        """Run the restore statements for each address, as `strike_off` does."""
        return _run(connection, self._restore, addresses, budget or Budget(self.seconds))


def _check(connection: sa.Connection, statement: Statement) -> None:
    # No database explains a CALL; a wrong one is rejected when it runs.
    if statement.calls and connection.dialect.name != "sqlite":
        return
    nothing = dict.fromkeys(statement.names)
    try:
        connection.execute(sa.text(f"EXPLAIN {statement.clause.text}"), nothing)
    except SQLAlchemyError as error:
        if is_unusable(error):
            raise  # which does not mean that the statement is wrong
        raise StrikeOffError(
            f"{statement.label} does not fit the database: {cause(error)}. {DOES_NOT_FIT}"
        ) from error


def _run(
    connection: sa.Connection,
    statements: Sequence[Statement],
    addresses: Sequence[Parameters],
    budget: Budget,
) -> Outcome:
    """Run the statements for all addresses at once; if that fails, each in its own savepoint."""
    if not statements or not addresses:
        return Outcome(0, {})
    if not budget.left:
        return Outcome(0, {}, _names(addresses))
    if connection.dialect.name == "mysql":
        addresses = [_without_offset(address) for address in addresses]
    if len(addresses) > 1:
        try:
            return _run_together(connection, statements, addresses, budget)
        except _RejectedError:
            pass  # for which address, and why, is found out one by one
    return _run_each(connection, statements, addresses, budget)


def _run_together(
    connection: sa.Connection,
    statements: Sequence[Statement],
    addresses: Sequence[Parameters],
    budget: Budget,
) -> Outcome:
    """Run the statements for many addresses at once, while there is time.

    One slow address among many that are fast may not take the time of all: of several at once,
    each has only its share.

    Raises:
        _RejectedError: nothing was changed.
    """
    rows = done = 0
    size = 1
    with _savepoint(connection):
        while done < len(addresses) and (budget.left or not done):
            some = addresses[done : done + size]
            began = time.monotonic()
            share = max(budget.seconds / len(some), min(_SHORTEST_SECONDS, budget.seconds))
            if connection.dialect.name == "sqlite":
                share = budget.seconds  # it is the limit of all of them
            with limited(connection, share):
                rows += sum(_execute(connection, statement, some) for statement in statements)
            done += len(some)
            each = (time.monotonic() - began) / len(some)
            growth = _GROWTH * size if stops_statements(connection.dialect) else _GROWTH
            size = max(1, min(growth, int(budget.left / max(each, 1e-6))))
    return Outcome(rows, {}, _names(addresses[done:]))


def _run_each(
    connection: sa.Connection,
    statements: Sequence[Statement],
    addresses: Sequence[Parameters],
    budget: Budget,
) -> Outcome:
    """Run the statements for one address after the other, while there is time; for one at least."""
    rows = 0
    rejected: dict[str, str] = {}
    for number, address in enumerate(addresses):
        if number and not budget.left:
            return Outcome(rows, rejected, _names(addresses[number:]))
        label = statements[0].label
        try:
            changed = 0
            with _savepoint(connection), limited(connection, budget.seconds):
                for statement in statements:
                    label = statement.label
                    changed += _execute(connection, statement, [address])
            rows += changed
        except _RejectedError as error:
            rejected[address["address"]] = f"{label}: {error}"
    return Outcome(rows, rejected)


@contextmanager
def _savepoint(connection: sa.Connection) -> Iterator[None]:
    """Run the block in a savepoint, and undo it if a statement fails.

    Raises:
        _RejectedError: a statement failed; the caller's transaction can go on.
        TransactionEndedError: a statement has ended the caller's transaction.
        SQLAlchemyError: the database can't be used, or another transaction is in conflict.
    """
    savepoint = connection.begin_nested()
    try:
        yield
        savepoint.commit()
    except (DBAPIError, UnicodeError) as error:
        if is_unusable(error) or is_conflict(error):
            raise
        ended = TransactionEndedError(f"a statement has ended the transaction: {cause(error)}")
        if not savepoint.is_active:  # it was gone at its end
            raise ended from error
        try:
            savepoint.rollback()
        except DBAPIError as second:
            if is_unusable(second):
                raise
            raise ended from error
        raise _RejectedError(cause(error)) from error


def _execute(
    connection: sa.Connection, statement: Statement, addresses: Sequence[Parameters]
) -> int:
    compiled = positional(statement.clause, connection.dialect)
    rows = [tuple(map(address.get, compiled.names)) for address in addresses]
    # Some drivers don't know how many rows a statement changed, and return -1.
    return max(0, connection.exec_driver_sql(compiled.sql, rows).rowcount)


def _names(addresses: Sequence[Parameters]) -> frozenset[str]:
    return frozenset(address["address"] for address in addresses)


def _without_offset(parameters: Parameters) -> Parameters:
    """Cut the offset off the time, which is UTC: MariaDB rejects one in a value for DATETIME."""
    at = parameters["occurred_at"]
    return {**parameters, "occurred_at": at and at.removesuffix("+00:00")}
