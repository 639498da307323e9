"""Reads suppressed addresses and known events from the database in bulk."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.merge import in_stream
from sesbounce.policy.state import State
from sesbounce.policy.suppressed import Suppressed, strike_text
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys, is_forgotten
from sesbounce.store import schema
from sesbounce.store.addresses import FindAddresses
from sesbounce.store.deciding import ANY_EVENT, EventFilter
from sesbounce.store.engine import answering
from sesbounce.store.find import Find
from sesbounce.store.lookup import Filter, matching
from sesbounce.store.streams import in_words, limited_suppressions

_ROWS_IN_MEMORY = 1000
_decode_state = msgspec.json.Decoder(State).decode


def suppressed_rows(
    engine: sa.Engine, now: datetime, wanted: EventFilter = ANY_EVENT
) -> Generator[Suppressed]:
    """Yield the addresses that must not be mailed at this time, sorted; few are in memory at once.

    Those that are suppressed in one stream alone come after all others. Forgotten addresses are
    left out, because their hashes are of no use outside of the database.

    Args:
        engine: the database.
        now: the time.
        wanted: only addresses whose suppression such an event decided.

    Raises:
        StoreError: the database can't answer.
    """
    table = schema.address
    query = sa.select(table).where(schema.suppressed_at(now)).order_by(table.c.address)
    limited = schema.stream
    of_streams = (
        sa.select(limited, table.c.original, table.c.state)
        .join_from(limited, table, limited.c.address == table.c.address)
        .where(schema.suppressed_at(now, limited))
        .order_by(limited.c.address, limited.c.stream)
    )
    with answering("the list was not read"), engine.connect() as connection:
        decided = wanted.decided(connection.dialect.name)
        if decided is not None:
            query = query.where(decided)
        for row in connection.execution_options(yield_per=_ROWS_IN_MEMORY).execute(query):
            if not is_forgotten(row.address):
                yield _suppressed(row)
        for row in connection.execution_options(yield_per=_ROWS_IN_MEMORY).execute(of_streams):
            if not is_forgotten(row.address):
                yield _suppressed(row, row.stream)


def suppressed_pages(
    engine: sa.Engine, now: datetime, wanted: Filter, size: int
) -> Iterator[list[Suppressed]]:
    """Yield the suppressions that a filter selects, in pages, in the order of `suppressed_rows`.

    Each page is read by a query of its own, which begins behind the last address: so nobody who
    takes the pages slowly keeps a connection, and no address is left out that is suppressed all
    the time. Forgotten addresses are left out.

    Args:
        engine: the database.
        now: the time.
        wanted: selects the addresses; its `limit` and `offset` do not count.
        size: the maximum number of rows of a page.

    Raises:
        AddressError: the filter's domain is not a domain.
        StoreError: the database can't answer.
    """
    address, stream, dialect = schema.address, schema.stream, engine.dialect.name
    of_streams = (
        matching(stream, now, wanted, dialect)
        .add_columns(address.c.original, address.c.state)
        .join_from(stream, address, stream.c.address == address.c.address)
    )
    for query, keys in (
        (matching(address, now, wanted, dialect), [address.c.address]),
        (of_streams, [stream.c.address, stream.c.stream]),
    ):
        page = query.order_by(*keys).limit(size)
        rows = _rows(engine, page)
        while rows:
            yield [_suppressed(row, _stream(row)) for row in rows if not is_forgotten(row.address)]
            rows = _rows(engine, page.where(_behind(keys, rows[-1]))) if len(rows) == size else []


def _rows(engine: sa.Engine, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    with answering("the list was not read"), engine.connect() as connection:
        return connection.execute(query).all()


def _behind(keys: Sequence[sa.Column[Any]], last: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """The condition that a row comes after the last one of a page; the keys run upward."""
    first, *others = ((key, getattr(last, key.name)) for key in keys)
    behind: sa.ColumnElement[bool] = first[0] > first[1]
    for key, value in others:
        # The first condition alone lets every database use its index.
        behind = (first[0] >= first[1]) & (behind | (key > value))
    return behind


def _stream(row: sa.Row[Any]) -> str:
    return str(row.stream) if "stream" in row._fields else ""


def suppressed_among(
    engine: sa.Engine,
    keys: Collection[str],
    now: datetime,
    hash_keys: HashKeys = NO_KEYS,
    stream: str | None = None,
) -> dict[str, tuple[str, str]]:
    """The suppressed ones of these addresses at this time: reason and `why` by key.

    A suppression in one stream counts if it is this stream, or none is given.

    Raises:
        StoreError: the database can't answer.
        ConfigurationError: addresses were forgotten under a hash key that is missing here.
    """
    table = schema.address
    find = FindAddresses([table.c.reason, table.c.why], schema.suppressed_at(now))
    with answering("the addresses were not looked up"), engine.connect() as connection:
        # In this order: meanwhile, a suppression in a stream may come to count for all.
        limited = limited_suppressions(connection, keys, now, hash_keys, stream)
        found = find(connection, keys, hash_keys)
        in_all = {key: (row.reason, row.why) for key, row in found}
    return {key: (rows[0].reason, in_words(rows)) for key, rows in limited.items()} | in_all


def known_events(engine: sa.Engine, dedupe_keys: Iterable[str]) -> set[str]:
    """The dedupe keys among these whose events are recorded.

    Raises:
        StoreError: the database can't answer.
    """
    column = schema.event.c.dedupe_key
    find = Find(sa.select(column), column)
    with answering("the events were not looked up"), engine.connect() as connection:
        return {row.dedupe_key for row in find(connection, sorted(set(dedupe_keys)))}


def _suppressed(row: sa.Row[Any], stream: str = "") -> Suppressed:
    reason = Reason(row.reason)
    # A suppression with an end rests on strikes, unless SES did not attempt to send the mail.
    strikes = row.suppressed_until is not None and reason.effect is not Effect.NOT_ATTEMPTED
    return Suppressed(
        address=row.address,
        original=row.original,
        reason=reason,
        kind=Kind(row.kind),
        since=row.suppressed_since,
        until=row.suppressed_until,
        why=row.why,
        stream=stream,
        strikes=_strikes(row.state, stream) if strikes else (),
    )


def _strikes(text: str, stream: str) -> tuple[str, ...]:
    state = _decode_state(text)
    counting = in_stream(state, stream) if stream else state
    return tuple(strike_text(s.at, s.reason) for s in reversed(counting.strikes))
