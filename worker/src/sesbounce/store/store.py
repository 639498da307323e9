"""Records batches of decoded messages: log, state, verdict and strike-off in one transaction."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.errors import ConflictError, RowError, StoreError
from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.feedback.reason import Effect
from sesbounce.policy.state import State, learn, merge
from sesbounce.policy.verdict import Policy, Verdict, judge
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import forgotten
from sesbounce.store.engine import cause, is_conflict, is_row_fault, write
from sesbounce.store.migrate import ensure
from sesbounce.store.outbox import Outbox
from sesbounce.store.propagate import Teller
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

# How often a batch is tried that another writer has got in the way of.
_TRIES = 5
_SWEPT_AT_ONCE = 1000
# From the states of addresses to what they become.
Revision = Callable[[Mapping[str, State]], Mapping[str, State]]
NOBODY: Mapping[str, str] = {}


class Judged(msgspec.Struct, frozen=True):
    """An address whose row has changed, or would: its verdict before and after."""

    address: str
    before: Verdict
    after: Verdict


class Store:
    """The writing side of the database."""

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
        self._teller = Teller(strike_off, outbox or Outbox())
        self._hash_keys = hash_keys

    def prepare(self, *, migrate: bool = True) -> None:
        """Bring the schema up to date, and check the statements before the first message.

        Args:
            migrate: whether the schema may be changed.

        Raises:
            SchemaError: it may not, and is not what is needed.
            StoreError: the database refused.
            StrikeOffError: a statement does not fit.
            ConfigurationError: addresses were forgotten under a hash key that is not here.
        """
        ensure(self._engine, migrate=migrate)
        with self.reading("the statements can't be checked") as connection:
            self._strike_off.check(connection)
            self._hash_keys.demand(forgotten.checks(connection))
        if self._hash_keys:
            with _translated("the hash keys can't be noted"), write(self._engine) as connection:
                forgotten.make_row(connection)

    def record(self, messages: Sequence[Decoded], now: datetime) -> Recorded:
        """Record a batch in one transaction; when this returns, it is committed.

        May be repeated at will: what is recorded already changes nothing.

        Args:
            messages: the batch, in any order, with any repetition.
            now: the moment for which expiring suppressions are judged.

        Raises:
            RowError: the database refuses a row; nothing of the batch was kept.
            StoreError: the database can't be used; nothing of the batch was kept.
        """
        return again(lambda: self._record(messages, now))

    @contextmanager
    def reading(self, what: str) -> Iterator[sa.Connection]:
        """A connection for those who only ask; `what` begins the error where it fails."""
        with _translated(what), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, what: str, *, alone: bool = False) -> Iterator[sa.Connection]:
        """A transaction, during which nobody else forgets an address.

        Args:
            what: the beginning of the error where it fails.
            alone: hold off all others who write as well.
        """
        with _translated(what), write(self._engine) as connection:
            if self._hash_keys:
                forgotten.hold(connection, self._hash_keys, alone=alone)
            yield connection

    def known(self, connection: sa.Connection, keys: Iterable[str]) -> set[str]:
        """Which of the addresses have a row."""
        return known_addresses(connection, keys)

    def preview(
        self, connection: sa.Connection, keys: Iterable[str], revision: Revision
    ) -> list[Judged]:
        """What `revise` would do; nothing is locked and nothing is changed."""
        known = load_rows(connection, sorted(keys), lock=False)
        return _compared(known, self._revised(known, revision))

    def revise(
        self,
        connection: sa.Connection,
        keys: Iterable[str],
        revision: Revision,
        now: datetime,
        named: Mapping[str, str] = NOBODY,
    ) -> tuple[Recorded, list[Judged]]:
        """Revise the states of some addresses, judge them, and tell the sender's tables.

        Args:
            connection: in a transaction; see `writing`.
            keys: the addresses; a row is made for each that has none.
            revision: from the states, whose rows are locked by then, to what they become.
            now: the moment for which expiring suppressions are judged.
            named: the addresses behind the names of forgotten ones.
        """
        known = lock_rows(connection, sorted(keys))
        changed = self._revised(known, revision, named)
        return self._change(connection, known, changed, now), _compared(known, changed)

    def sweep(self, now: datetime) -> Recorded:
        """Tell the sender's own tables what time has changed: suppressions that ran out.

        Addresses that were suppressed before a strike-off statement was configured, and those
        for which a statement was refused, are told as well.

        Args:
            now: the moment for which to judge.

        Raises:
            StoreError: the database can't be used.
        """
        swept = Recorded()
        last: str | None = ""
        while last is not None:
            told, last = again(partial(self._sweep_from, last, now))
            swept.add(told)
        return swept

    def _sweep_from(self, last: str, now: datetime) -> tuple[Recorded, str | None]:
        """One chunk of the sweep: what it did, and where the next one begins."""
        with self.writing("expired suppressions were not lifted") as connection:
            keys = connection.scalars(self._teller.unsettled(last, now, _SWEPT_AT_ONCE)).all()
            # What was read may have changed before it was locked.
            wanted = self._teller.wanted(lock_rows(connection, keys).values(), now)
            mark_rows(connection, wanted.struck_off)
            told = self._teller.tell(connection, wanted, now)
        return told, keys[-1] if len(keys) == _SWEPT_AT_ONCE else None

    def _record(self, messages: Sequence[Decoded], now: datetime) -> Recorded:
        with self.writing("the batch was not recorded") as connection:
            messages, named = forgotten.hide(connection, self._hash_keys, messages)
            insert_messages(connection, messages, now)
            kinds = insert_events(connection, messages, now)
            feedback = [fact for message in messages for fact in message.feedback]
            recorded = self._settle(connection, feedback, named, now)
        recorded.kinds = kinds
        recorded.events = sum(kinds.values())
        recorded.duplicates = len(feedback) - recorded.events
        return recorded

    def _settle(
        self,
        connection: sa.Connection,
        feedback: Iterable[Feedback],
        named: Mapping[str, str],
        now: datetime,
    ) -> Recorded:
        """Merge what is new into the addresses' states, judge, and tell the sender's tables."""
        learned: dict[str, State] = {}
        for fact in feedback:
            if fact.effect is not Effect.NONE:  # of which there is nothing to learn
                key, state = fact.address, learn(fact)
                learned[key] = merge(learned[key], state) if key in learned else state
        known = lock_rows_to_save(connection, sorted(learned))
        changed: list[AddressRow] = []
        for key, row in known.items():
            state = merge(row.state, learned[key])
            if state != row.state:
                changed.append(row.changed(state, judge(state, self._policy), named.get(key, "")))
        return self._change(connection, known, changed, now)

    def _revised(
        self,
        known: Mapping[str, AddressRow],
        revision: Revision,
        named: Mapping[str, str] = NOBODY,
    ) -> list[AddressRow]:
        changed = []
        states = revision({key: row.state for key, row in known.items()})
        for key, state in sorted(states.items()):
            before, verdict = known[key], judge(state, self._policy)
            if (state, verdict) != (before.state, before.verdict):
                changed.append(before.changed(state, verdict, named.get(key, "")))
        return changed

    def _change(
        self,
        connection: sa.Connection,
        known: Mapping[str, AddressRow],
        changed: Sequence[AddressRow],
        now: datetime,
    ) -> Recorded:
        """Save rows that have changed, and tell the sender's tables of them."""
        recorded = Recorded()
        anew: set[str] = set()
        for row in changed:
            before = known[row.key].verdict
            was, suppressed = before.suppressed_at(now), row.verdict.suppressed_at(now)
            if suppressed and not was:
                anew.add(row.key)
                recorded.suppressed += 1
                recorded.count_reason(row.verdict.reason)
            elif suppressed and row.verdict.for_good and not before.for_good:
                anew.add(row.key)
            elif was and not suppressed:
                recorded.restored += 1
        wanted = self._teller.wanted(changed, now, anew)
        save_rows(connection, known, changed, wanted.struck_off)
        recorded.add(self._teller.tell(connection, wanted, now))
        return recorded


def again(work: Callable[[], _T]) -> _T:
    """Do a transaction's work, again if another writer has got in the way."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except ConflictError:
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311  not both again at once
    return work()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """The database's errors as those of sesbounce: a row's own fault, or everybody's."""
    try:
        yield
    except SQLAlchemyError as error:
        kind: type[StoreError] = StoreError
        if is_row_fault(error):
            kind = RowError
        elif is_conflict(error):
            kind = ConflictError
        raise kind(f"{what}: {cause(error)}") from error


def _compared(known: Mapping[str, AddressRow], changed: Iterable[AddressRow]) -> list[Judged]:
    return [Judged(row.key, known[row.key].verdict, row.verdict) for row in changed]
