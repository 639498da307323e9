"""Inserts messages and events into the log, and reads its events.

Each function works in the caller's transaction, with few statements, in the order of the keys.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import StoreError
from sesbounce.feedback.attribution import Attribution, completed
from sesbounce.feedback.extract import Event, either_counted
from sesbounce.feedback.recording import Message
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store import schema
from sesbounce.store.bulk import Insert, Row
from sesbounce.store.find import Find


def _getter(columns: Iterable[str]) -> Callable[[Event], tuple[Any, ...]]:
    """A function that returns the values of an event for some columns."""
    return attrgetter(*(f"attribution.{c}" if c in _ATTRIBUTED else c for c in columns))


_ATTRIBUTED = Attribution.__struct_fields__
_insert_messages = Insert(schema.message, "digest")
# What an event that arrives once more, perhaps in the other schema, may add to its row.
_GREATEST = ("occurred_at", "counted", *_ATTRIBUTED)
_append_events = Insert(schema.event, "dedupe_key")
_complete_events = Insert(schema.event, "dedupe_key", greatest=_GREATEST, widest="stream")
# A row of the log consists of the event's own columns, and of two about its origin.
_event_values = _getter(_append_events.columns[:-2])
_DEDUPE_KEY, _MESSAGE_DIGEST = map(_append_events.columns.index, ("dedupe_key", "message_digest"))
_greatest_values = _getter(_GREATEST)

_find_events = Find(
    sa.select(*(schema.event.c[name] for name in ("dedupe_key", "stream", *_GREATEST))),
    schema.event.c.dedupe_key,
)
_find_events_and_lock = Find(sa.select(schema.event).with_for_update(), schema.event.c.dedupe_key)
_find_who_recorded = Find(
    sa.select(schema.event.c.dedupe_key, schema.event.c.recorded_at, schema.event.c.message_digest),
    schema.event.c.dedupe_key,
)


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
