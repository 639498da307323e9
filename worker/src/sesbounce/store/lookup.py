"""Answers questions from the database: may this address be mailed, and why not?"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.errors import AddressError
from sesbounce.feedback.address import Address, parse
from sesbounce.policy.verdict import Verdict
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import schema
from sesbounce.store.engine import answering
from sesbounce.store.forgotten import HASH_KEYS


class Answer(msgspec.Struct, frozen=True):
    """Whether one address may be mailed at the moment that was asked for.

    Attributes:
        address: the key under which the address is remembered.
        may_mail: yes or no.
        reason: why not.
        since: since when.
        until: until when; None for good.
        why: the verdict in one sentence.
    """

    address: str
    may_mail: bool
    reason: str | None
    since: datetime | None
    until: datetime | None
    why: str


class EventRow(msgspec.Struct, frozen=True):
    """One recorded event about an address, as `why` shows it."""

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
    recorded_at: datetime


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which suppressed addresses are wanted.

    Attributes:
        reason: only those suppressed for this reason.
        domain: only those at this domain, in any case, as U-label or A-label.
        since: only those suppressed at or after this moment.
        limit: at most so many.
        offset: leave out so many of the latest.
    """

    reason: str | None = None
    domain: str | None = None
    since: datetime | None = None
    limit: int | None = None
    offset: int = 0


_EVERY = Filter()
_CHUNK = 1000
_ENDLESS = 2**62


class Lookup:
    """The reading side of the database.

    Every method raises `StoreError` where the database can't answer; `check` and `may_mail`
    raise `ConfigurationError` where addresses were forgotten under a hash key that is not here.
    """

    def __init__(self, engine: sa.Engine, hash_keys: HashKeys = NO_KEYS) -> None:
        self._engine = engine
        self._hash_keys = hash_keys

    def check(self, address: str, now: datetime) -> Answer:
        """Whether an address, however it is written, may be mailed at this moment.

        Raises:
            AddressError: the text is no address, and nothing has bounced that was written so.
        """
        parsed = parse(address)
        if answer := self._known([parsed.key], now).get(parsed.key):
            return answer
        if not parsed.parsed:
            raise AddressError(f"{address!r} is no address")
        return _unknown(parsed)

    def why(self, address: str) -> list[EventRow]:
        """All recorded events about an address, the oldest first."""
        table = schema.event
        columns = [table.c[name] for name in EventRow.__struct_fields__]
        found = self._all(
            sa.select(*columns)
            .where(table.c.address.in_(self._names([parse(address).key])))
            .order_by(table.c.occurred_at, table.c.id)
        )
        return [msgspec.convert(row, EventRow, from_attributes=True) for row in found]

    def may_mail(self, addresses: Iterable[str], now: datetime) -> dict[str, Answer]:
        """Whether each of the addresses may be mailed at this moment, as it was written.

        One query for every thousand of them. What is no address may not be mailed, unless
        something is known that was written so and does not speak against it.
        """
        parsed = {address: parse(address) for address in addresses}
        known = self._known(sorted({address.key for address in parsed.values()}), now)
        return {
            written: known.get(address.key) or _unknown(address)
            for written, address in parsed.items()
        }

    def suppressed(self, now: datetime, wanted: Filter = _EVERY) -> Iterator[Answer]:
        """The addresses that must not be mailed at this moment, the latest first.

        Raises:
            AddressError: the domain is none.
        """
        table = schema.address
        query = sa.select(table).where(schema.suppressed_at(now))
        if wanted.reason:
            query = query.where(table.c.reason == wanted.reason)
        if wanted.domain:
            query = query.where(table.c.address.endswith(_at(wanted.domain), autoescape=True))
        if wanted.since:
            query = query.where(table.c.suppressed_since >= wanted.since)
        query = query.order_by(table.c.suppressed_since.desc(), table.c.address)
        if wanted.limit or wanted.offset:
            # Not every database can leave rows out of a number without end.
            query = query.limit(wanted.limit or _ENDLESS).offset(wanted.offset)
        return (_answer(row.address, row, now) for row in self._all(query))

    def _known(self, keys: Sequence[str], now: datetime) -> dict[str, Answer]:
        """The answer for each key of which anything is known, also under its keyed hash."""
        known: dict[str, Answer] = {}
        table = schema.address
        for chunk in (keys[i : i + _CHUNK] for i in range(0, len(keys), _CHUNK)):
            names = self._names(chunk)
            rows = self._all(sa.select(table).where(table.c.address.in_([*names, HASH_KEYS])))
            for row in rows:
                if row.address == HASH_KEYS:
                    self._hash_keys.require(row.original)
                    continue
                key = names[row.address]
                # Of two rows, the one counts that says no.
                if key not in known or known[key].may_mail:
                    known[key] = _answer(key, row, now)
        return known

    def _names(self, keys: Sequence[str]) -> dict[str, str]:
        """The key by each name under which it may be found."""
        forgotten = {
            hashed.pseudonym: key for key in keys for hashed in self._hash_keys.hashes(key)
        }
        return {key: key for key in keys} | forgotten

    def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with answering("the database can't answer"), self._engine.connect() as connection:
            return list(connection.execute(query).all())


def _unknown(address: Address) -> Answer:
    """The answer for an address of which nothing is known."""
    if not address.parsed:
        return Answer(address.key, False, None, None, None, "it is no address")
    return Answer(address.key, True, None, None, None, "nothing is recorded about it")


def _at(domain: str) -> str:
    """`@example.com`, as the keys of addresses end."""
    found = parse(f"x@{domain.removeprefix('@')}")
    if not found.parsed:
        raise AddressError(f"{domain!r} is no domain")
    return found.key.removeprefix("x")


def _answer(key: str, row: sa.Row[Any], now: datetime) -> Answer:
    verdict = Verdict(since=row.suppressed_since, until=row.suppressed_until, why=row.why)
    if verdict.suppressed_at(now):
        return Answer(key, False, row.reason, verdict.since, verdict.until, row.why)
    why = f"no longer: {row.why}" if verdict.since else row.why
    return Answer(key, True, None, None, None, why)
