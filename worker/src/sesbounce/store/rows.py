"""Reads, inserts, locks and saves the rows of sesbounce's tables, on each kind of database.

Each function works in the caller's transaction, with few statements, in the order of the keys.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, Self

import msgspec
import sqlalchemy as sa

from sesbounce.errors import StoreError
from sesbounce.feedback.attribution import Attribution, completed
from sesbounce.feedback.extract import Event, either_counted
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Message
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Verdict
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.bulk import Find, Insert, Row
from sesbounce.store.columns import UtcDateTime
from sesbounce.store.statements import Parameters

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode


class AddressRow(msgspec.Struct, frozen=True, gc=False):
    """One row of the table of addresses.

    Attributes:
        key: the key of the address, or its keyed hash if it is forgotten.
        state: the evidence for the verdict.
        verdict: what follows from the state.
        struck_off: whether the sender's tables reflect a suppression.
        streams: the verdicts of the streams in which the address is suppressed when it is not in
            all.
        was_for_good: whether the suppression had no end before the row was changed.
        plain_address: the address behind the keyed hash of a forgotten one, if an event has just
            named it; it is for the sender's tables alone, and never stored.
    """

    key: str
    state: State = State()
    verdict: Verdict = Verdict()
    struck_off: bool = False
    was_for_good: bool = False
    plain_address: str = ""
    streams: Mapping[str, Verdict] = {}

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        """Make one of a row from the database with all columns but `_TIMES`, in their order."""
        values: tuple[Any, ...] = tuple(row)
        key, state, _, since, until, reason, kind, why, struck_off, _ = values
        return cls(key, _decode_state(state), _verdict(since, until, reason, kind, why), struck_off)

    def changed(
        self, state: State, verdict: Verdict, streams: Mapping[str, Verdict], plain_address: str
    ) -> Self:
        """The row with another state and other verdicts."""
        was_for_good = self.verdict.for_good
        return type(self)(
            self.key, state, verdict, self.struck_off, was_for_good, plain_address, streams
        )

    @property
    def was_or_is_for_good(self) -> bool:
        """Whether the suppression has or had no end: some targets keep only such ones."""
        return self.verdict.for_good or self.was_for_good

    @property
    def hard_at(self) -> datetime | None:
        """When the address last bounced hard."""
        return self.state.hard.at if self.state.hard else None

    @property
    def address(self) -> str:
        """The address, for the sender's tables and for targets."""
        return self.plain_address or self.key

    @property
    def original(self) -> str:
        """The address as SES wrote it."""
        return self.state.spelling.text if self.state.spelling else self.key

    def values(self, *, struck_off: bool) -> tuple[Any, ...]:
        """The values of all columns of the table but `_TIMES`, in their order."""
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
            self.hard_at,
        )

    def parameters(self) -> Parameters:
        """The parameters for a statement of the sender."""
        verdict = self.verdict
        return Parameters(
            address=self.address,
            original=self.plain_address or self.original,
            reason=verdict.reason,
            kind=verdict.kind,
            occurred_at=verdict.since.isoformat() if verdict.since else None,
            why=verdict.why,
        )


def _getter(columns: Iterable[str]) -> Callable[[Event], tuple[Any, ...]]:
    """A function that returns the values of an event for some columns."""
    return attrgetter(*(f"attribution.{c}" if c in _ATTRIBUTED else c for c in columns))


_ATTRIBUTED = Attribution.__struct_fields__
_insert_messages = Insert(schema.message, "digest")
# What an event that arrives once more, perhaps in the other schema, may add to its row.
_GREATEST = ("occurred_at", "counted", *_ATTRIBUTED)
_append_events = Insert(schema.event, "dedupe_key")
_complete_events = Insert(schema.event, "dedupe_key", greatest=_GREATEST, widest="stream")


def _verdict(since: Any, until: Any, reason: Any, kind: Any, why: Any) -> Verdict:
    return Verdict(
        since=since,
        until=until,
        reason=reason and Reason(reason),
        kind=kind and Kind(kind),
        why=why,
    )


# A row keeps these until there are later ones, so that nobody reads or writes them otherwise.
_TIMES = ("struck_off_at", "restored_at")
_insert_addresses = Insert(schema.address, "address", without=_TIMES)
# SQLite rewrites the indexes of all columns in the statement, whether their values change or not.
# So a row whose verdict stays is saved by a statement without the verdict's columns.
_save_states = Insert(schema.address, "address", replace=("state", "original"), without=_TIMES)
_save_verdicts = Insert(
    schema.address, "address", replace=_insert_addresses.columns[1:], greatest=_TIMES
)
# A row of the log consists of the event's own columns, and of two about its origin.
_event_values = _getter(_append_events.columns[:-2])
_DEDUPE_KEY, _MESSAGE_DIGEST = map(_append_events.columns.index, ("dedupe_key", "message_digest"))
_greatest_values = _getter(_GREATEST)

_addresses = schema.address.c.address
_mark = (
    sa.update(schema.address)
    .where(_addresses == sa.bindparam("key"))
    .values(
        struck_off=sa.bindparam("value"),
        struck_off_at=sa.func.coalesce(
            sa.bindparam("struck", type_=UtcDateTime()), schema.address.c.struck_off_at
        ),
        restored_at=sa.func.coalesce(
            sa.bindparam("restored", type_=UtcDateTime()), schema.address.c.restored_at
        ),
    )
)
_find_events = Find(
    sa.select(*(schema.event.c[name] for name in ("dedupe_key", "stream", *_GREATEST))),
    schema.event.c.dedupe_key,
)
_find_events_and_lock = Find(sa.select(schema.event).with_for_update(), schema.event.c.dedupe_key)
_find_who_recorded = Find(
    sa.select(schema.event.c.dedupe_key, schema.event.c.recorded_at, schema.event.c.message_digest),
    schema.event.c.dedupe_key,
)
_find_keys = Find(sa.select(_addresses), _addresses)
_select_rows = sa.select(*(schema.address.c[name] for name in _insert_addresses.columns))
_find_rows = Find(_select_rows, _addresses)
_find_rows_and_lock = Find(_select_rows.with_for_update(), _addresses)
_find_streams = Find(sa.select(schema.stream), schema.stream.c.address)
_find_free_rows = Find(_select_rows.with_for_update(skip_locked=True), _addresses)


def known_addresses(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """The addresses among these that have a row."""
    return {row.address for row in _find_keys(connection, sorted(set(keys)))}


def message_rows(dialect: sa.Dialect, messages: Iterable[Message], now: datetime) -> Sequence[Row]:
    """The rows of messages, for `insert_messages`."""
    return _insert_messages.ready(
        dialect, ((m.digest, m.kind, m.mail_id, m.payload.decode(), now) for m in messages)
    )


def insert_messages(connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Insert messages, also those of kinds unknown to this version; known ones stay."""
    _insert_messages.send(connection, rows)


def event_rows(
    dialect: sa.Dialect, events: Iterable[tuple[Event, str]], now: datetime
) -> Sequence[Row]:
    """The rows of events in the log, for `insert_events`.

    Args:
        dialect: the kind of database.
        events: the events, each once, with the digests of their messages.
        now: the time of the recording.
    """
    return _append_events.ready(
        dialect,
        (
            (*_event_values(event), "" if is_forgotten(event.address) else digest, now)
            for event, digest in events
        ),
    )


class Inserted(NamedTuple):
    """What inserting events changed in the log.

    Attributes:
        new: events that the log did not hold.
        changed: events of which the time, the attribution or whether they count changed: as the
            log held them, and as it does now.
    """

    new: list[Event]
    changed: list[tuple[Event, Event]]


def insert_events(
    connection: sa.Connection, events: Mapping[str, Event], rows: Sequence[Row], now: datetime
) -> Inserted:
    """Append the new events to the log.

    If an event arrives twice with different times, the log keeps the later time, as states do: so
    states follow from the log, in whatever order the messages arrived. It keeps all that the
    messages say about the attribution, and a complaint counts by a recipient if one of them says
    so. An event that arrives once without a stream has none in the log, and one with two has the
    first by name.

    Args:
        connection: the caller's transaction.
        events: the events by dedupe key.
        rows: their rows, from `event_rows`.
        now: the time of the recording.
    """
    known = {row.dedupe_key: row for row in _find_events(connection, sorted(events))}
    new = {row[_DEDUPE_KEY]: row for row in rows if row[_DEDUPE_KEY] not in known}
    taken = _append(connection, new, now)
    inserted = Inserted([events[key] for key in new if key not in taken], [])
    adding = [
        key
        for key in sorted(known.keys() | taken)
        if key in taken or _adds(events[key], known[key])
    ]
    if adding:
        _complete(connection, {key: events[key] for key in adding}, now, inserted.changed)
    return inserted


def _append(connection: sa.Connection, rows: Mapping[str, Row], now: datetime) -> set[str]:
    """Insert rows by their keys; returns the keys of those that another writer inserted first."""
    inserted = _append_events.send(connection, list(rows.values()))
    dialect = connection.dialect.name
    # SQLite has one writer at a time, and PostgreSQL says how many rows it has inserted.
    if not rows or dialect == "sqlite" or (dialect == "postgresql" and inserted == len(rows)):
        return set()
    return {
        found.dedupe_key
        for found in _find_who_recorded(connection, sorted(rows))
        if (found.message_digest, found.recorded_at)
        != (rows[found.dedupe_key][_MESSAGE_DIGEST], now)
    }


def _complete(
    connection: sa.Connection,
    events: Mapping[str, Event],
    now: datetime,
    changed: list[tuple[Event, Event]],
) -> None:
    """Add to rows of the log what their events say beyond them.

    Args:
        connection: the caller's transaction.
        events: the events that are in the log, in the order of their keys.
        now: the time of the recording; the rows keep theirs.
        changed: gets each event of `Inserted.changed`, before and after.
    """
    rows = []
    # Locked, so that they are what this transaction changes, and no other one.
    for row in _find_events_and_lock(connection, list(events)):
        event, before = events[row.dedupe_key], event_of(row)
        rows.append((*_event_values(event), "", now))
        after = msgspec.structs.replace(
            before,
            occurred_at=max(event.occurred_at, before.occurred_at),
            counted=either_counted(event, before),
            attribution=completed(event.attribution, before.attribution),
        )
        if after != before:
            changed.append((before, after))
    _complete_events(connection, rows)


def _adds(event: Event, known: sa.Row[Any]) -> bool:
    """Whether an event says something that its row of the log does not hold."""
    held: Sequence[Any] = known[2:]
    return event.stream != known.stream or any(
        new is not None and (old is None or new > old)
        for new, old in zip(_greatest_values(event), held, strict=True)
    )


def lock_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Lock and return the rows of these addresses, in their order; insert the missing rows.

    Nobody else sees a row that this transaction has inserted. Another transaction may insert one of
    the missing rows first: that row is locked last, whatever its key. If two transactions therefore
    wait for each other, the database ends one of them, and the caller retries it.
    """
    rows = _found(connection, _find_rows_and_lock, keys)
    missing = [key for key in keys if key not in rows]
    new = (AddressRow(key).values(struck_off=False) for key in missing)
    if _insert_addresses(connection, new) != len(missing):
        rows |= _found(connection, _find_rows_and_lock, missing)
    return {key: rows.get(key) or AddressRow(key) for key in keys}


def lock_rows_to_save(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Do the same as `lock_rows` for a caller that will save each missing row.

    On SQLite no other transaction writes before this one ends, so there is no need to insert the
    missing rows first.
    """
    if connection.dialect.name == "sqlite":
        return load_rows(connection, keys)
    return lock_rows(connection, keys)


def load_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Read the rows of these addresses; a missing row has an empty state."""
    rows = _found(connection, _find_rows, keys)
    return {key: rows.get(key) or AddressRow(key) for key in keys}


def _found(connection: sa.Connection, find: Find, keys: Sequence[str]) -> dict[str, AddressRow]:
    """The rows that there are of these addresses, with the verdicts of streams."""
    found = {row.address: AddressRow.of(row) for row in find(connection, keys)}
    if in_streams := [row for row in found.values() if row.state.streams]:
        found |= _with_streams(connection, in_streams)
    return found


def _with_streams(connection: sa.Connection, rows: Sequence[AddressRow]) -> dict[str, AddressRow]:
    """Add the verdicts of streams to rows."""
    streams: dict[str, dict[str, Verdict]] = {row.key: {} for row in rows}
    for found in _find_streams(connection, sorted(streams)):
        values: tuple[Any, ...] = tuple(found)
        key, stream, *verdict = values
        streams[key][stream] = _verdict(*verdict)
    return {row.key: msgspec.structs.replace(row, streams=streams[row.key]) for row in rows}


def lock_free_rows(connection: sa.Connection, keys: Sequence[str]) -> list[AddressRow]:
    """Lock and return the rows of these addresses, without those that others have locked."""
    return [AddressRow.of(row) for row in _find_free_rows(connection, keys)]


def save_rows(
    connection: sa.Connection,
    before: Mapping[str, AddressRow],
    rows: Iterable[AddressRow],
    struck_off: Mapping[str, bool],
    now: datetime,
) -> None:
    """Save the states and verdicts of locked rows.

    Args:
        connection: the caller's transaction.
        before: the rows as they were, by key.
        rows: the rows as they are now.
        struck_off: new values of `struck_off`, by key.
        now: the time of these.
    """
    states: list[Row] = []
    verdicts: list[Row] = []
    for row in rows:
        earlier = before[row.key]
        same = row.verdict == earlier.verdict and row.hard_at == earlier.hard_at
        new = struck_off.get(row.key)
        if new is not None:
            times = (now, None) if new else (None, now)
            verdicts.append((*row.values(struck_off=new), *times))
        elif same:
            states.append(row.values(struck_off=row.struck_off))
        else:
            verdicts.append((*row.values(struck_off=row.struck_off), None, None))
    _save_states(connection, states)
    _save_verdicts(connection, verdicts)


def save_streams(
    connection: sa.Connection, before: Mapping[str, AddressRow], rows: Iterable[AddressRow]
) -> None:
    """Save the verdicts of streams of locked rows.

    Args:
        connection: the caller's transaction.
        before: the rows as they were, by key.
        rows: the rows as they are now.
    """
    changed = [row for row in rows if row.streams != before[row.key].streams]
    former = [row.key for row in changed if before[row.key].streams]
    if former:
        connection.execute(sa.delete(schema.stream).where(schema.stream.c.address.in_(former)))
    values = [
        {
            "address": row.key,
            "stream": stream,
            "suppressed_since": verdict.since,
            "suppressed_until": verdict.until,
            "reason": verdict.reason,
            "kind": verdict.kind,
            "why": verdict.why,
        }
        for row in changed
        for stream, verdict in row.streams.items()
    ]
    if values:
        connection.execute(sa.insert(schema.stream), values)


def mark_rows(connection: sa.Connection, struck_off: Mapping[str, bool], now: datetime) -> None:
    """Save that addresses have been struck off, or restored.

    Args:
        connection: the caller's transaction.
        struck_off: the new values of `struck_off`, by key.
        now: the time of these.
    """
    if struck_off:
        connection.execute(
            _mark,
            [
                {"key": key, "value": True, "struck": now, "restored": None}
                if value
                else {"key": key, "value": False, "struck": None, "restored": now}
                for key, value in sorted(struck_off.items())
            ],
        )


def unmark_rows(connection: sa.Connection, keys: Iterable[str], *, struck_off: bool) -> None:
    """Save that addresses have not been struck off, or not been restored.

    `save_rows` may have replaced the time at which that was done before: it is not known any more.

    Args:
        connection: the caller's transaction.
        keys: the keys of the rows.
        struck_off: the value of `struck_off` that these rows keep.
    """
    values = [{"key": key} for key in sorted(keys)]
    if values:
        time = "restored_at" if struck_off else "struck_off_at"
        update = sa.update(schema.address).where(_addresses == sa.bindparam("key"))
        connection.execute(update.values({"struck_off": struck_off, time: None}), values)


def event_of(row: sa.Row[Any]) -> Event:
    """Convert a row of the log to an event.

    Raises:
        StoreError: a newer version has written a value that this one does not know.
    """
    try:
        event = msgspec.convert(row, Event, from_attributes=True)
        attribution = msgspec.convert(row, Attribution, from_attributes=True)
        return msgspec.structs.replace(event, attribution=attribution)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"event {row.id} of the log can't be read ({error}): a newer sesbounce has written it; "
            "use that version"
        ) from error
