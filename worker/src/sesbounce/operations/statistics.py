"""Counts events by day, reason, domain, sender or attribution."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect
from sesbounce.feedback.tags import TAG_NAME
from sesbounce.privacy.keyed_hash import PREFIX
from sesbounce.privacy.mentions import ERASED
from sesbounce.store import schema
from sesbounce.store.deciding import ANY_EVENT, EventFilter, tag_value
from sesbounce.store.engine import answering

# AWS leaves mail to its mailbox simulator out of the bounce and complaint rates of a sender.
_SIMULATOR = "@simulator.amazonses.com"


class By(StrEnum):
    """What the events of a group have in common."""

    DAY = "day"
    REASON = "reason"
    DOMAIN = "domain"
    SENDER = "sender"
    CONFIGURATION_SET = "configuration-set"
    IDENTITY = "identity"
    REGION = "region"
    ACCOUNT = "account"
    TENANT = "tenant"


class ByTag(NamedTuple):
    """The events of a group have the same value of this tag."""

    name: str

    @property
    def value(self) -> str:
        """The text that a person writes for it: `tag:campaign`."""
        return f"tag:{self.name}"


Grouping = By | ByTag


def grouping(text: str) -> Grouping:
    """Read the name of a grouping, or `tag:NAME`.

    Raises:
        ValueError: there is no such grouping, or no tag can have this name.
    """
    kind, _, name = text.partition(":")
    if kind == "tag":
        if not TAG_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name that a tag can have")
        return ByTag(name)
    if text not in list(By):
        raise ValueError(f"{text!r} is not one of {', '.join(By)} and tag:NAME")
    return By(text)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of each kind there are in one group.

    Attributes:
        group: the day (UTC), reason, domain, sender, …; None if it is not known.
        hard: hard bounces.
        soft: soft bounces.
        sender: bounces for which the sender or the mail is at fault: they say nothing about the
            mailbox.
        other: bounces that say nothing new about the mailbox: SES did not attempt to send the mail,
            or the bounce is an automatic reply.
        complaints: complaints; one that names several recipients counts once.
        deliveries: deliveries.
        bounce_rate: hard bounces divided by mails, from 0 to 1; None if no delivery is known.
        complaint_rate: complaints divided by mails, from 0 to 1; None if no delivery is known.
    """

    group: str | None
    hard: int
    soft: int
    sender: int
    other: int
    complaints: int
    deliveries: int
    bounce_rate: float | None
    complaint_rate: float | None


def count(
    engine: sa.Engine,
    by: Grouping,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    wanted: EventFilter = ANY_EVENT,
) -> list[Counts]:
    """Count the events of the log in groups: days in their order, others by most bounces first.

    Rates are per mail that was delivered or has bounced. They leave out mail to SES's simulator,
    and imported events, because the number of mails behind them is not known.

    Args:
        engine: the database.
        by: what the events of a group have in common.
        since: only events at or after this time.
        until: only events before this time.
        limit: the maximum number of groups: the latest days, or those with most bounces.
        wanted: only these events.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("the events were not counted"), engine.connect() as connection:
        dialect = connection.dialect.name
        query = _query(dialect, by, since, until).where(*wanted.conditions(dialect))
        rows = connection.execute(query.limit(limit) if limit else query).all()
    counted = [_counts(row) for row in rows]
    return counted[::-1] if by is By.DAY else counted


def _query(
    dialect: str, by: Grouping, since: datetime | None, until: datetime | None
) -> sa.Select[Any]:
    event = schema.event.c
    group = _group(dialect, by).label("grouped")
    hard = _bounces(Effect.HARD)
    soft = _bounces(Effect.SOFT)
    sender = _bounces(Effect.SENDER)
    bounced = event.kind == Kind.BOUNCE
    complained = (event.kind == Kind.COMPLAINT) & (event.effect == Effect.COMPLAINT)
    delivered = event.kind == Kind.DELIVERY
    measured = event.mail_id.is_not(None) & ~event.address.endswith(_SIMULATOR, autoescape=True)
    columns = {
        "hard": _sum(hard),
        "soft": _sum(soft),
        "sender": _sum(sender),
        "other": _sum(bounced & ~hard & ~soft & ~sender),
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
    return query.group_by("grouped").order_by(most, "grouped")


def _bounces(effect: Effect) -> sa.ColumnElement[bool]:
    return (schema.event.c.kind == Kind.BOUNCE) & (schema.event.c.effect == effect)


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _distinct(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """The number of complaints: the events about several recipients of one share its id."""
    event = schema.event.c
    complaint = sa.func.coalesce(event.feedback_id, event.mail_id, event.dedupe_key)
    return sa.func.count(sa.distinct(sa.case((condition, complaint))))


def _group(dialect: str, by: Grouping) -> sa.ColumnElement[Any]:
    event = schema.event.c
    match by:
        case ByTag(name):
            return tag_value(name, dialect)
        case By.DAY if dialect == "postgresql":
            return sa.func.date(sa.func.timezone("UTC", event.occurred_at))
        case By.DAY:
            return sa.func.date(event.occurred_at)
        case By.REASON:
            return event.reason
        case By.SENDER:
            return event.source
        case By.ACCOUNT:
            return event.account_id
        case By.CONFIGURATION_SET | By.IDENTITY | By.REGION | By.TENANT:
            return event[by.name.lower()]
        case By.DOMAIN:
            forgotten = event.address.startswith(PREFIX)
            return sa.case((forgotten, ERASED), else_=schema.domain_of(event.address, dialect))


def _counts(row: sa.Row[Any]) -> Counts:
    rates = row.measured_mails if row.measured_deliveries else 0
    return Counts(
        group=None if row.grouped is None else str(row.grouped),
        hard=row.hard,
        soft=row.soft,
        sender=row.sender,
        other=row.other,
        complaints=row.complaints,
        deliveries=row.deliveries,
        bounce_rate=row.measured_hard / rates if rates else None,
        complaint_rate=row.measured_complaints / rates if rates else None,
    )
