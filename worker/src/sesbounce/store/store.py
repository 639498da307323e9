"""Records batches of events: log, state, verdict and strike-off in one transaction."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from sesbounce.feedback.reason import Effect
from sesbounce.feedback.recording import Recording
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import merge
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import acts, forgotten
from sesbounce.store.acts import Done
from sesbounce.store.address_rows import (
    AddressRow,
    known_addresses,
    load_rows,
    lock_rows,
    lock_rows_to_save,
    save_rows,
    save_streams,
)
from sesbounce.store.conflicts import retry_conflicts
from sesbounce.store.engine import translated, write
from sesbounce.store.event_log import insert_events, insert_messages
from sesbounce.store.hours import HourCounts
from sesbounce.store.judging import NO_ADDRESSES, Judge, Revision, VerdictChange, compared, revised
from sesbounce.store.limits import Budget
from sesbounce.store.migrate import ensure, is_newer, number
from sesbounce.store.outbox import Outbox
from sesbounce.store.propagate import Propagator
from sesbounce.store.ready import ready_batch
from sesbounce.store.result import Recorded
from sesbounce.store.senders import save_tally, tally_of
from sesbounce.store.strike_off import StrikeOff
from sesbounce.store.sweep import Progress, Sweep
from sesbounce.store.transactions import Transactions

# Not structlog: without set-up, as in most commands, it would print to standard output.
log = logging.getLogger(__name__)


class Store(Transactions):
    """The writing side of the database: records events, and propagates verdicts that change."""

    def __init__(
        self,
        engine: sa.Engine,
        policy: Policy,
        strike_off: StrikeOff,
        outbox: Outbox | None = None,
        hash_keys: HashKeys = NO_KEYS,
    ) -> None:
        super().__init__(engine, hash_keys)
        self._policy = policy
        self._strike_off = strike_off
        self._propagator = Propagator(strike_off, outbox or Outbox())
        self._sweep = Sweep(self, self._propagator, strike_off.seconds)

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
        seconds = self._strike_off.seconds if self._sweep.progress is None else 0.0
        return retry_conflicts(
            lambda: self._record(recordings, now, seconds, done),
            lambda: self._record(recordings, now, 0.0, done, once_more=True),
        )

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
        judged = Judge(connection, self._policy, incidents)
        return compared(known, revised(judged, known, revision))

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
        changed = revised(Judge(connection, self._policy), known, revision, plain_addresses)
        seconds = self._strike_off.seconds if run_statements else 0.0
        recorded = self._change(connection, known, changed, now, seconds, HourCounts(now))
        return recorded, compared(known, changed)

    @property
    def progress(self) -> Progress | None:
        """How far the sweep has got, if it has not ended: `sweep` continues it."""
        return self._sweep.progress

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
        return self._sweep.run(now)

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
        judged = Judge(connection, self._policy)
        changed: list[AddressRow] = []
        for key, row in known.items():
            state = merge(row.state, learned[key])
            if once_more or state != row.state:
                verdict, streams = judged(key, state), judged.streams(key, state)
                plain_address = plain_addresses.get(key, "")
                changed.append(row.changed(state, verdict, streams, plain_address))
        return self._change(connection, known, changed, now, seconds, hours, once_more=once_more)

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
