"""Sweeps through the pending addresses: a round goes through all of them, as time allows."""

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import NamedTuple

import msgspec

from sesbounce.errors import ConflictError
from sesbounce.store.address_rows import lock_free_rows, mark_rows
from sesbounce.store.conflicts import retry_conflicts
from sesbounce.store.limits import Budget
from sesbounce.store.propagate import Propagated, Propagator
from sesbounce.store.result import Recorded
from sesbounce.store.transactions import Transactions

_AT_ONCE = 1000
_GROWTH = 4


class Progress(NamedTuple):
    """How far a round of sweeps has got, which goes through all pending addresses.

    Attributes:
        done: for how many addresses the statements have run.
        total: how many addresses there were to begin with.
    """

    done: int
    total: int


class _Round(msgspec.Struct):
    """A round of sweeps that has not ended.

    Attributes:
        last: the address after which the next sweep begins.
        size: how many addresses the next transaction takes at most.
        done: the number of addresses that were handled.
        left: the number of addresses that were left when it was last counted.
    """

    last: str = ""
    size: int = _AT_ONCE
    done: int = 0
    left: int = 0


class Sweep:
    """Propagates suppressions that have expired, and verdicts that are still pending."""

    def __init__(self, transactions: Transactions, propagator: Propagator, seconds: float) -> None:
        """Begin without a round.

        Args:
            transactions: the transactions of the database.
            propagator: propagates the verdicts.
            seconds: the time that a transaction, and a sweep, may spend on the statements.
        """
        self._transactions = transactions
        self._propagator = propagator
        self._seconds = seconds
        self._round: _Round | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the sweep has got, if it has not ended: `run` continues it."""
        unfinished = self._round
        if unfinished is None:
            return None
        return Progress(unfinished.done, unfinished.done + unfinished.left)

    def run(self, now: datetime) -> Recorded:
        """Continue the round, or begin one; returns when it has ended, or its time is spent.

        Args:
            now: the time for which expiring suppressions are judged.

        Raises:
            StoreError: the database can't be used.
        """
        swept = Recorded()
        budget = Budget(self._seconds)
        current = self._round or _Round()
        self._round = None
        while self._sweep_some(current, now, swept):
            if not budget.left:
                with self._transactions.reading(
                    "the pending addresses can't be counted"
                ) as connection:
                    query = self._propagator.count_pending(current.last, now)
                    current.left = connection.scalar(query) or 0
                self._round = current
                break
        swept.pending = current.left if self._round else 0
        return swept

    def _sweep_some(self, current: _Round, now: datetime, swept: Recorded) -> bool:
        """Sweep some addresses in one transaction; returns whether there may be more."""
        began = time.monotonic()
        try:
            keys, done = retry_conflicts(partial(self._sweep_from, current, now))
        except ConflictError as error:
            # A statement is in the way each time. One address after the other shows which one.
            if current.size > 1:
                current.size = 1
                return True
            with self._transactions.reading("the pending addresses can't be read") as connection:
                keys = connection.scalars(self._propagator.pending(current.last, now, 1)).all()
            done = Propagated(Recorded(rejected={str(error): 1}), [], [])
        swept.add(done.recorded)
        full = len(keys) == current.size
        if done.pending:
            # The statements are slow. Fewer addresses at once are locked for less time.
            keys = list(takewhile(lambda key: key not in done.pending, keys))
            current.size = max(1, len(keys))
        elif time.monotonic() - began < self._seconds / _GROWTH:
            current.size = min(_AT_ONCE, current.size * _GROWTH)
        current.done += len(keys)
        current.last = keys[-1] if keys else current.last
        return full or bool(done.pending)

    def _sweep_from(self, current: _Round, now: datetime) -> tuple[Sequence[str], Propagated]:
        """Sweep some addresses; returns their keys, in the database's order, and what it did."""
        with self._transactions.writing("expired suppressions were not lifted") as connection:
            query = self._propagator.pending(current.last, now, current.size)
            keys = connection.scalars(query).all()
            # The rows may have changed between the query and the lock. Others may be sweeping as
            # well: a row that is locked is left to them, or to the next round.
            rows = lock_free_rows(connection, keys)
            changes = self._propagator.changes(rows, now)
            budget = Budget(self._seconds)
            done = self._propagator.propagate(connection, changes, now, budget)
            # Not before: a statement that commits the transaction must not leave a mark.
            undone = {*done.pending, *done.rejected}
            marks = {key: mark for key, mark in changes.struck_off.items() if key not in undone}
            mark_rows(connection, marks, now)
        return keys, done
