"""Records batches of decoded messages: log, state, verdict and strike-off in one transaction."""

import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce import forgotten, schema
from sesbounce.database import cause, is_conflict, is_row_fault, write
from sesbounce.decode import Decoded
from sesbounce.errors import ConflictError, RowError, StoreError
from sesbounce.feedback import Feedback
from sesbounce.migrate import ensure
from sesbounce.outbox import Note, Outbox
from sesbounce.policy import Policy, State, Verdict, judge, learn, merge
from sesbounce.pseudonym import NO_KEYS, HashKeys, is_forgotten
from sesbounce.reason import Effect
from sesbounce.recorded import Recorded
from sesbounce.rows import (
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
from sesbounce.strike_off import Outcome, StrikeOff

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


class _Telling(NamedTuple):
    """Of whom the sender's tables are to be told."""

    strike: list[AddressRow]
    restore: list[AddressRow]

    @property
    def struck_off(self) -> dict[str, bool]:
        """Whether each has been struck off, afterwards."""
        return dict.fromkeys((row.key for row in self.strike), True) | dict.fromkeys(
            (row.key for row in self.restore), False
        )


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
        self._outbox = outbox or Outbox()
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
            keys = connection.scalars(self._unsettled(last, now)).all()
            # What was read may have changed before it was locked.
            rows = list(lock_rows(connection, keys).values())
            telling = self._telling(rows, now)
            mark_rows(connection, telling.struck_off)
            told = self._tell(connection, telling, now)
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
        telling = self._telling(changed, now, anew)
        save_rows(connection, known, changed, telling.struck_off)
        recorded.add(self._tell(connection, telling, now))
        return recorded

    def _telling(
        self, rows: Iterable[AddressRow], now: datetime, anew: Container[str] = ()
    ) -> "_Telling":
        """Whom to strike off because they are suppressed, whom to restore because they are not.

        That is, where it has not been done. An address that is suppressed `anew`, or now for
        good, is struck off even where it has been before: without a restore statement nobody has
        told the sender's tables of the time in between, and some want to know only of what is
        for good.
        """
        telling = _Telling([], [])
        for row in rows:
            if row.verdict.suppressed_at(now):
                if self._strikes and (not row.struck_off or row.key in anew):
                    telling.strike.append(row)
            elif self._restores and row.struck_off:
                telling.restore.append(row)
        return telling

    def _tell(self, connection: sa.Connection, telling: "_Telling", now: datetime) -> Recorded:
        """Tell the sender's tables; the rows are marked as if none were going to be refused."""
        told = Recorded()
        strike, restore = telling
        outcome = self._strike_off.strike_off(connection, [r.parameters() for r in strike])
        told.struck_rows = outcome.rows
        self._told(connection, strike, outcome, now, told, suppressed=True)
        outcome = self._strike_off.restore(connection, [r.parameters() for r in restore])
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

    @property
    def _strikes(self) -> bool:
        return self._strike_off.strikes or self._outbox.used

    @property
    def _restores(self) -> bool:
        return self._strike_off.restores or self._outbox.used

    def _unsettled(self, last: str, now: datetime) -> sa.Select[Any]:
        """Addresses of which the sender's tables have been told otherwise than holds now.

        Each kind of them has a query of its own, which an index answers: there may be millions
        of addresses, and few of these.
        """
        table = schema.address
        since, until = table.c.suppressed_since, table.c.suppressed_until
        struck_off, not_struck_off = (
            table.c.struck_off == sa.true(),
            table.c.struck_off == sa.false(),
        )
        kinds: list[tuple[sa.ColumnElement[bool], ...]] = []
        if self._strikes:
            kinds += [(not_struck_off, until.is_(None), since.is_not(None))]
            kinds += [(not_struck_off, until > now)]
        if self._restores:
            kinds += [(struck_off, until.is_(None), since.is_(None))]
            kinds += [(struck_off, until <= now)]
        if not kinds:
            # Nobody is told; the sweep only shows that the database is there.
            kinds = [(sa.false(),)]
        each = [sa.select(table.c.address).where(*kind, table.c.address > last) for kind in kinds]
        found = sa.union_all(*each).subquery()
        return sa.select(found.c.address).order_by(found.c.address).limit(_SWEPT_AT_ONCE)


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
