"""Records batches of decoded messages: log, state, verdict and strike-off in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from sesbounce import schema
from sesbounce.database import cause, create_tables, write
from sesbounce.decode import Decoded
from sesbounce.errors import StoreError
from sesbounce.feedback import Feedback
from sesbounce.notification import Kind
from sesbounce.policy import Policy, State, Verdict, judge, learn, merge
from sesbounce.reason import Reason
from sesbounce.strike_off import Parameters, StrikeOff

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode

# Bound parameters in one statement; SQLite's limit is 32,766.
_CHUNK = 1000


class Recorded(msgspec.Struct):
    """What recording a batch did, in numbers of facts, addresses and rows.

    Attributes:
        events: facts that were new.
        duplicates: facts that were known.
        suppressed: addresses that became suppressed.
        restored: addresses that ceased to be.
        struck_rows: rows of the sender's own tables that the strike-off statement changed.
        restored_rows: rows that the restore statement changed.
    """

    events: int = 0
    duplicates: int = 0
    suppressed: int = 0
    restored: int = 0
    struck_rows: int = 0
    restored_rows: int = 0

    def add(self, other: "Recorded") -> None:
        """Count the other one in."""
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))


class _Row(msgspec.Struct, frozen=True):
    """One row of the table `address`."""

    key: str
    state: State = State()
    verdict: Verdict = Verdict()
    struck_off: bool = False

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        """From the database."""
        verdict = Verdict(
            since=row.suppressed_since,
            until=row.suppressed_until,
            reason=row.reason and Reason(row.reason),
            kind=row.kind and Kind(row.kind),
            original=row.original,
            why=row.why,
        )
        return cls(row.address, _decode_state(row.state), verdict, row.struck_off)

    def values(self) -> dict[str, Any]:
        """For the database."""
        return {
            "address": self.key,
            "state": _encode_state(self.state).decode(),
            "suppressed_since": self.verdict.since,
            "suppressed_until": self.verdict.until,
            "reason": self.verdict.reason,
            "kind": self.verdict.kind,
            "original": self.verdict.original,
            "why": self.verdict.why,
            "struck_off": self.struck_off,
        }

    def parameters(self) -> Parameters:
        """For a statement of the sender's own."""
        verdict = self.verdict
        return Parameters(
            address=self.key,
            original=verdict.original or self.key,
            reason=verdict.reason,
            kind=verdict.kind,
            occurred_at=verdict.since.isoformat() if verdict.since else None,
            why=verdict.why,
        )


class Store:
    """The writing side of the database."""

    def __init__(self, engine: sa.Engine, policy: Policy, strike_off: StrikeOff) -> None:
        self._engine = engine
        self._policy = policy
        self._strike_off = strike_off

    def prepare(self) -> None:
        """Make the tables, and check the strike-off statements before the first message.

        Raises:
            StoreError: the database refused.
            StrikeOffError: a statement does not fit.
        """
        create_tables(self._engine)
        with self._engine.connect() as connection:
            self._strike_off.check(connection)

    def ping(self) -> None:
        """Make sure that the database takes writes.

        Raises:
            StoreError: it does not.
        """
        try:
            with write(self._engine) as connection:
                connection.execute(sa.select(1))
        except SQLAlchemyError as error:
            raise StoreError(f"the database can't be written: {cause(error)}") from error

    def record(self, messages: Sequence[Decoded], now: datetime) -> Recorded:
        """Record a batch in one transaction; when this returns, it is committed.

        May be repeated at will: what is recorded already changes nothing.

        Args:
            messages: the batch, in any order, with any repetition.
            now: the moment for which expiring suppressions are judged.

        Raises:
            StoreError: nothing of the batch was kept.
        """
        feedback = {f.dedupe_key: f for message in messages for f in message.feedback}
        try:
            with write(self._engine) as connection:
                _insert_notifications(connection, messages, now)
                new = _insert_events(connection, messages, now)
                recorded = self._settle(connection, feedback.values(), now)
        except SQLAlchemyError as error:
            raise StoreError(f"the batch was not recorded: {cause(error)}") from error
        recorded.events = new
        recorded.duplicates = sum(len(message.feedback) for message in messages) - new
        return recorded

    def sweep(self, now: datetime) -> Recorded:
        """Tell the sender's own tables what time has changed: suppressions that ran out.

        Addresses that were suppressed before a strike-off statement was configured are struck
        off as well.

        Raises:
            StoreError: nothing was kept.
        """
        swept = Recorded()
        if not self._strike_off.configured:
            return swept
        try:
            while True:
                with write(self._engine) as connection:
                    rows = connection.execute(_unsettled(now)).all()
                    swept.add(self._tell(connection, [_Row.of(row) for row in rows], now))
                if len(rows) < _CHUNK:
                    return swept
        except SQLAlchemyError as error:
            raise StoreError(f"expired suppressions were not lifted: {cause(error)}") from error

    def _settle(
        self, connection: sa.Connection, feedback: Iterable[Feedback], now: datetime
    ) -> Recorded:
        """Merge what is new into the addresses' states, judge, and tell the sender's tables."""
        learned: dict[str, State] = {}
        for fact in feedback:
            learned[fact.address] = merge(learned.get(fact.address, State()), learn(fact))
        known = _load(connection, sorted(learned))
        recorded = Recorded()
        changed: list[_Row] = []
        for key in sorted(learned):
            before = known.get(key) or _Row(key)
            state = merge(before.state, learned[key])
            if state == before.state:
                continue
            row = _Row(key, state, judge(state, self._policy), before.struck_off)
            was, suppressed = (r.verdict.suppressed_at(now) for r in (before, row))
            recorded.suppressed += suppressed and not was
            recorded.restored += was and not suppressed
            changed.append(row)
        _save(connection, changed)
        recorded.add(self._tell(connection, changed, now))
        return recorded

    def _tell(self, connection: sa.Connection, rows: Sequence[_Row], now: datetime) -> Recorded:
        """Strike off what is suppressed, restore what is not, where that has not been done."""
        told = Recorded()
        if not self._strike_off.configured:
            return told
        unsettled = [row for row in rows if row.verdict.suppressed_at(now) != row.struck_off]
        strike = [row for row in unsettled if not row.struck_off]
        restore = [row for row in unsettled if row.struck_off]
        told.struck_rows = self._strike_off.strike_off(connection, [r.parameters() for r in strike])
        told.restored_rows = self._strike_off.restore(connection, [r.parameters() for r in restore])
        for struck_off, told_rows in ((True, strike), (False, restore)):
            if told_rows:
                connection.execute(
                    sa.update(schema.address)
                    .where(schema.address.c.address == sa.bindparam("key"))
                    .values(struck_off=struck_off),
                    [{"key": row.key} for row in told_rows],
                )
        return told


def _insert_notifications(
    connection: sa.Connection, messages: Sequence[Decoded], now: datetime
) -> None:
    rows = [
        {
            "digest": message.digest,
            "kind": message.kind,
            "mail_id": message.mail_id,
            "payload": message.payload.decode(),
            "recorded_at": now,
        }
        for message in messages
        if message.kind is not Kind.SETUP
    ]
    if rows:
        connection.execute(insert(schema.notification).on_conflict_do_nothing(), rows)


def _insert_events(connection: sa.Connection, messages: Sequence[Decoded], now: datetime) -> int:
    """Append the facts that are new to the log; returns how many."""
    rows = [
        msgspec.structs.asdict(fact) | {"notification_digest": message.digest, "recorded_at": now}
        for message in messages
        for fact in message.feedback
    ]
    if not rows:
        return 0
    statement = insert(schema.feedback_event).on_conflict_do_nothing(index_elements=["dedupe_key"])
    return connection.execute(statement, rows).rowcount


def _load(connection: sa.Connection, keys: Sequence[str]) -> dict[str, _Row]:
    table = schema.address
    return {
        row.address: _Row.of(row)
        for chunk in (keys[i : i + _CHUNK] for i in range(0, len(keys), _CHUNK))
        for row in connection.execute(sa.select(table).where(table.c.address.in_(chunk)))
    }


def _save(connection: sa.Connection, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    statement = insert(schema.address)
    values = [row.values() for row in rows]
    replaced = {name: statement.excluded[name] for name in values[0] if name != "address"}
    upsert = statement.on_conflict_do_update(index_elements=["address"], set_=replaced)
    connection.execute(upsert, values)


def _unsettled(now: datetime) -> sa.Select[Any]:
    """Addresses of which the sender's tables have been told otherwise than holds now."""
    table = schema.address
    suppressed = schema.suppressed_at(now)
    return (
        sa.select(table)
        .where(
            (table.c.struck_off.is_(False) & suppressed)
            | (table.c.struck_off.is_(True) & sa.not_(suppressed))
        )
        .order_by(table.c.address)
        .limit(_CHUNK)
    )
