"""Counts the events of the log once more, and corrects the tables of numbers by it.

The tables miss what was recorded before they existed, or by a worker of the release before. A
recount compares log and tables, a day in each transaction, as they were at one moment, and adds the
differences. Workers change both in one transaction, and only add to the tables, so they may go on
meanwhile. Where the log has been pruned, a recount raises numbers, and never lowers them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.extract import Event
from sesbounce.policy.tally import OUTCOMES, ProviderDay, SenderHour, Tally
from sesbounce.store import schema
from sesbounce.store.engine import translated
from sesbounce.store.event_log import event_of
from sesbounce.store.migrate import locked
from sesbounce.store.result import Numbers
from sesbounce.store.senders import add_numbers, read_day, read_hours

_DAY = timedelta(days=1)
_STREAMED = {"yield_per": 1000}
_NEVER = datetime.max.replace(tzinfo=UTC)
_NOTHING = (0,) * len(OUTCOMES)


class Recounted(Numbers):
    """What a recount did.

    Attributes:
        days: the days that have events in the log.
        events: these events.
        corrected: rows of the tables that were wrong or missing.
    """

    days: int = 0
    events: int = 0
    corrected: int = 0


def recount(engine: sa.Engine) -> Iterator[Recounted]:
    """Correct the numbers, and yield what was done for each day once it is committed.

    Raises:
        StoreError: the database can't be used; a second call does the rest.
    """
    day: datetime | None = None
    while True:
        with translated("the log can't be read"), engine.connect() as connection:
            first = connection.scalar(_first_event(day and day + _DAY))
        if first is None:
            return
        day = datetime.combine(first.date(), time(), UTC)
        with translated("the events were not counted"):
            yield _recount(engine, day)


def _first_event(since: datetime | None) -> sa.Select[Any]:
    query = sa.select(schema.event.c.occurred_at).order_by(schema.event.c.occurred_at).limit(1)
    return query if since is None else query.where(schema.event.c.occurred_at >= since)


def _recount(engine: sa.Engine, day: datetime) -> Recounted:
    # Only one process at a time: two would add the same differences.
    with locked(engine) as connection:
        with _at_one_moment(engine, connection) as reading:
            # What happened before was recorded before as well, or may have been pruned.
            oldest = reading.scalar(sa.select(sa.func.min(schema.event.c.recorded_at)))
            complete = oldest or _NEVER
            events, tally = _log_of(reading, day)
            hours = read_hours(reading, day, day + _DAY)
            days = read_day(reading, day.date())
        senders = _missing_hours(tally.senders(), hours, complete)
        providers = _missing_days(tally.providers(), days, complete)
        add_numbers(connection, senders, providers)
    return Recounted(days=1, events=events, corrected=len(senders) + len(providers))


@contextmanager
def _at_one_moment(engine: sa.Engine, connection: sa.Connection) -> Iterator[sa.Connection]:
    """A transaction whose queries all see what was committed at its first one."""
    if engine.dialect.name == "sqlite":  # nobody else can write
        yield connection
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        yield reading


def _counted(events: Iterable[Event]) -> Iterator[Event]:
    """The events of the log, of each complaint about several recipients one that counts.

    An earlier release did not record which one. It is the first one by address here.
    """
    counted: set[str | None] = set()
    undecided: dict[str, list[Event]] = {}
    for event in events:
        if event.shared and event.counted is None and event.feedback_id:
            undecided.setdefault(event.feedback_id, []).append(event)
            continue
        if event.counted:
            counted.add(event.feedback_id)
        yield event
    for feedback_id, some in undecided.items():
        first, *others = sorted(some, key=attrgetter("address"))
        yield msgspec.structs.replace(first, counted=feedback_id not in counted)
        yield from others


def _log_of(connection: sa.Connection, day: datetime) -> tuple[int, Tally]:
    """The number of events of a day, and what they add to the tables."""
    event = schema.event
    query = sa.select(event).where(event.c.occurred_at >= day, event.c.occurred_at < day + _DAY)
    events = 0

    def read() -> Iterator[Event]:
        nonlocal events
        for row in connection.execute(query, execution_options=_STREAMED):
            events += 1
            yield event_of(row)

    tally = Tally()
    tally.add(_counted(read()))
    return events, tally


def _missing_hours(
    log: Mapping[SenderHour, Sequence[int]],
    table: Mapping[SenderHour, Sequence[int]],
    complete: datetime,
) -> dict[SenderHour, list[int]]:
    missing = {
        cell: [
            _missing(counted, held, exact=cell.hour >= complete)
            for counted, held in zip(
                log.get(cell, _NOTHING), table.get(cell, _NOTHING), strict=True
            )
        ]
        for cell in log.keys() | table.keys()
    }
    return {cell: numbers for cell, numbers in missing.items() if any(numbers)}


def _missing_days(
    log: Mapping[ProviderDay, int], table: Mapping[ProviderDay, int], complete: datetime
) -> dict[ProviderDay, int]:
    missing = {
        cell: _missing(log.get(cell, 0), table.get(cell, 0), exact=cell.day > complete.date())
        for cell in log.keys() | table.keys()
    }
    return {cell: number for cell, number in missing.items() if number}


def _missing(counted: int, held: int, *, exact: bool) -> int:
    """What to add to a number of the table; below 0 only where the log is complete."""
    return counted - held if exact else max(counted - held, 0)
