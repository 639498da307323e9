"""Answers questions from the database: may this address be mailed, and why not?"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce import schema
from sesbounce.address import parse
from sesbounce.database import cause
from sesbounce.errors import AddressError, StoreError
from sesbounce.policy import Verdict


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


class Event(msgspec.Struct, frozen=True):
    """One recorded fact about an address, as `why` shows it."""

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


class Lookup:
    """The reading side of the database.

    Every method raises `StoreError` where the database can't answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def check(self, address: str, now: datetime) -> Answer:
        """Whether an address, however it is written, may be mailed at this moment.

        Raises:
            AddressError: the text is no address, and nothing has bounced that was written so.
        """
        parsed = parse(address)
        table = schema.address
        rows = self._all(sa.select(table).where(table.c.address == parsed.key))
        if rows:
            return _answer(rows[0], now)
        if not parsed.parsed:
            raise AddressError(f"{address!r} is no address")
        return Answer(parsed.key, True, None, None, None, "nothing is known against it")

    def why(self, address: str) -> list[Event]:
        """All recorded facts about an address, the oldest first."""
        table = schema.event
        columns = [table.c[name] for name in Event.__struct_fields__]
        found = self._all(
            sa.select(*columns)
            .where(table.c.address == parse(address).key)
            .order_by(table.c.occurred_at, table.c.id)
        )
        return [msgspec.convert(row, Event, from_attributes=True) for row in found]

    def suppressed(self, now: datetime, limit: int | None = None) -> Iterator[Answer]:
        """The addresses that must not be mailed at this moment, the latest first."""
        table = schema.address
        found = self._all(
            sa.select(table)
            .where(schema.suppressed_at(now))
            .order_by(table.c.suppressed_since.desc(), table.c.address)
            .limit(limit)
        )
        return (_answer(row, now) for row in found)

    def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query).all())
        except SQLAlchemyError as error:
            raise StoreError(
                f"the database can't answer: {cause(error)}. Is SESBOUNCE_DATABASE_URL the "
                "worker's database?"
            ) from error


def _answer(row: sa.Row[Any], now: datetime) -> Answer:
    verdict = Verdict(since=row.suppressed_since, until=row.suppressed_until, why=row.why)
    if verdict.suppressed_at(now):
        return Answer(row.address, False, row.reason, verdict.since, verdict.until, row.why)
    why = f"no longer: {row.why}" if verdict.since else row.why
    return Answer(row.address, True, None, None, None, why)
