"""Reads the suppressed addresses and the event log page by page.

A page begins behind the place where the page before it ended (keyset pagination): the last page
costs what the first one does, and rows that are added meanwhile move nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.store import schema
from sesbounce.store.deciding import ANY_EVENT, EventFilter
from sesbounce.store.engine import answering
from sesbounce.store.lookup import Answer, EventRow, Filter, listed, matching

_Item = TypeVar("_Item")
_LARGEST = 2**63 - 1


class ListPlace(msgspec.Struct, frozen=True, array_like=True):
    """A place in the list of the suppressed addresses: the last one of a page.

    Attributes:
        since: when the suppression began, UTC.
        address: the key of the address.
        stream: the stream to which the suppression is limited; empty if it counts for all.
    """

    since: datetime
    address: str
    stream: str = ""


LogPlace = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
"""A place in the event log: the number of the last event of a page."""


class LoggedEvent(EventRow, frozen=True, kw_only=True):
    """One recorded event, with the key of its address."""

    address: str


class LogFilter(NamedTuple):
    """Selects events of the log; what is None selects all.

    Attributes:
        names: the names of an address in the tables.
        kind: the kind of the events.
        reason: their reason.
        since: only events that occurred at or after this time.
        until: only events that occurred before this time.
        wanted: only events with this attribution.
    """

    names: Collection[str] | None = None
    kind: Kind | None = None
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    wanted: EventFilter = ANY_EVENT


def suppressed_page(
    engine: sa.Engine, now: datetime, wanted: Filter, limit: int, after: ListPlace | None
) -> tuple[list[Answer], ListPlace | None]:
    """A page of the addresses that must not be mailed at this time, the latest suppression first.

    Those that are suppressed in one stream alone come after all others.

    Args:
        engine: the database.
        now: the time.
        wanted: selects the addresses; its `limit` and `offset` do not count.
        limit: the maximum number of addresses.
        after: where the page before ended; None for the first page.

    Returns:
        The answers, and where the next page begins; None behind the last page.

    Raises:
        AddressError: the filter's domain is not a domain.
        StoreError: the database can't answer.
    """
    with answering("the list was not read"), engine.connect() as connection:
        rows = list(islice(_suppressed(connection, now, wanted, limit + 1, after), limit + 1))
    page, more = _split(rows, limit)
    last = page[-1] if more else None
    place = ListPlace(last.suppressed_since, last.address, _stream(last)) if last else None
    return [listed(row, now) for row in page], place


def events_page(
    engine: sa.Engine, wanted: LogFilter, limit: int, after: int | None
) -> tuple[list[LoggedEvent], int | None]:
    """A page of the event log, the event that was recorded last first.

    Args:
        engine: the database.
        wanted: selects the events.
        limit: the maximum number of events.
        after: where the page before ended; None for the first page.

    Returns:
        The events, and where the next page begins; None behind the last page.

    Raises:
        StoreError: the database can't answer.
    """
    event = schema.event.c
    query = sa.select(event.id, *(event[name] for name in LoggedEvent.__struct_fields__))
    with answering("the events were not read"), engine.connect() as connection:
        query = query.where(*_conditions(wanted, connection.dialect.name))
        if after is not None:
            query = query.where(event.id < after)
        rows = connection.execute(query.order_by(event.id.desc()).limit(limit + 1)).all()
    page, more = _split(rows, limit)
    return [_logged(row) for row in page], page[-1].id if more else None


def _split(rows: Sequence[_Item], limit: int) -> tuple[Sequence[_Item], bool]:
    """The rows of a page, of which one more was read, and whether there are more of them."""
    return rows[:limit], len(rows) > limit


def _suppressed(
    connection: sa.Connection, now: datetime, wanted: Filter, limit: int, after: ListPlace | None
) -> Iterator[sa.Row[Any]]:
    """The rows of the table of addresses, and then those of the streams."""
    for table in (schema.address, schema.stream):
        in_streams = table is schema.stream
        if after and after.stream and not in_streams:
            continue
        keys = [
            table.c.suppressed_since,
            table.c.address,
            *([table.c.stream] if in_streams else []),
        ]
        query = matching(table, now, wanted).order_by(*(key.desc() for key in keys)).limit(limit)
        if after and in_streams == bool(after.stream):
            query = query.where(_behind(keys, [after.since, after.address, after.stream]))
        yield from connection.execute(query)


def _behind(
    keys: Sequence[sa.Column[Any]], values: Sequence[datetime | str]
) -> sa.ColumnElement[bool]:
    """The condition that a row comes after one with these values; all keys run downward."""
    first, *others = keys
    if not others:
        return first < values[0]
    # The first condition alone lets every database use its index on the first key.
    return (first <= values[0]) & ((first < values[0]) | _behind(others, values[1:]))


def _stream(row: sa.Row[Any]) -> str:
    return str(row.stream) if "stream" in row._fields else ""


def _conditions(wanted: LogFilter, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    event = schema.event.c
    if wanted.names is not None:
        yield event.address.in_(wanted.names)
    if wanted.kind:
        yield event.kind == wanted.kind
    if wanted.reason:
        yield event.reason == wanted.reason
    if wanted.since:
        yield event.occurred_at >= wanted.since
    if wanted.until:
        yield event.occurred_at < wanted.until
    yield from wanted.wanted.conditions(dialect)


def _logged(row: sa.Row[Any]) -> LoggedEvent:
    values = row._asdict()
    del values["id"]
    tags = values.pop("tags")
    return LoggedEvent(**values, tags=msgspec.json.decode(tags) if tags else None)
