"""Tells the sender's tables, and who else is to know, of addresses whose verdict has changed."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.outbox import Note, Outbox
from sesbounce.store.result import Recorded
from sesbounce.store.rows import AddressRow, mark_rows
from sesbounce.store.strike_off import Outcome, StrikeOff


class Wanted(NamedTuple):
    """Of whom the sender's tables are to be told.

    Attributes:
        strike: those to be struck off.
        restore: those to be restored.
    """

    strike: list[AddressRow]
    restore: list[AddressRow]

    @property
    def struck_off(self) -> dict[str, bool]:
        """Whether each has been struck off, once it is told and none is refused."""
        struck = dict.fromkeys((row.key for row in self.strike), True)
        return struck | dict.fromkeys((row.key for row in self.restore), False)


class Teller:
    """The strike-off statements, and the outbox for those outside of the transaction."""

    def __init__(self, strike_off: StrikeOff, outbox: Outbox) -> None:
        self._strike_off = strike_off
        self._outbox = outbox
        self._strikes = strike_off.strikes or outbox.used
        self._restores = strike_off.restores or outbox.used

    def wanted(
        self, rows: Iterable[AddressRow], now: datetime, anew: Container[str] = ()
    ) -> Wanted:
        """Whom to strike off because they are suppressed, whom to restore because they are not.

        That is, where it has not been done. An address that is suppressed `anew`, or now for
        good, is struck off even where it has been before: without a restore statement nobody has
        told the sender's tables of the time in between, and some want to know only of what is
        for good.
        """
        wanted = Wanted([], [])
        for row in rows:
            if row.verdict.suppressed_at(now):
                if self._strikes and (not row.struck_off or row.key in anew):
                    wanted.strike.append(row)
            elif self._restores and row.struck_off:
                wanted.restore.append(row)
        return wanted

    def tell(self, connection: sa.Connection, wanted: Wanted, now: datetime) -> Recorded:
        """Tell them, in the caller's transaction.

        Args:
            connection: the rows are locked, and marked as if none were going to be refused.
            wanted: whom to strike off and restore.
            now: when what goes through the outbox is due.
        """
        told = Recorded()
        strike, restore = wanted
        outcome = self._strike_off.strike_off(connection, [row.parameters() for row in strike])
        told.struck_rows = outcome.rows
        self._told(connection, strike, outcome, now, told, suppressed=True)
        outcome = self._strike_off.restore(connection, [row.parameters() for row in restore])
        told.restored_rows = outcome.rows
        self._told(connection, restore, outcome, now, told, suppressed=False)
        return told

    def _told(
        self,
        connection: sa.Connection,
        rows: Sequence[AddressRow],
        outcome: Outcome,
        now: datetime,
        told: Recorded,
        *,
        suppressed: bool,
    ) -> None:
        """Note who has been told; those that were refused are told again by the next sweep."""
        if self._outbox.used:
            notes = [
                Note(suppressed, row.told_for_good, row.parameters())
                for row in rows
                # A hash tells others nothing; where the address has just been told, it is named.
                if row.called not in outcome.refused and not is_forgotten(row.called)
            ]
            self._outbox.put(connection, notes, now)
        for problem in outcome.refused.values():
            told.refused[problem] = told.refused.get(problem, 0) + 1
        refused = (row.key for row in rows if row.called in outcome.refused)
        mark_rows(connection, dict.fromkeys(refused, not suppressed))

    def unsettled(self, last: str, now: datetime, limit: int) -> sa.Select[Any]:
        """Addresses of which the sender's tables have been told otherwise than holds now.

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
