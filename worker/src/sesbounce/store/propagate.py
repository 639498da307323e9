"""Propagates changed verdicts to the sender's tables and to targets outside of the database.

It runs the sender's statements in the caller's transaction, and writes outbox entries for targets.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.address_rows import AddressRow, unmark_rows
from sesbounce.store.deciding import deciding_events
from sesbounce.store.limits import Budget
from sesbounce.store.outbox import Outbox, OutboxEntry
from sesbounce.store.result import Recorded
from sesbounce.store.statements import Parameters
from sesbounce.store.strike_off import Outcome, StrikeOff


class Changes(NamedTuple):
    """The rows whose verdict the sender's tables do not reflect yet.

    Attributes:
        strike_off: rows to strike off.
        restore: rows to restore.
    """

    strike_off: list[AddressRow]
    restore: list[AddressRow]

    @property
    def struck_off(self) -> dict[str, bool]:
        """The new value of `struck_off` by key, if the database rejects no statement."""
        struck_off = dict.fromkeys((row.key for row in self.strike_off), True)
        return struck_off | dict.fromkeys((row.key for row in self.restore), False)


class Propagated(NamedTuple):
    """What a propagation did.

    Attributes:
        recorded: the numbers.
        pending: the keys of the rows whose statements have not run, for lack of time.
        rejected: the keys of the rows for which the database rejected a statement.
    """

    recorded: Recorded
    pending: list[str]
    rejected: list[str]

    def add(self, rows: Sequence[AddressRow], outcome: Outcome) -> None:
        """Add what the statements for these rows did not do."""
        self.pending.extend(row.key for row in rows if row.address in outcome.pending)
        self.rejected.extend(row.key for row in rows if row.address in outcome.rejected)
        self.recorded.pending = len(self.pending)
        self.recorded.count_rejected(outcome.rejected.values())


class Propagator:
    """Runs the sender's statements, and fills the outbox."""

    def __init__(self, strike_off: StrikeOff, outbox: Outbox) -> None:
        self._strike_off = strike_off
        self._outbox = outbox
        self._strikes = strike_off.strikes or outbox.has_targets
        self._restores = strike_off.restores or outbox.has_targets
        self._uses_event = strike_off.uses_event or outbox.uses_event

    def changes(
        self, rows: Iterable[AddressRow], now: datetime, newly_suppressed: Container[str] = ()
    ) -> Changes:
        """Choose the rows to strike off and to restore at a time.

        A suppressed address is struck off unless `struck_off` says that it is already. One that is
        newly suppressed, or now for good, is struck off in any case: without a restore statement
        the sender may have taken it in again, and some targets keep only suppressions for good.

        Args:
            rows: the rows, with their new verdicts.
            now: the time for which expiring suppressions are judged.
            newly_suppressed: the keys of addresses that are newly suppressed, or now for good.
        """
        changes = Changes([], [])
        for row in rows:
            if row.verdict.suppressed_at(now):
                if self._strikes and (not row.struck_off or row.key in newly_suppressed):
                    changes.strike_off.append(row)
            elif self._restores and row.struck_off:
                changes.restore.append(row)
        return changes

    def propagate(
        self, connection: sa.Connection, changes: Changes, now: datetime, budget: Budget
    ) -> Propagated:
        """Make the changes, in the caller's transaction, as far as the time goes.

        Args:
            connection: has locked the rows and set their `struck_off` to `changes.struck_off`.
            changes: the rows to strike off and to restore.
            now: the current time, at which the outbox entries are due.
            budget: the time for the statements.
        """
        done = Propagated(Recorded(), [], [])
        # An event has just named the address behind a keyed hash: the sweep would not know it.
        strike_off = sorted(changes.strike_off, key=lambda row: not row.plain_address)
        restore = changes.restore
        parameters = self._parameters(connection, [*strike_off, *restore])
        outcome = self._strike_off.strike_off(
            connection, [parameters[row.key] for row in strike_off], budget
        )
        done.recorded.struck_rows = outcome.rows
        done.add(strike_off, outcome)
        self._queue(connection, strike_off, parameters, outcome, now, suppressed=True)
        outcome = self._strike_off.restore(
            connection, [parameters[row.key] for row in restore], budget
        )
        done.recorded.restored_rows = outcome.rows
        done.add(restore, outcome)
        self._queue(connection, restore, parameters, outcome, now, suppressed=False)
        return done

    def _parameters(
        self, connection: sa.Connection, rows: Sequence[AddressRow]
    ) -> dict[str, Parameters]:
        """The parameters of each row, by key; with those of the events where something uses them.

        The hash of a forgotten address has none of these: they would name a mail to it.
        """
        parameters = {row.key: row.parameters() for row in rows}
        if self._uses_event:
            known = [key for key in parameters if not is_forgotten(key)]
            for key, event in deciding_events(connection, known).items():
                parameters[key] = {**parameters[key], **event}
        return parameters

    def _queue(
        self,
        connection: sa.Connection,
        rows: Sequence[AddressRow],
        parameters: Mapping[str, Parameters],
        outcome: Outcome,
        now: datetime,
        *,
        suppressed: bool,
    ) -> None:
        """Write outbox entries, and mark the rows that the next sweep retries."""
        undone = outcome.rejected.keys() | outcome.pending
        if self._outbox.has_targets:
            entries = [
                OutboxEntry(suppressed, row.was_or_is_for_good, parameters[row.key], now)
                for row in rows
                # Targets do not know hashes: a forgotten address gets an entry only if an event
                # has just named it.
                if row.address not in undone and not is_forgotten(row.address)
            ]
            self._outbox.put(connection, entries, now)
        unmark_rows(
            connection,
            [row.key for row in rows if row.address in undone],
            struck_off=not suppressed,
        )

    def pending(self, last: str, now: datetime, limit: int) -> sa.Select[Any]:
        """Select the addresses whose verdict is not propagated yet, in their order.

        Args:
            last: only addresses that come after this one.
            now: the time for which expiring suppressions are judged.
            limit: the maximum number of addresses.
        """
        found = self._pending(last, now)
        return sa.select(found.c.address).order_by(found.c.address).limit(limit)

    def count_pending(self, last: str, now: datetime) -> sa.Select[Any]:
        """Count the addresses that `pending` selects without a limit."""
        return sa.select(sa.func.count()).select_from(self._pending(last, now))

    def _pending(self, last: str, now: datetime) -> sa.Subquery:
        """The addresses whose verdict is not propagated yet.

        There may be millions of addresses, and few of these. So each case has a query of its own,
        which an index answers.
        """
        table = schema.address
        since, until = table.c.suppressed_since, table.c.suppressed_until
        struck_off, not_struck_off = (
            table.c.struck_off == sa.true(),
            table.c.struck_off == sa.false(),
        )
        cases: list[tuple[sa.ColumnElement[bool], ...]] = []
        if self._strikes:
            cases += [
                (not_struck_off, until.is_(None), since.is_not(None)),
                (not_struck_off, until > now),
            ]
        if self._restores:
            cases += [(struck_off, until.is_(None), since.is_(None)), (struck_off, until <= now)]
        if not cases:
            # There is nothing to propagate to: the query only shows that the database answers.
            cases = [(sa.false(),)]
        each = [sa.select(table.c.address).where(*case, table.c.address > last) for case in cases]
        return sa.union_all(*each).subquery()
