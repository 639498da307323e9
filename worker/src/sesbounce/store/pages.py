"""Reads the suppressed addresses and the event log page by page.

A page begins behind the place where the page before it ended (keyset pagination): the last page
costs what the first one does, and rows that are added meanwhile move nothing.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.store import schema
from sesbounce.store.deciding import ANY_EVENT, EventFilter
from sesbounce.store.engine import answering
from sesbounce.store.lookup import Answer, EventRow, Filter, at_domain, listed, matching

_Item = TypeVar("_Item")
_LARGEST = 2**63 - 1
# Addresses that a query looks at together, between two looks at the clock.
_LOOKED_AT = 4000
_address = schema.address.c


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
    engine: sa.Engine,
    now: datetime,
    wanted: Filter,
    limit: int,
    after: ListPlace | None,
    *,
    seconds: float | None = None,
) -> tuple[list[Answer], ListPlace | None]:
    """A page of the addresses that must not be mailed at this time, the latest suppression first.

    Those that are suppressed in one stream alone come after all others.

    An index holds the addresses of a reason, and on PostgreSQL those of a domain. Where
    few of these match the rest of the filter, or most of their suppressions have ended, a page
    looks at many.

    Args:
        engine: the database.
        now: the time.
        wanted: selects the addresses; its `limit` and `offset` do not count.
        limit: the maximum number of addresses.
        after: where the page before ended; None for the first page.
        seconds: the time after which the page ends with the addresses that it has found, and the
            next one goes on; None to look at all that are needed.

    Returns:
        The answers, and where the next page begins; None behind the last page.

    Raises:
        AddressError: the filter's domain is not a domain.
        StoreError: the database can't answer.
    """
    with answering("the list was not read"), engine.connect() as connection:
        of_addresses = _Addresses(connection, now, wanted)
        if after and after.stream:
            rows, place = [], None
        elif seconds is None:
            rows, place = of_addresses.read(limit + 1, after), None
        else:
            rows, place = of_addresses.read_some(limit + 1, after, seconds)
        if place is None and len(rows) <= limit:
            rows += _of_streams(connection, now, wanted, limit + 1 - len(rows), after)
    page, more = _split(rows, limit)
    if more:
        last = page[-1]
        place = ListPlace(last.suppressed_since, last.address, _stream(last))
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


class _Addresses:
    """The rows of the table of addresses, in the order of an index."""

    def __init__(self, connection: sa.Connection, now: datetime, wanted: Filter) -> None:
        dialect = connection.dialect.name
        self._connection = connection
        self._keys = [_address.suppressed_since, _address.address]
        order = [key.desc() for key in self._keys]
        self._matching = matching(schema.address, now, wanted, dialect).order_by(*order)
        self._all = sa.select(*self._keys).where(*_indexed(wanted, dialect)).order_by(*order)

    def read(self, limit: int, after: ListPlace | None) -> list[sa.Row[Any]]:
        """The next rows that match."""
        return list(self._connection.execute(self._behind(self._matching, after).limit(limit)))

    def read_some(
        self, limit: int, after: ListPlace | None, seconds: float
    ) -> tuple[list[sa.Row[Any]], ListPlace | None]:
        """The next rows that match, and where the time was over; None if it was enough."""
        ends_at = time.monotonic() + seconds
        rows: list[sa.Row[Any]] = []
        while True:
            last = self._last_of_some(after)
            query = self._behind(self._matching, after)
            if last:
                # The first condition alone lets every database end there in its index.
                since, address = self._keys
                later = (since > last.since) | (address >= last.address)
                query = query.where(since >= last.since, later)
            rows += self._connection.execute(query.limit(limit - len(rows)))
            if last is None or len(rows) == limit:
                return rows, None
            if time.monotonic() >= ends_at:
                return rows, last
            after = last

    def _last_of_some(self, after: ListPlace | None) -> ListPlace | None:
        """The last one of the rows to look at together; None if that is the end of the table."""
        query = self._behind(self._all, after).offset(_LOOKED_AT - 1).limit(1)
        row = self._connection.execute(query).one_or_none()
        return ListPlace(row.suppressed_since, row.address) if row else None

    def _behind(self, query: sa.Select[Any], after: ListPlace | None) -> sa.Select[Any]:
        return query.where(_behind(self._keys, [after.since, after.address])) if after else query


def _indexed(wanted: Filter, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions for which an index holds the rows of the table of addresses in order."""
    yield _address.suppressed_since.is_not(None)
    if wanted.since:
        yield _address.suppressed_since >= wanted.since
    if wanted.domain and dialect == "postgresql":  # the one with an index by domain
        yield at_domain(_address.address, wanted.domain, dialect)
    elif wanted.reason:
        yield _address.reason == wanted.reason


def _of_streams(
    connection: sa.Connection, now: datetime, wanted: Filter, limit: int, after: ListPlace | None
) -> list[sa.Row[Any]]:
    """The rows of the table of streams."""
    table = schema.stream
    keys = [table.c.suppressed_since, table.c.address, table.c.stream]
    query = matching(table, now, wanted, connection.dialect.name)
    query = query.order_by(*(key.desc() for key in keys)).limit(limit)
    if after and after.stream:
        query = query.where(_behind(keys, [after.since, after.address, after.stream]))
    return list(connection.execute(query))


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
