"""Records batches of events: log, state, verdict and strike-off in one transaction."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from itertools import takewhile
from typing import NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from sesbounce.backoff import pause
from sesbounce.errors import ConflictError, TransactionEndedError
from sesbounce.feedback.reason import Effect
from sesbounce.feedback.recording import Recording
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import merge
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy, Verdict, judge, judge_streams
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import acts, forgotten
from sesbounce.store.acts import Done
from sesbounce.store.engine import translated, write
from sesbounce.store.hours import HourCounts
from sesbounce.store.incidents import confirmed_incidents
from sesbounce.store.limits import Budget
from sesbounce.store.migrate import ensure, is_newer, number
from sesbounce.store.outbox import Outbox
from sesbounce.store.propagate import Propagated, Propagator
from sesbounce.store.ready import ready_batch
from sesbounce.store.result import Recorded
from sesbounce.store.rows import (
    AddressRow,
    insert_events,
    insert_messages,
    known_addresses,
    load_rows,
    lock_free_rows,
    lock_rows,
    lock_rows_to_save,
    mark_rows,
    save_rows,
    save_streams,
)
from sesbounce.store.senders import save_tally, tally_of
from sesbounce.store.slow import watched
from sesbounce.store.strike_off import StrikeOff

_T = TypeVar("_T")

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.2
_SWEPT_AT_ONCE = 1000
_SWEEP_GROWTH = 4
# Maps the states of addresses to their new states.
Revision = Callable[[Mapping[str, State]], Mapping[str, State]]
NO_ADDRESSES: Mapping[str, str] = {}

# Not structlog: without set-up, as in most commands, it would print to standard output.
log = logging.getLogger(__name__)


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
    size: int = _SWEPT_AT_ONCE
    done: int = 0
    left: int = 0


class VerdictChange(msgspec.Struct, frozen=True):
    """A verdict on one address before and after a change of its row.

    Attributes:
        address: the key of the address.
        before: the verdict before.
        after: the verdict after.
        stream: the only stream that it is about; empty where it counts for all.
    """

    address: str
    before: Verdict
    after: Verdict
    stream: str = ""


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
        self._round: _Round | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the sweep has got, if it has not ended: `sweep` continues it."""
        unfinished = self._round
        if unfinished is None:
            return None
        return Progress(unfinished.done, unfinished.done + unfinished.left)

    def prepare(self, *, migrate: bool = True) -> None:
        """Update the schema, and check the statements, before the first message is recorded.

        Args:
            migrate: whether the schema may be changed.

        Raises:
            SchemaError: this release can't use the schema as it is, and may not change it.
            StoreError: the database can't be used.
            StrikeOffError: a statement does not fit the sender's tables.
            ConfigurationError: addresses were forgotten under a hash key that is missing here.
        """
        found = ensure(self._engine, migrate=migrate)
        if is_newer(found):
            log.info(
                "the database's schema has the newer version %s, which this release can use",
                number(found),
            )
        with self.reading("the statements can't be checked") as connection:
            for warning in self._strike_off.check(connection):
                log.warning("statement is slow: %s", warning)
            self._hash_keys.require(forgotten.checks(connection))
        if self._hash_keys:
            with translated("the hash keys were not recorded"), write(self._engine) as connection:
                forgotten.make_row(connection)

    def record(
        self, recordings: Sequence[Recording], now: datetime, done: Done | None = None
    ) -> Recorded:
        """Record a batch in one transaction; when this returns, it is committed.

        Recording the same batch once more changes nothing. Where the statements take too long, or
        keep the transaction from its end, the sweep runs them later.

        Args:
            recordings: the batch, in any order, with any repetition.
            now: the time for which expiring suppressions are judged.
            done: the act of a person that the batch consists of, for the audit.

        Raises:
            RowError: the database rejected a row; nothing of the batch was recorded.
            StoreError: the database can't be used; nothing of the batch was recorded.
        """
        # While the sweep has not caught up, new events must not wait for the statements as well.
        seconds = self._strike_off.seconds if self._round is None else 0.0
        return retry_conflicts(
            lambda: self._record(recordings, now, seconds, done),
            lambda: self._record(recordings, now, 0.0, done, once_more=True),
        )

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
        with translated(problem), watched(), write(self._engine) as connection:
            if self._hash_keys:
                forgotten.lock(connection, self._hash_keys, exclusive=exclusive)
            yield connection

    def known(self, connection: sa.Connection, keys: Iterable[str]) -> set[str]:
        """The addresses among these that have a row."""
        return known_addresses(connection, keys)

    def preview(
        self,
        connection: sa.Connection,
        keys: Iterable[str],
        revision: Revision,
        incidents: Sequence[Incident] | None = None,
    ) -> list[VerdictChange]:
        """The changes that `revise` would make; this locks and changes nothing.

        Args:
            connection: a connection from `reading`.
            keys: the addresses.
            revision: maps the states to the new ones.
            incidents: the incidents; None for those of the database.
        """
        known = load_rows(connection, sorted(keys))
        judged = _Judge(connection, self._policy, incidents)
        return _compared(known, self._revised(judged, known, revision))

    def revise(
        self,
        connection: sa.Connection,
        keys: Iterable[str],
        revision: Revision,
        now: datetime,
        plain_addresses: Mapping[str, str] = NO_ADDRESSES,
        *,
        run_statements: bool = True,
    ) -> tuple[Recorded, list[VerdictChange]]:
        """Revise the states of some addresses, judge them, and propagate changed verdicts.

        Args:
            connection: a transaction from `writing`.
            keys: the addresses; each without a row gets one.
            revision: maps the states to the new ones; it is called once the rows are locked.
            now: the time for which expiring suppressions are judged.
            plain_addresses: the addresses behind the keyed hashes of forgotten ones, by hash.
            run_statements: whether to run the statements here; if not, the sweep runs them.
        """
        known = lock_rows(connection, sorted(keys))
        changed = self._revised(_Judge(connection, self._policy), known, revision, plain_addresses)
        seconds = self._strike_off.seconds if run_statements else 0.0
        recorded = self._change(connection, known, changed, now, seconds, HourCounts(now))
        return recorded, _compared(known, changed)

    def sweep(self, now: datetime) -> Recorded:
        """Propagate suppressions that have expired, and verdicts that are still pending.

        The sweep also strikes off addresses that were suppressed before a strike-off statement
        was configured, and retries those for which the database rejected a statement. It ends
        when its time is spent; `progress` then tells how far it has got, and the next call
        continues it.

        Args:
            now: the time for which expiring suppressions are judged.

        Raises:
            StoreError: the database can't be used.
        """
        swept = Recorded()
        budget = Budget(self._strike_off.seconds)
        current = self._round or _Round()
        self._round = None
        while self._sweep_some(current, now, swept):
            if not budget.left:
                with self.reading("the pending addresses can't be counted") as connection:
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
            with self.reading("the pending addresses can't be read") as connection:
                keys = connection.scalars(self._propagator.pending(current.last, now, 1)).all()
            done = Propagated(Recorded(rejected={str(error): 1}), [], [])
        swept.add(done.recorded)
        full = len(keys) == current.size
        if done.pending:
            # The statements are slow. Fewer addresses at once are locked for less time.
            keys = list(takewhile(lambda key: key not in done.pending, keys))
            current.size = max(1, len(keys))
        elif time.monotonic() - began < self._strike_off.seconds / _SWEEP_GROWTH:
            current.size = min(_SWEPT_AT_ONCE, current.size * _SWEEP_GROWTH)
        current.done += len(keys)
        current.last = keys[-1] if keys else current.last
        return full or bool(done.pending)

    def _sweep_from(self, current: _Round, now: datetime) -> tuple[Sequence[str], Propagated]:
        """Sweep some addresses; returns their keys, in the database's order, and what it did."""
        with self.writing("expired suppressions were not lifted") as connection:
            query = self._propagator.pending(current.last, now, current.size)
            keys = connection.scalars(query).all()
            # The rows may have changed between the query and the lock. Others may be sweeping as
            # well: a row that is locked is left to them, or to the next round.
            rows = lock_free_rows(connection, keys)
            changes = self._propagator.changes(rows, now)
            budget = Budget(self._strike_off.seconds)
            done = self._propagator.propagate(connection, changes, now, budget)
            # Not before: a statement that commits the transaction must not leave a mark.
            undone = {*done.pending, *done.rejected}
            marks = {key: mark for key, mark in changes.struck_off.items() if key not in undone}
            mark_rows(connection, marks, now)
        return keys, done

    def _record(
        self,
        recordings: Sequence[Recording],
        now: datetime,
        seconds: float,
        done: Done | None,
        *,
        once_more: bool = False,
    ) -> Recorded:
        # Before the transaction: while one goes on, nobody else writes to SQLite.
        batch = ready_batch(self._engine.dialect, recordings, now)
        mentioned = forgotten.mentioned_in(self._hash_keys, recordings)
        with self.writing("the batch was not recorded") as connection:
            hidden, plain_addresses = forgotten.hide(
                connection, self._hash_keys, recordings, mentioned
            )
            if hidden is not recordings:
                batch = ready_batch(self._engine.dialect, hidden, now)
            insert_messages(connection, batch.message_rows)
            inserted = insert_events(connection, batch.events, batch.event_rows, now)
            hours = HourCounts(now)
            hours.count_deliveries(inserted)
            # A list that is imported says nothing about the present hour.
            counted = hours if any(recording.message for recording in recordings) else None
            recorded = self._merge(
                connection,
                batch.learned,
                plain_addresses,
                now,
                seconds,
                counted,
                once_more=once_more,
            )
            save_tally(connection, tally_of(inserted))
            if done:
                acts.record(connection, done)
        new = inserted.new
        recorded.kinds = Counter(event.kind.value for event in new)
        recorded.sender_faults = Counter(
            event.reason.value for event in new if event.effect is Effect.SENDER
        )
        recorded.events = len(new)
        recorded.duplicates = batch.size - recorded.events
        return recorded

    def _merge(  # noqa: PLR0913  what one transaction needs
        self,
        connection: sa.Connection,
        learned: Mapping[str, State],
        plain_addresses: Mapping[str, str],
        now: datetime,
        seconds: float,
        hours: HourCounts | None,
        *,
        once_more: bool,
    ) -> Recorded:
        """Merge what events say into the states, judge these, and propagate changed verdicts.

        Args:
            connection: the caller's transaction.
            learned: the states that the events give, by address.
            plain_addresses: the addresses behind the keyed hashes of forgotten ones, by hash.
            now: the time for which expiring suppressions are judged.
            seconds: the time for the sender's statements.
            hours: the counts by hour; None where the events are not to be counted.
            once_more: propagate also the verdicts that have not changed, because a statement may
                have committed a part of an earlier attempt.
        """
        known = lock_rows_to_save(connection, sorted(learned))
        judged = _Judge(connection, self._policy)
        changed: list[AddressRow] = []
        for key, row in known.items():
            state = merge(row.state, learned[key])
            if once_more or state != row.state:
                verdict, streams = judged(key, state), judged.streams(key, state)
                plain_address = plain_addresses.get(key, "")
                changed.append(row.changed(state, verdict, streams, plain_address))
        return self._change(connection, known, changed, now, seconds, hours, once_more=once_more)

    def _revised(
        self,
        judged: "_Judge",
        known: Mapping[str, AddressRow],
        revision: Revision,
        plain_addresses: Mapping[str, str] = NO_ADDRESSES,
    ) -> list[AddressRow]:
        changed = []
        states = revision({key: row.state for key, row in known.items()})
        for key, state in sorted(states.items()):
            before = known[key]
            verdict, streams = judged(key, state), judged.streams(key, state)
            if (state, verdict, streams) != (before.state, before.verdict, before.streams):
                plain_address = plain_addresses.get(key, "")
                changed.append(before.changed(state, verdict, streams, plain_address))
        return changed

    def _change(  # noqa: PLR0913  what one transaction needs
        self,
        connection: sa.Connection,
        known: Mapping[str, AddressRow],
        changed: Sequence[AddressRow],
        now: datetime,
        seconds: float,
        hours: HourCounts | None,
        *,
        once_more: bool = False,
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
            elif suppressed and (once_more or (row.verdict.for_good and not before.for_good)):
                newly_suppressed.add(row.key)
            elif was and not suppressed:
                recorded.released += 1
        changes = self._propagator.changes(changed, now, newly_suppressed)
        save_rows(connection, known, changed, changes.struck_off, now)
        save_streams(connection, known, changed)
        done = self._propagator.propagate(connection, changes, now, Budget(seconds))
        recorded.add(done.recorded)
        if hours:
            for row in changed:
                if row.state.hard or known[row.key].state.hard:
                    hours.replace(row.key, known[row.key].state, row.state)
            hours.save(connection)
        return recorded


class _Judge:
    """Judges states under a policy and the incidents, which it reads when it needs them.

    An incident changes the verdict on an address only if it has bounced hard and had a delivery.
    """

    def __init__(
        self,
        connection: sa.Connection,
        policy: Policy,
        incidents: Sequence[Incident] | None = None,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._given = incidents

    @cached_property
    def _held(self) -> Sequence[Incident]:
        return confirmed_incidents(self._connection) if self._given is None else self._given

    def _incidents(self, state: State) -> Sequence[Incident]:
        return self._held if state.hard and (state.first_delivery or state.deliveries) else ()

    def __call__(self, key: str, state: State) -> Verdict:
        return judge(state, self._policy, self._incidents(state), key)

    def streams(self, key: str, state: State) -> Mapping[str, Verdict]:
        """The verdicts of those streams in which the address is suppressed beyond all streams."""
        if not state.streams:
            return {}
        return judge_streams(state, self._policy, self._incidents(state), key)


def retry_conflicts(
    work: Callable[[], _T], without_statements: Callable[[], _T] | None = None
) -> _T:
    """Run a transaction, and retry it after a conflict with another writer, at most 5 times in all.

    Args:
        work: the transaction.
        without_statements: the same transaction without the sender's statements: the last
            attempt, because a statement may be the cause.

    Raises:
        ConflictError: the last attempt failed with a conflict as well.
    """
    for failures in range(1, _ATTEMPTS):
        try:
            return work()
        except TransactionEndedError:  # it would do so once more
            break
        except ConflictError:
            time.sleep(pause(failures, _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))
    return (without_statements or work)()


def _compared(
    known: Mapping[str, AddressRow], changed: Iterable[AddressRow]
) -> list[VerdictChange]:
    """The changes of each row: the verdict for all streams, and those of streams that differ."""
    changes = []
    for row in changed:
        before = known[row.key]
        changes.append(VerdictChange(row.key, before.verdict, row.verdict))
        changes += (
            VerdictChange(row.key, was, now, stream)
            for stream in sorted({*before.streams, *row.streams})
            if (was := before.streams.get(stream, Verdict()))
            != (now := row.streams.get(stream, Verdict()))
        )
    return changes
