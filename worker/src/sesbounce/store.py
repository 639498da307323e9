"""Records batches of decoded messages: log, state, verdict and strike-off in one transaction."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, Self, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from sesbounce import forgotten, schema
from sesbounce.database import cause, is_conflict, is_row_fault, write
from sesbounce.decode import Decoded
from sesbounce.errors import ConflictError, RowError, StoreError
from sesbounce.feedback import Feedback
from sesbounce.migrate import ensure
from sesbounce.notification import Kind
from sesbounce.outbox import Note, Outbox
from sesbounce.policy import Policy, State, Verdict, judge, learn, merge
from sesbounce.pseudonym import NO_KEYS, HashKeys, is_forgotten
from sesbounce.reason import Reason
from sesbounce.strike_off import Outcome, Parameters, StrikeOff

_T = TypeVar("_T")

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode

# Bound parameters in one statement; SQLite's limit is 32,766.
_CHUNK = 1000
# How often a batch is tried that another writer has got in the way of.
_TRIES = 5
# From the states of addresses to what they become.
Revision = Callable[[Mapping[str, State]], Mapping[str, State]]
NOBODY: Mapping[str, str] = {}
_VERDICT = ("state", "original", "suppressed_since", "suppressed_until", "reason", "kind", "why")


class Recorded(msgspec.Struct):
    """What recording a batch did, in numbers of facts, addresses and rows.

    Attributes:
        events: facts that were new.
        duplicates: facts that were known.
        suppressed: addresses that became suppressed.
        restored: addresses that ceased to be.
        struck_rows: rows of the sender's own tables that the strike-off statement changed.
        restored_rows: rows that the restore statement changed.
        refused: addresses for which a statement was refused, by the database's words.
    """

    events: int = 0
    duplicates: int = 0
    suppressed: int = 0
    restored: int = 0
    struck_rows: int = 0
    restored_rows: int = 0
    refused: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: "Recorded") -> None:
        """Count the other one in."""
        for field in self.__struct_fields__:
            if field != "refused":
                setattr(self, field, getattr(self, field) + getattr(other, field))
        for problem, times in other.refused.items():
            self.refused[problem] = self.refused.get(problem, 0) + times


class Judged(msgspec.Struct, frozen=True):
    """An address whose row has changed, or would: its verdict before and after."""

    address: str
    before: Verdict
    after: Verdict


class _Row(msgspec.Struct, frozen=True):
    """One row of the table of addresses.

    Attributes:
        named: the address behind the name of a forgotten one, where it has just been told; it
            is for those whom the store tells, and never in the table of addresses.
    """

    key: str
    state: State = State()
    verdict: Verdict = Verdict()
    struck_off: bool = False
    was_for_good: bool = False
    named: str = ""

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        """From the database."""
        verdict = Verdict(
            since=row.suppressed_since,
            until=row.suppressed_until,
            reason=row.reason and Reason(row.reason),
            kind=row.kind and Kind(row.kind),
            why=row.why,
        )
        return cls(row.address, _decode_state(row.state), verdict, row.struck_off)

    @property
    def for_good(self) -> bool:
        """Whether it is suppressed without an end."""
        return self.verdict.since is not None and self.verdict.until is None

    @property
    def told_for_good(self) -> bool:
        """Whether it is, or was until now: what is to be told of, or taken back."""
        return self.for_good or self.was_for_good

    @property
    def called(self) -> str:
        """The address, for those who are told of it."""
        return self.named or self.key

    @property
    def original(self) -> str:
        """The address as SES wrote it."""
        return self.state.spelling.text if self.state.spelling else self.key

    def values(self) -> dict[str, Any]:
        """For the database."""
        return {
            "address": self.key,
            "state": _encode_state(self.state).decode(),
            "original": self.original,
            "suppressed_since": self.verdict.since,
            "suppressed_until": self.verdict.until,
            "reason": self.verdict.reason,
            "kind": self.verdict.kind,
            "why": self.verdict.why,
            "struck_off": self.struck_off,
        }

    def parameters(self) -> Parameters:
        """For a statement of the sender's own."""
        verdict = self.verdict
        return Parameters(
            address=self.called,
            original=self.named or self.original,
            reason=verdict.reason,
            kind=verdict.kind,
            occurred_at=verdict.since.isoformat() if verdict.since else None,
            why=verdict.why,
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
                _insert_new(connection, schema.address, [forgotten.HASH_KEYS_ROW])

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
        return _known(connection, schema.address.c.address, keys)

    def preview(
        self, connection: sa.Connection, keys: Iterable[str], revision: Revision
    ) -> list[Judged]:
        """What `revise` would do; nothing is locked and nothing is changed."""
        known = _rows(connection, sorted(keys), lock=False)
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
        known = _lock(connection, sorted(keys))
        changed = [
            msgspec.structs.replace(row, named=named.get(row.key, ""))
            for row in self._revised(known, revision)
        ]
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
            rows = list(_lock(connection, keys).values())
            told = self._tell(connection, rows, now)
        return told, keys[-1] if len(keys) == _CHUNK else None

    def _record(self, messages: Sequence[Decoded], now: datetime) -> Recorded:
        with self.writing("the batch was not recorded") as connection:
            messages, named = forgotten.hide(connection, self._hash_keys, messages)
            _insert_messages(connection, messages, now)
            new = _insert_events(connection, messages, now)
            feedback = [fact for message in messages for fact in message.feedback]
            recorded = self._settle(connection, feedback, named, now)
        recorded.events = new
        recorded.duplicates = sum(len(message.feedback) for message in messages) - new
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
            learned[fact.address] = merge(learned.get(fact.address, State()), learn(fact))
        learned = {key: state for key, state in learned.items() if state != State()}
        known = _lock(connection, sorted(learned))
        changed: list[_Row] = []
        for key in sorted(learned):
            before = known[key]
            state = merge(before.state, learned[key])
            if state != before.state:
                verdict = judge(state, self._policy)
                row = _Row(key, state, verdict, before.struck_off, before.for_good)
                changed.append(msgspec.structs.replace(row, named=named.get(key, "")))
        return self._change(connection, known, changed, now)

    def _revised(self, known: Mapping[str, _Row], revision: Revision) -> list[_Row]:
        changed = []
        states = revision({key: row.state for key, row in known.items()})
        for key, state in sorted(states.items()):
            before, verdict = known[key], judge(state, self._policy)
            if (state, verdict) != (before.state, before.verdict):
                changed.append(_Row(key, state, verdict, before.struck_off, before.for_good))
        return changed

    def _change(
        self,
        connection: sa.Connection,
        known: Mapping[str, _Row],
        changed: Sequence[_Row],
        now: datetime,
    ) -> Recorded:
        """Save rows that have changed, and tell the sender's tables of them."""
        recorded = Recorded()
        newly_suppressed: list[_Row] = []
        for row in changed:
            before = known[row.key]
            was, suppressed = (r.verdict.suppressed_at(now) for r in (before, row))
            if suppressed and (not was or (row.for_good and not before.for_good)):
                newly_suppressed.append(row)
            recorded.suppressed += suppressed and not was
            recorded.restored += was and not suppressed
        _save(connection, changed)
        recorded.add(self._tell(connection, changed, now, newly_suppressed))
        return recorded

    def _tell(
        self,
        connection: sa.Connection,
        rows: Sequence[_Row],
        now: datetime,
        newly_suppressed: Sequence[_Row] = (),
    ) -> Recorded:
        """Strike off what is suppressed, restore what is not, where that has not been done.

        An address that is suppressed anew, or now for good, is struck off even where it has been
        before: without a restore statement nobody has told the sender's tables of the time in
        between, and some want to know only of what is for good.
        """
        strike = [r for r in rows if r.verdict.suppressed_at(now) and not r.struck_off]
        strike += [r for r in newly_suppressed if r.struck_off]
        restore = [r for r in rows if r.struck_off and not r.verdict.suppressed_at(now)]
        told = Recorded()
        if self._strikes:
            outcome = self._strike_off.strike_off(connection, [r.parameters() for r in strike])
            told.struck_rows = outcome.rows
            self._told(connection, strike, outcome, now, told, suppressed=True)
        if self._restores:
            outcome = self._strike_off.restore(connection, [r.parameters() for r in restore])
            told.restored_rows = outcome.rows
            self._told(connection, restore, outcome, now, told, suppressed=False)
        return told

    def _told(
        self,
        connection: sa.Connection,
        rows: Sequence[_Row],
        outcome: Outcome,
        now: datetime,
        told: Recorded,
        *,
        suppressed: bool,
    ) -> None:
        """Note who has been told; those that were refused are told again by the next sweep."""
        for problem in outcome.refused.values():
            told.refused[problem] = told.refused.get(problem, 0) + 1
        done = [row for row in rows if row.called not in outcome.refused]
        notes = [Note(suppressed, r.told_for_good, r.parameters()) for r in done]
        # A hash tells others nothing; where the address has just been told, it is named.
        named = [note for note in notes if not is_forgotten(note.parameters["address"])]
        self._outbox.put(connection, named, now)
        _mark(connection, done, struck_off=suppressed)
        refused = [row for row in rows if row.called in outcome.refused]
        _mark(connection, refused, struck_off=not suppressed)

    @property
    def _strikes(self) -> bool:
        return self._strike_off.strikes or self._outbox.used

    @property
    def _restores(self) -> bool:
        return self._strike_off.restores or self._outbox.used

    def _unsettled(self, last: str, now: datetime) -> sa.Select[Any]:
        """Addresses of which the sender's tables have been told otherwise than holds now."""
        table = schema.address
        suppressed = schema.suppressed_at(now)
        strike = table.c.struck_off.is_(False) & suppressed & self._strikes
        restore = table.c.struck_off.is_(True) & sa.not_(suppressed) & self._restores
        return (
            sa.select(table.c.address)
            .where(table.c.address > last, strike | restore)
            .order_by(table.c.address)
            .limit(_CHUNK)
        )


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


def _insert_new(
    connection: sa.Connection,
    table: sa.Table,
    rows: Iterable[Mapping[str, Any]],
    latest: str | None = None,
) -> None:
    """Insert rows whose key is not there; what is there stays, but for the later of two times.

    Sorted by the key, so that two workers never wait for each other.

    Args:
        connection: the caller's transaction.
        table: one of ours.
        rows: the rows, one for each key.
        latest: a column of which the later time is kept.
    """
    (unique,) = _KEYS[table]
    ordered = sorted(rows, key=itemgetter(unique.name))
    if not ordered:
        return
    if connection.dialect.name == "mysql":
        # Not INSERT IGNORE, which would also cut values that do not fit.
        statement = mysql.insert(table)
        kept: dict[str, Any] = {unique.name: unique}
        if latest:
            kept[latest] = sa.func.greatest(table.c[latest], statement.inserted[latest])
        connection.execute(statement.on_duplicate_key_update(kept), ordered)
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    upsert = insert(table)
    if latest:
        later = upsert.excluded[latest]
        upsert = upsert.on_conflict_do_update(
            index_elements=[unique], set_={latest: later}, where=table.c[latest] < later
        )
    else:
        upsert = upsert.on_conflict_do_nothing(index_elements=[unique])
    connection.execute(upsert, ordered)


_KEYS = {
    schema.message: (schema.message.c.digest,),
    schema.event: (schema.event.c.dedupe_key,),
    schema.address: (schema.address.c.address,),
}


def _known(connection: sa.Connection, column: sa.Column[str], keys: Iterable[str]) -> set[str]:
    """Which of the keys are there."""
    return {
        found
        for chunk in _chunks(sorted(set(keys)))
        for found in connection.scalars(sa.select(column).where(column.in_(chunk)))
    }


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[i : i + _CHUNK] for i in range(0, len(keys), _CHUNK))


def _insert_messages(connection: sa.Connection, messages: Sequence[Decoded], now: datetime) -> None:
    rows = {
        message.digest: {
            "digest": message.digest,
            "kind": message.kind,
            "mail_id": message.mail_id,
            "payload": message.payload.decode(),
            "recorded_at": now,
        }
        for message in messages
        if message.kind not in (Kind.SETUP, Kind.MANUAL)
    }
    for digest in _known(connection, schema.message.c.digest, rows):
        del rows[digest]
    _insert_new(connection, schema.message, rows.values())


def _insert_events(connection: sa.Connection, messages: Sequence[Decoded], now: datetime) -> int:
    """Append the facts that are new to the log; returns how many.

    A fact that is told again with a later time keeps the later one, as states do: the log stays
    what they follow from, whatever came first.
    """
    latest: dict[str, dict[str, Any]] = {}
    for message in messages:
        for fact in message.feedback:
            told = latest.get(fact.dedupe_key)
            if told is None or told["occurred_at"] < fact.occurred_at:
                latest[fact.dedupe_key] = msgspec.structs.asdict(fact) | {
                    "message_digest": "" if is_forgotten(fact.address) else message.digest,
                    "recorded_at": now,
                }
    known = _known(connection, schema.event.c.dedupe_key, latest)
    _insert_new(connection, schema.event, latest.values(), latest="occurred_at")
    return len(latest) - len(known)


def _lock(connection: sa.Connection, keys: Sequence[str]) -> dict[str, _Row]:
    """The rows of these addresses, made where they were not, and locked in their order."""
    missing = set(keys) - _known(connection, schema.address.c.address, keys)
    _insert_new(connection, schema.address, (_Row(key).values() for key in missing))
    return _rows(connection, keys, lock=True)


def _rows(connection: sa.Connection, keys: Sequence[str], *, lock: bool) -> dict[str, _Row]:
    """The rows of these addresses; unless locked, as if nothing were known where there is none."""
    table = schema.address
    rows = {} if lock else {key: _Row(key) for key in keys}
    for chunk in _chunks(keys):
        query = sa.select(table).where(table.c.address.in_(chunk)).order_by(table.c.address)
        found = connection.execute(query.with_for_update() if lock else query)
        rows |= {row.address: _Row.of(row) for row in found}
    return rows


def _compared(known: Mapping[str, _Row], changed: Iterable[_Row]) -> list[Judged]:
    return [Judged(row.key, known[row.key].verdict, row.verdict) for row in changed]


def _save(connection: sa.Connection, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    table = schema.address
    values = [{**row.values(), "key": row.key} for row in rows]
    columns = {name: sa.bindparam(name, type_=table.c[name].type) for name in _VERDICT}
    connection.execute(
        sa.update(table).where(table.c.address == sa.bindparam("key")).values(columns), values
    )


def _mark(connection: sa.Connection, rows: Sequence[_Row], *, struck_off: bool) -> None:
    if rows:
        connection.execute(
            sa.update(schema.address)
            .where(schema.address.c.address == sa.bindparam("key"))
            .values(struck_off=struck_off),
            [{"key": row.key} for row in rows],
        )
