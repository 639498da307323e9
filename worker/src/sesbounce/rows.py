"""The rows of sesbounce's tables: read, inserted, locked and saved, on each kind of database.

Everything happens in the caller's transaction, in few statements, in the order of the keys.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from sesbounce import schema
from sesbounce.decode import Decoded
from sesbounce.notification import Kind
from sesbounce.policy import State, Verdict
from sesbounce.pseudonym import is_forgotten
from sesbounce.reason import Reason
from sesbounce.strike_off import Parameters

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode

# Bound parameters in one statement; SQLite's limit is 32,766.
CHUNK = 1000
_VERDICT = ("state", "original", "suppressed_since", "suppressed_until", "reason", "kind", "why")


class AddressRow(msgspec.Struct, frozen=True):
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


def insert_new(
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


def known_keys(connection: sa.Connection, column: sa.Column[str], keys: Iterable[str]) -> set[str]:
    """Which of the keys are there."""
    return {
        found
        for chunk in _chunks(sorted(set(keys)))
        for found in connection.scalars(sa.select(column).where(column.in_(chunk)))
    }


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[i : i + CHUNK] for i in range(0, len(keys), CHUNK))


def insert_messages(connection: sa.Connection, messages: Sequence[Decoded], now: datetime) -> None:
    """Keep what SES published, once, whether this version knows its kind or not."""
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
    for digest in known_keys(connection, schema.message.c.digest, rows):
        del rows[digest]
    insert_new(connection, schema.message, rows.values())


def insert_events(connection: sa.Connection, messages: Sequence[Decoded], now: datetime) -> int:
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
    known = known_keys(connection, schema.event.c.dedupe_key, latest)
    insert_new(connection, schema.event, latest.values(), latest="occurred_at")
    return len(latest) - len(known)


def lock_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """The rows of these addresses, made where they were not, and locked in their order."""
    missing = set(keys) - known_keys(connection, schema.address.c.address, keys)
    insert_new(connection, schema.address, (AddressRow(key).values() for key in missing))
    return load_rows(connection, keys, lock=True)


def load_rows(
    connection: sa.Connection, keys: Sequence[str], *, lock: bool
) -> dict[str, AddressRow]:
    """The rows of these addresses; unless locked, as if nothing were known where there is none."""
    table = schema.address
    rows = {} if lock else {key: AddressRow(key) for key in keys}
    for chunk in _chunks(keys):
        query = sa.select(table).where(table.c.address.in_(chunk)).order_by(table.c.address)
        found = connection.execute(query.with_for_update() if lock else query)
        rows |= {row.address: AddressRow.of(row) for row in found}
    return rows


def save_rows(connection: sa.Connection, rows: Sequence[AddressRow]) -> None:
    """Save the states and verdicts of rows that are there and locked."""
    if not rows:
        return
    table = schema.address
    values = [{**row.values(), "key": row.key} for row in rows]
    columns = {name: sa.bindparam(name, type_=table.c[name].type) for name in _VERDICT}
    connection.execute(
        sa.update(table).where(table.c.address == sa.bindparam("key")).values(columns), values
    )


def mark_rows(connection: sa.Connection, rows: Sequence[AddressRow], *, struck_off: bool) -> None:
    """Note whether the sender's own tables have been told of these addresses."""
    if rows:
        connection.execute(
            sa.update(schema.address)
            .where(schema.address.c.address == sa.bindparam("key"))
            .values(struck_off=struck_off),
            [{"key": row.key} for row in rows],
        )
