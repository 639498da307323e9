"""Counts what SES told, by day, reason, domain or sender."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect
from sesbounce.privacy.keyed_hash import PREFIX
from sesbounce.privacy.mentions import ERASED
from sesbounce.store import schema
from sesbounce.store.engine import answering

# AWS leaves mail to its mailbox simulator out of the rates by which it judges a sender.
_SIMULATOR = "@simulator.amazonses.com"


class By(StrEnum):
    """What events are counted by."""

    DAY = "day"
    REASON = "reason"
    DOMAIN = "domain"
    SENDER = "sender"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of each kind there are in one group.

    Attributes:
        group: the day (UTC), reason, domain or sender; None where that is not known.
        hard: bounces for good.
        soft: bounces that may pass.
        other: bounces that say nothing new about the mailbox: SES did not try, or the message
            was at fault, or somebody answered by machine.
        complaints: complaints; one that names several recipients counts once.
        deliveries: deliveries.
        bounce_rate: hard bounces by mails, from 0 to 1; None where no delivery is known.
        complaint_rate: complaints by mails, likewise.
    """

    group: str | None
    hard: int
    soft: int
    other: int
    complaints: int
    deliveries: int
    bounce_rate: float | None
    complaint_rate: float | None


def count(
    engine: sa.Engine,
    by: By,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[Counts]:
    """Count the events of the log by groups: days in their order, else what has most bounces first.

    The mails by which rates are taken are those of which the end is known: delivered or
    bounced. Left out of rates: mail to SES's simulator, and what was imported, for the mails
    behind it are not known.

    Args:
        engine: the database.
        by: what makes a group.
        since: only what happened at or after this moment.
        until: only what happened before it.
        limit: at most so many groups: the latest days, or those with most bounces.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("nothing was counted"), engine.connect() as connection:
        query = _query(connection.dialect.name, by, since, until)
        rows = connection.execute(query.limit(limit) if limit else query).all()
    counted = [_counts(row) for row in rows]
    return counted[::-1] if by is By.DAY else counted


def _query(dialect: str, by: By, since: datetime | None, until: datetime | None) -> sa.Select[Any]:
    event = schema.event.c
    group = _group(dialect, by).label("grouped")
    hard = _bounces(Effect.HARD)
    soft = _bounces(Effect.SOFT)
    bounced = event.kind == Kind.BOUNCE
    complained = (event.kind == Kind.COMPLAINT) & (event.effect == Effect.COMPLAINT)
    delivered = event.kind == Kind.DELIVERY
    measured = event.mail_id.is_not(None) & ~event.address.endswith(_SIMULATOR, autoescape=True)
    columns = {
        "hard": _sum(hard),
        "soft": _sum(soft),
        "other": _sum(bounced & ~hard & ~soft),
        "complaints": _distinct(complained),
        "deliveries": _sum(delivered),
        "measured_hard": _sum(hard & measured),
        "measured_complaints": _distinct(complained & measured),
        "measured_deliveries": _sum(delivered & measured),
        "measured_mails": _sum((delivered | bounced) & measured),
    }
    query = sa.select(group, *(column.label(name) for name, column in columns.items()))
    query = query.where(event.kind.in_([Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY]))
    if since:
        query = query.where(event.occurred_at >= since)
    if until:
        query = query.where(event.occurred_at < until)
    most = sa.desc("grouped") if by is By.DAY else (columns["hard"] + columns["soft"]).desc()
    return query.group_by(group).order_by(most, "grouped")


def _bounces(effect: Effect) -> sa.ColumnElement[bool]:
    return (schema.event.c.kind == Kind.BOUNCE) & (schema.event.c.effect == effect)


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _distinct(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """How many complaints: the recipients that one of them names share its id."""
    event = schema.event.c
    told = sa.func.coalesce(event.feedback_id, event.mail_id, event.dedupe_key)
    return sa.func.count(sa.distinct(sa.case((condition, told))))


def _group(dialect: str, by: By) -> sa.ColumnElement[Any]:
    event = schema.event.c
    match by:
        case By.DAY if dialect == "postgresql":
            return sa.func.date(sa.func.timezone("UTC", event.occurred_at))
        case By.DAY:
            return sa.func.date(event.occurred_at)
        case By.REASON:
            return event.reason
        case By.SENDER:
            return event.source
        case By.DOMAIN:
            forgotten = event.address.startswith(PREFIX)
            return sa.case((forgotten, ERASED), else_=_domain(dialect, event.address))


def _domain(dialect: str, address: sa.Column[str]) -> sa.ColumnElement[str]:
    """What stands after the last `@`."""
    if dialect == "mysql":
        return sa.func.substring_index(address, "@", -1)
    if dialect == "postgresql":
        return sa.func.substring(address, "[^@]*$")
    # SQLite searches from the left only: what is cut off the right is all that is no `@`.
    to_the_at = sa.func.rtrim(address, sa.func.replace(address, "@", ""))
    return sa.func.substr(address, sa.func.length(to_the_at) + 1)


def _counts(row: sa.Row[Any]) -> Counts:
    rates = row.measured_mails if row.measured_deliveries else 0
    return Counts(
        group=None if row.grouped is None else str(row.grouped),
        hard=row.hard,
        soft=row.soft,
        other=row.other,
        complaints=row.complaints,
        deliveries=row.deliveries,
        bounce_rate=row.measured_hard / rates if rates else None,
        complaint_rate=row.measured_complaints / rates if rates else None,
    )
