"""Propagates changed verdicts to the sender's tables and to targets outside of the database.

It runs the sender's SQL in the caller's transaction, and queues outbox entries for targets.
"""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.outbox import Outbox, OutboxEntry
from sesbounce.store.result import Recorded
from sesbounce.store.rows import AddressRow, mark_rows
from sesbounce.store.strike_off import Outcome, StrikeOff


class Changes(NamedTuple):
    """Which rows the sender's tables do not reflect yet.

    Attributes:
        strike_off: addresses to strike off.
        restore: addresses to restore.
    """

    strike_off: list[AddressRow]
    restore: list[AddressRow]

    @property
    def struck_off(self) -> dict[str, bool]:
        """Whether each address is struck off once the changes are made and none is rejected."""
        struck = dict.fromkeys((row.key for row in self.strike_off), True)
        return struck | dict.fromkeys((row.key for row in self.restore), False)


class Propagator:
    """Runs the strike-off statements, and fills the outbox."""

    def __init__(self, strike_off: StrikeOff, outbox: Outbox) -> None:
        self._strike_off = strike_off
        self._outbox = outbox
        self._strikes = strike_off.strikes or outbox.has_targets
        self._restores = strike_off.restores or outbox.has_targets

    def changes(
        self, rows: Iterable[AddressRow], now: datetime, newly_suppressed: Container[str] = ()
    ) -> Changes:
        """Which of the rows to strike off or to restore at a moment.

        A suppressed address is struck off unless it is already. One that is newly suppressed, or
        now for good, is struck off even then: without a restore statement the sender's tables
        know nothing of the time in between, and some targets only of suppressions for good.
        """
        changes = Changes([], [])
        for row in rows:
            if row.verdict.suppressed_at(now):
                if self._strikes and (not row.struck_off or row.key in newly_suppressed):
                    changes.strike_off.append(row)
            elif self._restores and row.struck_off:
                changes.restore.append(row)
        return changes

    def propagate(self, connection: sa.Connection, changes: Changes, now: datetime) -> Recorded:
        """Make the changes, in the caller's transaction.

        Args:
            connection: the rows are locked, and marked as if no statement were rejected.
            changes: which rows to strike off and to restore.
            now: when the outbox entries are due.
        """
        recorded = Recorded()
        strike, restore = changes
        outcome = self._strike_off.strike_off(connection, [row.parameters() for row in strike])
        recorded.struck_rows = outcome.rows
        self._queue(connection, strike, outcome, now, suppressed=True)
        recorded.count_rejected(outcome.rejected.values())
        outcome = self._strike_off.restore(connection, [row.parameters() for row in restore])
        recorded.restored_rows = outcome.rows
        self._queue(connection, restore, outcome, now, suppressed=False)
        recorded.count_rejected(outcome.rejected.values())
        return recorded

    def _queue(
        self,
        connection: sa.Connection,
        rows: Sequence[AddressRow],
        outcome: Outcome,
        now: datetime,
        *,
        suppressed: bool,
    ) -> None:
        """Queue outbox entries; the next sweep retries the rows that were rejected."""
        if self._outbox.has_targets:
            entries = [
                OutboxEntry(suppressed, row.was_or_is_for_good, row.parameters())
                for row in rows
                # A hash says nothing to a target; where the address is known, it stands for it.
                if row.address not in outcome.rejected and not is_forgotten(row.address)
            ]
            self._outbox.put(connection, entries, now)
        rejected = (row.key for row in rows if row.address in outcome.rejected)
        mark_rows(connection, dict.fromkeys(rejected, not suppressed))

    def pending(self, last: str, now: datetime, limit: int) -> sa.Select[Any]:
        """Addresses whose rows in the sender's tables differ from their verdict.

        Each kind of them has a query of its own, which an index answers: there may be millions
        of addresses, and few of these.

        Args:
            last: only addresses that come after this one.
            now: the moment for which expiring suppressions are judged.
            limit: at most so many.
        """
        table = schema.address
        since, until = table.c.suppressed_since, table.c.suppressed_until
        done, not_done = table.c.struck_off == sa.true(), table.c.struck_off == sa.false()
        kinds: list[tuple[sa.ColumnElement[bool], ...]] = []
        if self._strikes:
            kinds += [(not_done, until.is_(None), since.is_not(None)), (not_done, until > now)]
        if self._restores:
            kinds += [(done, until.is_(None), since.is_(None)), (done, until <= now)]
        if not kinds:
            # Nobody is told; the sweep only shows that the database is there.
            kinds = [(sa.false(),)]
        each = [sa.select(table.c.address).where(*kind, table.c.address > last) for kind in kinds]
        found = sa.union_all(*each).subquery()
        return sa.select(found.c.address).order_by(found.c.address).limit(limit)
