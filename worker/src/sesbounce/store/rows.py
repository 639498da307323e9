"""The rows of sesbounce's tables: read, inserted, locked and saved, on each kind of database.

Everything happens in the caller's transaction, in few statements, in the order of the keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from sesbounce.errors import StoreError
from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Verdict
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.bulk import Find, Insert, Row
from sesbounce.store.strike_off import Parameters

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode


class AddressRow(msgspec.Struct, frozen=True, gc=False):
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
        """From the database: all columns, in their order."""
        values: tuple[Any, ...] = tuple(row)
        key, state, _, since, until, reason, kind, why, struck_off = values
        verdict = Verdict(
            since=since,
            until=until,
            reason=reason and Reason(reason),
            kind=kind and Kind(kind),
            why=why,
        )
        return cls(key, _decode_state(state), verdict, struck_off)

    def changed(self, state: State, verdict: Verdict, named: str) -> Self:
        """What becomes of it."""
        return type(self)(self.key, state, verdict, self.struck_off, self.verdict.for_good, named)

    @property
    def told_for_good(self) -> bool:
        """Whether it is suppressed without an end, or was: what others are told or untold."""
        return self.verdict.for_good or self.was_for_good

    @property
    def called(self) -> str:
        """The address, for those who are told of it."""
        return self.named or self.key

    @property
    def original(self) -> str:
        """The address as SES wrote it."""
        return self.state.spelling.text if self.state.spelling else self.key

    def values(self, *, struck_off: bool) -> tuple[Any, ...]:
        """For the database, in the order of the columns."""
        verdict = self.verdict
        return (
            self.key,
            _encode_state(self.state).decode(),
            self.original,
            verdict.since,
            verdict.until,
            verdict.reason,
            verdict.kind,
            verdict.why,
            struck_off,
        )

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


_insert_messages = Insert(schema.message, "digest")
_insert_events = Insert(schema.event, "dedupe_key", latest="occurred_at")
_insert_addresses = Insert(schema.address, "address")
# SQLite writes the indexes of all columns that it is given anew, whether they change or not:
# where the verdict stays, it is not given.
_save_states = Insert(schema.address, "address", replace=("state", "original"))
_save_verdicts = Insert(schema.address, "address", replace=_insert_addresses.columns[1:])
# The log says of a fact what the fact says of itself, and then where it comes from.
_said = attrgetter(*_insert_events.columns[: len(Feedback.__struct_fields__)])

_addresses = schema.address.c.address
_find_facts = Find(
    sa.select(schema.event.c.dedupe_key, schema.event.c.occurred_at), schema.event.c.dedupe_key
)
_find_keys = Find(sa.select(_addresses), _addresses)
_find_rows = Find(sa.select(schema.address), _addresses)
_find_rows_and_lock = Find(sa.select(schema.address).with_for_update(), _addresses)

_NOT_KEPT = frozenset({Kind.SETUP, Kind.MANUAL})


def known_addresses(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """Which of the addresses have a row."""
    return {row.address for row in _find_keys(connection, sorted(set(keys)))}


def insert_messages(connection: sa.Connection, messages: Iterable[Decoded], now: datetime) -> None:
    """Keep what SES published, once, whether this version knows its kind or not."""
    kept = {
        message.digest: (
            message.digest,
            message.kind,
            message.mail_id,
            message.payload.decode(),
            now,
        )
        for message in messages
        if message.kind not in _NOT_KEPT
    }
    _insert_messages(connection, kept.values())


def insert_events(
    connection: sa.Connection, messages: Iterable[Decoded], now: datetime
) -> dict[str, int]:
    """Append the facts that are new to the log; returns how many, by kind.

    A fact that is told again with a later time keeps the later one, as states do: the log stays
    what they follow from, whatever came first.
    """
    latest: dict[str, tuple[Feedback, str]] = {}
    for message in messages:
        for fact in message.feedback:
            told = latest.get(fact.dedupe_key)
            if told is None or told[0].occurred_at < fact.occurred_at:
                latest[fact.dedupe_key] = (fact, message.digest)
    known = dict(map(tuple, _find_facts(connection, list(latest))))
    kinds: dict[str, int] = {}
    rows = []
    for key, (fact, digest) in latest.items():
        if key not in known:
            kinds[fact.kind.value] = kinds.get(fact.kind.value, 0) + 1
        elif fact.occurred_at <= known[key]:
            continue
        rows.append((*_said(fact), "" if is_forgotten(fact.address) else digest, now))
    _insert_events(connection, rows)
    return kinds


def lock_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """The rows of these addresses, made where they were not, and locked in their order."""
    missing = set(keys) - known_addresses(connection, keys)
    _insert_addresses(connection, (AddressRow(key).values(struck_off=False) for key in missing))
    return load_rows(connection, keys, lock=True)


def lock_rows_to_save(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """As `lock_rows`, for those who save every row of which nothing was known.

    On SQLite nobody else writes before this transaction ends: such a row is not made before.
    """
    if connection.dialect.name == "sqlite":
        return load_rows(connection, keys, lock=False)
    return lock_rows(connection, keys)


def load_rows(
    connection: sa.Connection, keys: Sequence[str], *, lock: bool
) -> dict[str, AddressRow]:
    """The rows of these addresses; unless locked, as if nothing were known where there is none."""
    find = _find_rows_and_lock if lock else _find_rows
    found = {row.address: AddressRow.of(row) for row in find(connection, keys)}
    return {key: found.get(key) or AddressRow(key) for key in keys}


def save_rows(
    connection: sa.Connection,
    before: Mapping[str, AddressRow],
    rows: Iterable[AddressRow],
    told: Mapping[str, bool],
) -> None:
    """Save the states and verdicts of rows that are locked.

    Args:
        connection: the caller's transaction.
        before: what they were.
        rows: what they are now.
        told: whose `struck_off` changes, and to what.
    """
    states: list[Row] = []
    verdicts: list[Row] = []
    for row in rows:
        same = row.key not in told and row.verdict == before[row.key].verdict
        values = row.values(struck_off=told.get(row.key, row.struck_off))
        (states if same else verdicts).append(values)
    _save_states(connection, states)
    _save_verdicts(connection, verdicts)


def mark_rows(connection: sa.Connection, told: Mapping[str, bool]) -> None:
    """Note whether the sender's own tables have been told to strike addresses off."""
    if told:
        connection.execute(
            sa.update(schema.address)
            .where(schema.address.c.address == sa.bindparam("key"))
            .values(struck_off=sa.bindparam("told")),
            [{"key": key, "told": struck_off} for key, struck_off in sorted(told.items())],
        )


def fact_of(row: sa.Row[Any]) -> Feedback:
    """A fact as it stands in the log.

    Raises:
        StoreError: it holds what a newer version has written.
    """
    try:
        return msgspec.convert(row, Feedback, from_attributes=True)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"fact {row.id} of the log can't be read ({error}): a newer sesbounce has written it; "
            "use that one"
        ) from error
