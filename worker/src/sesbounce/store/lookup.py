"""Looks up in the database whether addresses may be mailed, and why not."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.errors import AddressError
from sesbounce.feedback.address import Address, parse
from sesbounce.policy.answer import Answer as Answer  # noqa: PLC0414  others take it from here
from sesbounce.policy.answer import no_address
from sesbounce.policy.period import counts_at
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import schema
from sesbounce.store.addresses import FindAddresses, names_of
from sesbounce.store.engine import answering, ask
from sesbounce.store.streams import StreamRow, any_limited, in_words, limited_suppressions


class EventRow(msgspec.Struct, frozen=True):
    """One recorded event about an address; the columns of the table of events."""

    occurred_at: datetime
    kind: str
    reason: str
    effect: str
    basis: str
    mail_id: str | None
    source: str | None
    status: str | None
    diagnostic: str | None
    original: str
    stream: str | None
    recorded_at: datetime
    configuration_set: str | None = None
    identity: str | None = None
    region: str | None = None
    tenant: str | None = None
    tags: dict[str, str] | None = None
    account_id: str | None = None


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects among the suppressed addresses.

    Attributes:
        reason: only addresses suppressed for this reason.
        domain: only addresses at this domain; in upper or lower case, as U-label or A-label.
        since: only addresses suppressed at or after this time.
        stream: only suppressions that count for all streams, or for this one.
        limit: the maximum number of addresses.
        offset: how many of the latest to leave out.
    """

    reason: str | None = None
    domain: str | None = None
    since: datetime | None = None
    stream: str | None = None
    limit: int | None = None
    offset: int = 0


_ALL = Filter()
_columns = schema.address.c
_find = FindAddresses(
    [_columns.suppressed_since, _columns.suppressed_until, _columns.reason, _columns.why]
)
_find_times = FindAddresses([_columns.suppressed_since, _columns.suppressed_until])


class Lookup:
    """The reading side of the database.

    Every method raises `StoreError` if the database can't answer; `check`, `answers` and `may_mail`
    raise `ConfigurationError` if addresses were forgotten under a hash key that is missing here.
    """

    def __init__(self, engine: sa.Engine, hash_keys: HashKeys = NO_KEYS) -> None:
        self._engine = engine
        self._hash_keys = hash_keys

    def check(self, address: str, now: datetime, stream: str | None = None) -> Answer:
        """Whether an address, in any spelling, may be mailed at this time.

        Args:
            address: the address.
            now: the time.
            stream: the stream of the mail; None where it is not known: then a suppression in any
                stream counts.

        Raises:
            AddressError: the text is not an address, and no event is known about this text.
        """
        parsed = parse(address)
        if answer := self._known([parsed.key], now, stream).get(parsed.key):
            return answer
        if not parsed.parsed:
            raise AddressError(f"{address!r} is no address")
        return _unknown(parsed)

    def why(self, address: str) -> list[EventRow]:
        """All recorded events about an address, the oldest first."""
        table = schema.event
        columns = [table.c[name] for name in EventRow.__struct_fields__]
        names = names_of([parse(address).key], self._hash_keys)
        found = self._all(
            sa.select(*columns)
            .where(table.c.address.in_(names))
            .order_by(table.c.occurred_at, table.c.id)
        )
        return [_event_row(row._asdict()) for row in found]

    def verdicts(self, address: str, now: datetime) -> list[Answer]:
        """The answer that counts for all streams, and one for each stream that goes beyond it.

        Raises:
            AddressError: the text is not an address, and no event is known about this text.
        """
        found = self.check(address, now)
        if not found.streams:
            return [found]
        key = found.address
        with answering("the database can't answer"), ask(self._engine) as connection:
            in_all = {
                k: _answer(k, row, now) for k, row in _find(connection, [key], self._hash_keys)
            }
            limited = limited_suppressions(connection, [key], now, self._hash_keys)
        return [*in_all.values(), *(_limited_answer(key, [row]) for row in limited.get(key, ()))]

    def answers(
        self, addresses: Iterable[str], now: datetime, stream: str | None = None
    ) -> dict[str, Answer]:
        """Answer for each of the addresses, by the spelling that was given.

        `stream` is that of `check`. It takes one query for each 1,000 addresses, and a second one
        if the database has streams. A text that is not an address may not be mailed, unless events
        are known about this very text and do not suppress it.
        """
        parsed = {address: parse(address) for address in addresses}
        known = self._known({address.key for address in parsed.values()}, now, stream)
        return {
            spelling: known.get(address.key) or _unknown(address)
            for spelling, address in parsed.items()
        }

    def may_mail(
        self, addresses: Iterable[str], now: datetime, stream: str | None = None
    ) -> dict[str, bool]:
        """Whether each of the addresses may be mailed: `answers` without the reasons, and faster.

        All is as `answers` says.
        """
        parsed = {address: parse(address) for address in addresses}
        keys = {address.key for address in parsed.values()}
        known: dict[str, bool] = {}
        with answering("the database can't answer"), ask(self._engine) as connection:
            for key, row in _find_times(connection, keys, self._hash_keys):
                suppressed = counts_at(now, row.suppressed_since, row.suppressed_until)
                known[key] = not suppressed and known.get(key, True)
            free = [key for key, may in known.items() if may]
            known |= dict.fromkeys(self._not_free(connection, free, now, stream), False)
        return {
            spelling: known.get(address.key, address.parsed) for spelling, address in parsed.items()
        }

    def suppressed(self, now: datetime, wanted: Filter = _ALL) -> Iterator[Answer]:
        """The addresses that must not be mailed at this time, the latest suppression first.

        Of suppressions of the same time the last address comes first, so that the index by time,
        read backwards, holds the order on every database.

        An address that is suppressed in some streams, and not in all, comes once for each of them.

        Raises:
            AddressError: the filter's domain is not a domain.
        """
        found = [self._suppressed(schema.address, now, wanted)]
        found.append(self._suppressed(schema.stream, now, wanted))
        latest_first = heapq.merge(
            *found, key=lambda one: (_timestamp(one), one.address), reverse=True
        )
        return islice(latest_first, wanted.offset, wanted.limit and wanted.offset + wanted.limit)

    def _suppressed(self, table: sa.Table, now: datetime, wanted: Filter) -> list[Answer]:
        """The answers of one table, with those that the offset leaves out."""
        query = matching(table, now, wanted, self._engine.dialect.name)
        query = query.order_by(table.c.suppressed_since.desc(), table.c.address.desc())
        if wanted.limit:
            query = query.limit(wanted.offset + wanted.limit)
        return [listed(row, now) for row in self._all(query)]

    def _known(self, keys: Collection[str], now: datetime, stream: str | None) -> dict[str, Answer]:
        """The answer for each key that has a row."""
        known: dict[str, Answer] = {}
        with answering("the database can't answer"), ask(self._engine) as connection:
            for key, row in _find(connection, keys, self._hash_keys):
                # Of two rows, one under the key and one under its hash, a suppression decides.
                if key not in known or known[key].may_mail:
                    known[key] = _answer(key, row, now)
            free = [key for key, answer in known.items() if answer.may_mail]
            known |= self._not_free(connection, free, now, stream)
        return known

    def _not_free(
        self, connection: sa.Connection, free: Sequence[str], now: datetime, stream: str | None
    ) -> dict[str, Answer]:
        """The answers for those of the addresses that may not be mailed after all.

        Args:
            connection: that by which the addresses were found to be suppressed in no stream, or
                in some alone.
            free: the keys of the addresses.
            now: the time.
            stream: the stream of the mail; None for any.
        """
        if not free or not any_limited(connection):
            return {}
        limited = limited_suppressions(connection, free, now, self._hash_keys, stream)
        found = {key: _limited_answer(key, rows) for key, rows in limited.items()}
        # Since the first query, a suppression in a stream may have come to count for all.
        others = [key for key in free if key not in limited]
        for key, row in _find(connection, others, self._hash_keys):
            answer = _answer(key, row, now)
            if not answer.may_mail:
                found[key] = answer
        return found

    def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with answering("the database can't answer"), ask(self._engine) as connection:
            return list(connection.execute(query).all())


def matching(table: sa.Table, now: datetime, wanted: Filter, dialect: str) -> sa.Select[Any]:
    """The query for the suppressions of one table that a filter selects, without its limits.

    Args:
        table: that of the addresses, or that of the streams.
        now: the time.
        wanted: the filter.
        dialect: the kind of database.

    Raises:
        AddressError: the filter's domain is not a domain.
    """
    query = sa.select(table).where(schema.suppressed_at(now, table))
    if table is schema.stream and (stream := (wanted.stream or "").strip()):
        query = query.where(table.c.stream == stream)
    if wanted.reason:
        query = query.where(table.c.reason == wanted.reason)
    if wanted.domain:
        query = query.where(at_domain(table.c.address, wanted.domain, dialect))
    if wanted.since:
        query = query.where(table.c.suppressed_since >= wanted.since)
    return query


def _event_row(row: dict[str, Any]) -> EventRow:
    tags = row.pop("tags")
    return EventRow(**row, tags=msgspec.json.decode(tags) if tags else None)


def _unknown(address: Address) -> Answer:
    """The answer for an address without a row."""
    if not address.parsed:
        return no_address(address.key)
    return Answer(address.key, True, None, None, None, "nothing is recorded about it")


def at_domain(column: sa.Column[str], domain: str, dialect: str) -> sa.ColumnElement[bool]:
    """The condition that the key of an address is at a domain.

    Raises:
        AddressError: the text is not a domain.
    """
    key = domain_key(domain)
    if dialect == "sqlite":  # which has no function that finds the last `@`
        return column.endswith(f"@{key}", autoescape=True)
    return schema.domain_of(column, dialect) == key


def domain_key(domain: str) -> str:
    """What stands behind the `@` in the keys of addresses at a domain.

    Raises:
        AddressError: the text is not a domain.
    """
    found = parse(f"x@{domain.removeprefix('@')}")
    local, _, key = found.key.rpartition("@")
    if not found.parsed or local != "x":
        raise AddressError(f"{domain!r} is not a domain")
    return key


def _answer(key: str, row: sa.Row[Any], now: datetime) -> Answer:
    since, until = row.suppressed_since, row.suppressed_until
    if counts_at(now, since, until):
        return Answer(key, False, row.reason, since, until, row.why)
    why = f"no longer: {row.why}" if since else row.why
    return Answer(key, True, None, None, None, why)


def _limited_answer(key: str, rows: Sequence[StreamRow]) -> Answer:
    """The answer for an address that is suppressed in some streams, the latest one first."""
    latest, streams = rows[0], tuple(row.stream for row in rows)
    since, until = latest.suppressed_since, latest.suppressed_until
    return Answer(key, False, latest.reason, since, until, in_words(rows), streams)


def listed(row: sa.Row[Any], now: datetime) -> Answer:
    """The answer that a row of `matching` gives."""
    if "stream" not in row._fields:
        return _answer(row.address, row, now)
    return _limited_answer(row.address, [msgspec.convert(row, StreamRow, from_attributes=True)])


def _timestamp(answer: Answer) -> float:
    return answer.since.timestamp() if answer.since else 0.0
