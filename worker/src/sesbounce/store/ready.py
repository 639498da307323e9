"""Prepares a batch before its transaction begins.

While a transaction that writes goes on, nobody else writes to SQLite. So what needs nothing of the
database is done before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.attribution import completed
from sesbounce.feedback.extract import Event, either_counted
from sesbounce.feedback.recording import Recording
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.store.bulk import Row
from sesbounce.store.event_log import event_rows, message_rows


class ReadyBatch(NamedTuple):
    """A batch that is ready for its transaction.

    Attributes:
        message_rows: the rows of the messages that SES published, each once.
        events: the events, each once, by dedupe key.
        event_rows: their rows in the log.
        learned: the states that the events give, by address.
        size: the number of events, with repetitions.
    """

    message_rows: Sequence[Row]
    events: Mapping[str, Event]
    event_rows: Sequence[Row]
    learned: Mapping[str, State]
    size: int


def ready_batch(dialect: sa.Dialect, recordings: Sequence[Recording], now: datetime) -> ReadyBatch:
    """Prepare a batch.

    Args:
        dialect: the kind of database.
        recordings: the batch, in any order, with any repetition.
        now: the time of the recording.
    """
    messages = {one.message.digest: one.message for one in recordings if one.message}
    arrived = _arrived(recordings)
    events = [event for recording in recordings for event in recording.events]
    return ReadyBatch(
        message_rows(dialect, messages.values(), now),
        {key: event for key, (event, _) in arrived.items()},
        event_rows(dialect, arrived.values(), now),
        _learned(events),
        len(events),
    )


def _learned(events: Iterable[Event]) -> dict[str, State]:
    learned: dict[str, State] = {}
    for event in events:
        if event.effect.is_evidence:  # a state learns nothing from other events
            key, state = event.address, learn(event)
            learned[key] = merge(learned[key], state) if key in learned else state
    return learned


def _arrived(recordings: Iterable[Recording]) -> dict[str, tuple[Event, str]]:
    """The events, each once, and the digests of their messages, by dedupe key."""
    merged: dict[str, tuple[Event, str]] = {}
    for recording in recordings:
        digest = recording.message.digest if recording.message else ""
        for event in recording.events:
            one = (event, digest)
            earlier = merged.get(event.dedupe_key)
            merged[event.dedupe_key] = _merged(earlier, one) if earlier else one
    return merged


def _merged(one: tuple[Event, str], other: tuple[Event, str]) -> tuple[Event, str]:
    """Merge two arrivals of one event: the later of them, with all that both say."""
    event, digest = other if one[0].occurred_at < other[0].occurred_at else one
    attribution = completed(one[0].attribution, other[0].attribution)
    stream = _widest(one[0].stream, other[0].stream)
    counted = either_counted(one[0], other[0])
    if (attribution, stream, counted) != (event.attribution, event.stream, event.counted):
        event = msgspec.structs.replace(
            event, attribution=attribution, stream=stream, counted=counted
        )
    return event, digest


def _widest(one: str | None, other: str | None) -> str | None:
    """The stream of an event that arrived with both: none counts for all, and is wider than any."""
    return min(one, other) if one and other else None
