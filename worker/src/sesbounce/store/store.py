"""Records batches of events: log, state, verdict and strike-off in one transaction."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from sesbounce.backoff import pause
from sesbounce.errors import ConflictError
from sesbounce.feedback.extract import Event
from sesbounce.feedback.reason import Effect
from sesbounce.feedback.recording import Recording
from sesbounce.policy.state import State, learn, merge
from sesbounce.policy.verdict import Policy, Verdict, judge
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import forgotten
from sesbounce.store.engine import translated, write
from sesbounce.store.migrate import ensure
from sesbounce.store.outbox import Outbox
from sesbounce.store.propagate import Propagator
from sesbounce.store.result import Recorded
from sesbounce.store.rows import (
    AddressRow,
    insert_events,
    insert_messages,
    known_addresses,
    load_rows,
    lock_rows,
    lock_rows_to_save,
    mark_rows,
    save_rows,
)
from sesbounce.store.strike_off import StrikeOff

_T = TypeVar("_T")

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.2
_SWEPT_AT_ONCE = 1000
# Maps the states of addresses to their new states.
Revision = Callable[[Mapping[str, State]], Mapping[str, State]]
NO_ADDRESSES: Mapping[str, str] = {}


class VerdictChange(msgspec.Struct, frozen=True):
    """The verdict of one address before and after a change of its row."""

    address: str
    before: Verdict
    after: Verdict


class Store:
    """The writing side of the database: records events, and propagates verdicts that change."""

    def __init__(
        self,
        engine: sa.Engine,
        policy: Policy,
        strike_off: StrikeOff,
        outbox: Outbox | None = None,
        hash_keys: HashKeys = NO_KEYS,
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._strike_off = strike_off
        self._propagator = Propagator(strike_off, outbox or Outbox())
        self._hash_keys = hash_keys

    def prepare(self, *, migrate: bool = True) -> None:
        """Update the schema, and check the statements, before the first message is recorded.

        Args:
            migrate: whether the schema may be changed.

        Raises:
            SchemaError: the schema is not at the version needed, and may not be changed.
            StoreError: the database can't be used.
            StrikeOffError: a statement does not fit the sender's tables.
            ConfigurationError: addresses were forgotten under a hash key that is missing here.
        """
        ensure(self._engine, migrate=migrate)
        with self.reading("the statements can't be checked") as connection:
            self._strike_off.check(connection)
            self._hash_keys.require(forgotten.checks(connection))
        if self._hash_keys:
            with translated("the hash keys were not recorded"), write(self._engine) as connection:
                forgotten.make_row(connection)

    def record(self, recordings: Sequence[Recording], now: datetime) -> Recorded:
        """Record a batch in one transaction; when this returns, it is committed.

        Recording the same batch once more changes nothing.

        Args:
            recordings: the batch, in any order, with any repetition.
            now: the time for which expiring suppressions are judged.

        Raises:
            RowError: the database rejected a row; nothing of the batch was recorded.
            StoreError: the database can't be used; nothing of the batch was recorded.
        """
        return retry_conflicts(lambda: self._record(recordings, now))

    @contextmanager
    def reading(self, problem: str) -> Iterator[sa.Connection]:
        """Open a connection to read; `problem` begins the error message if the block fails."""
        with translated(problem), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, problem: str, *, exclusive: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction during which no other transaction forgets an address.

        Args:
            problem: what was not done; it begins the error message if the block fails.
            exclusive: let no other transaction write at all in the meantime.
        """
        with translated(problem), write(self._engine) as connection:
            if self._hash_keys:
                forgotten.lock(connection, self._hash_keys, exclusive=exclusive)
            yield connection

    def known(self, connection: sa.Connection, keys: Iterable[str]) -> set[str]:
        """The addresses among these that have a row."""
        return known_addresses(connection, keys)

    def preview(
        self, connection: sa.Connection, keys: Iterable[str], revision: Revision
    ) -> list[VerdictChange]:
        """The changes that `revise` would make; this locks and changes nothing."""
        known = load_rows(connection, sorted(keys), lock=False)
        return _compared(known, self._revised(known, revision))

    def revise(
        self,
        connection: sa.Connection,
        keys: Iterable[str],
        revision: Revision,
        now: datetime,
        plain_addresses: Mapping[str, str] = NO_ADDRESSES,
    ) -> tuple[Recorded, list[VerdictChange]]:
        """Revise the states of some addresses, judge them, and propagate changed verdicts.

        Args:
            connection: a transaction from `writing`.
            keys: the addresses; each without a row gets one.
            revision: maps the states to the new ones; it is called once the rows are locked.
            now: the time for which expiring suppressions are judged.
            plain_addresses: the addresses behind the keyed hashes of forgotten ones, by hash.
        """
        known = lock_rows(connection, sorted(keys))
        changed = self._revised(known, revision, plain_addresses)
        return self._change(connection, known, changed, now), _compared(known, changed)

    def sweep(self, now: datetime) -> Recorded:
        """Propagate suppressions that have expired.

        The sweep also strikes off addresses that were suppressed before a strike-off statement
        was configured, and retries those for which the database rejected a statement.

        Args:
            now: the time for which expiring suppressions are judged.

        Raises:
            StoreError: the database can't be used.
        """
        swept = Recorded()
        last: str | None = ""
        while last is not None:
            recorded, last = retry_conflicts(partial(self._sweep_from, last, now))
            swept.add(recorded)
        return swept

    def _sweep_from(self, last: str, now: datetime) -> tuple[Recorded, str | None]:
        """Sweep one chunk; returns what it did, and the address after which the next begins."""
        with self.writing("expired suppressions were not lifted") as connection:
            keys = connection.scalars(self._propagator.pending(last, now, _SWEPT_AT_ONCE)).all()
            # The rows may have changed between the query and the lock.
            changes = self._propagator.changes(lock_rows(connection, keys).values(), now)
            mark_rows(connection, changes.struck_off)
            recorded = self._propagator.propagate(connection, changes, now)
        return recorded, keys[-1] if len(keys) == _SWEPT_AT_ONCE else None

    def _record(self, recordings: Sequence[Recording], now: datetime) -> Recorded:
        with self.writing("the batch was not recorded") as connection:
            recordings, plain_addresses = forgotten.hide(connection, self._hash_keys, recordings)
            insert_messages(connection, recordings, now)
            kinds = insert_events(connection, recordings, now)
            events = [event for recording in recordings for event in recording.events]
            recorded = self._merge(connection, events, plain_addresses, now)
        recorded.kinds = kinds
        recorded.events = sum(kinds.values())
        recorded.duplicates = len(events) - recorded.events
        return recorded

    def _merge(
        self,
        connection: sa.Connection,
        events: Iterable[Event],
        plain_addresses: Mapping[str, str],
        now: datetime,
    ) -> Recorded:
        """Merge the events into the states, judge these, and propagate changed verdicts."""
        learned: dict[str, State] = {}
        for event in events:
            if event.effect is not Effect.NONE:  # a state learns nothing from such an event
                key, state = event.address, learn(event)
                learned[key] = merge(learned[key], state) if key in learned else state
        known = lock_rows_to_save(connection, sorted(learned))
        changed: list[AddressRow] = []
        for key, row in known.items():
            state = merge(row.state, learned[key])
            if state != row.state:
                changed.append(
                    row.changed(state, judge(state, self._policy), plain_addresses.get(key, ""))
                )
        return self._change(connection, known, changed, now)

    def _revised(
        self,
        known: Mapping[str, AddressRow],
        revision: Revision,
        plain_addresses: Mapping[str, str] = NO_ADDRESSES,
    ) -> list[AddressRow]:
        changed = []
        states = revision({key: row.state for key, row in known.items()})
        for key, state in sorted(states.items()):
            before, verdict = known[key], judge(state, self._policy)
            if (state, verdict) != (before.state, before.verdict):
                changed.append(before.changed(state, verdict, plain_addresses.get(key, "")))
        return changed

    def _change(
        self,
        connection: sa.Connection,
        known: Mapping[str, AddressRow],
        changed: Sequence[AddressRow],
        now: datetime,
    ) -> Recorded:
        """Save changed rows, and propagate their verdicts."""
        recorded = Recorded()
        newly_suppressed: set[str] = set()
        for row in changed:
            before = known[row.key].verdict
            was, suppressed = before.suppressed_at(now), row.verdict.suppressed_at(now)
            if suppressed and not was:
                newly_suppressed.add(row.key)
                recorded.suppressed += 1
                recorded.count_reason(row.verdict.reason)
            elif suppressed and row.verdict.for_good and not before.for_good:
                newly_suppressed.add(row.key)
            elif was and not suppressed:
                recorded.released += 1
        changes = self._propagator.changes(changed, now, newly_suppressed)
        save_rows(connection, known, changed, changes.struck_off)
        recorded.add(self._propagator.propagate(connection, changes, now))
        return recorded


def retry_conflicts(work: Callable[[], _T]) -> _T:
    """Run a transaction, and retry it after a conflict with another writer, at most 5 times in all.

    Raises:
        ConflictError: the last attempt failed with a conflict as well.
    """
    for failures in range(1, _ATTEMPTS):
        try:
            return work()
        except ConflictError:
            time.sleep(pause(failures, _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))
    return work()


def _compared(
    known: Mapping[str, AddressRow], changed: Iterable[AddressRow]
) -> list[VerdictChange]:
    return [VerdictChange(row.key, known[row.key].verdict, row.verdict) for row in changed]
