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
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
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
        plain_address: the address behind the keyed hash of a forgotten one, where an event has
            just named it; it is for the sender's tables, and never kept.
    """

    key: str
    state: State = State()
    verdict: Verdict = Verdict()
    struck_off: bool = False
    was_for_good: bool = False
    plain_address: str = ""

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

    def changed(self, state: State, verdict: Verdict, plain_address: str) -> Self:
        """What becomes of it."""
        return type(self)(
            self.key, state, verdict, self.struck_off, self.verdict.for_good, plain_address
        )

    @property
    def was_or_is_for_good(self) -> bool:
        """Whether it is or was suppressed without an end, which some targets act on alone."""
        return self.verdict.for_good or self.was_for_good

    @property
    def address(self) -> str:
        """The address, for the sender's tables and for targets."""
        return self.plain_address or self.key

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
            address=self.address,
            original=self.plain_address or self.original,
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
# A row of the log holds what the event holds, and then where it comes from.
_own_columns = attrgetter(*_insert_events.columns[: len(Event.__struct_fields__)])

_addresses = schema.address.c.address
_find_events = Find(
    sa.select(schema.event.c.dedupe_key, schema.event.c.occurred_at), schema.event.c.dedupe_key
)
_find_keys = Find(sa.select(_addresses), _addresses)
_find_rows = Find(sa.select(schema.address), _addresses)
_find_rows_and_lock = Find(sa.select(schema.address).with_for_update(), _addresses)


def known_addresses(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """Which of the addresses have a row."""
    return {row.address for row in _find_keys(connection, sorted(set(keys)))}


def insert_messages(
    connection: sa.Connection, recordings: Iterable[Recording], now: datetime
) -> None:
    """Keep what SES published, once, whether this version knows its kind or not."""
    messages = {one.message.digest: one.message for one in recordings if one.message}
    _insert_messages(
        connection,
        ((m.digest, m.kind, m.mail_id, m.payload.decode(), now) for m in messages.values()),
    )


def insert_events(
    connection: sa.Connection, recordings: Iterable[Recording], now: datetime
) -> dict[str, int]:
    """Append the events that are new to the log; returns how many, by kind.

    An event that comes again with a later time keeps the later one, as states do: the log stays
    what they follow from, whatever came first.
    """
    latest: dict[str, tuple[Event, str]] = {}
    for recording in recordings:
        digest = recording.message.digest if recording.message else ""
        for event in recording.events:
            earlier = latest.get(event.dedupe_key)
            if earlier is None or earlier[0].occurred_at < event.occurred_at:
                latest[event.dedupe_key] = (event, digest)
    known = dict(map(tuple, _find_events(connection, list(latest))))
    kinds: dict[str, int] = {}
    rows = []
    for key, (event, digest) in latest.items():
        if key not in known:
            kinds[event.kind.value] = kinds.get(event.kind.value, 0) + 1
        elif event.occurred_at <= known[key]:
            continue
        rows.append((*_own_columns(event), "" if is_forgotten(event.address) else digest, now))
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
    struck_off: Mapping[str, bool],
) -> None:
    """Save the states and verdicts of rows that are locked.

    Args:
        connection: the caller's transaction.
        before: what they were.
        rows: what they are now.
        struck_off: whose `struck_off` changes, and to what.
    """
    states: list[Row] = []
    verdicts: list[Row] = []
    for row in rows:
        same = row.key not in struck_off and row.verdict == before[row.key].verdict
        values = row.values(struck_off=struck_off.get(row.key, row.struck_off))
        (states if same else verdicts).append(values)
    _save_states(connection, states)
    _save_verdicts(connection, verdicts)


def mark_rows(connection: sa.Connection, struck_off: Mapping[str, bool]) -> None:
    """Note which addresses are struck off in the sender's tables."""
    if struck_off:
        connection.execute(
            sa.update(schema.address)
            .where(schema.address.c.address == sa.bindparam("key"))
            .values(struck_off=sa.bindparam("value")),
            [{"key": key, "value": value} for key, value in sorted(struck_off.items())],
        )


def event_of(row: sa.Row[Any]) -> Event:
    """A event as it stands in the log.

    Raises:
        StoreError: it holds what a newer version has written.
    """
    try:
        return msgspec.convert(row, Event, from_attributes=True)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"event {row.id} of the log can't be read ({error}): a newer sesbounce has written it; "
            "use that one"
        ) from error
