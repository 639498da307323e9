"""Reads what the overview of the console shows beside the rates of the senders.

No statement reads the log: the numbers come from the tables of counts, each of which has few rows a
day, the times of the newest and the oldest event from an index, and the rest from tables that stay
small.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from operator import add
from typing import Any, NamedTuple

import sqlalchemy as sa

from sesbounce.policy.gate import SenderName
from sesbounce.store import schema
from sesbounce.store.columns import UtcDateTime
from sesbounce.store.incidents import IncidentRow, IncidentStatus, read_incidents
from sesbounce.store.outbox import NEVER

# An outbox of more entries is not counted to its end.
MOST_WAITING = 10_000
# How many days ago each period begins and ends: today, yesterday, 7 and 30 days that end today.
_PERIODS = ((0, 0), (1, 1), (6, 0), (29, 0))
_hours = schema.sender_hour
_days = schema.provider_day


class Period(NamedTuple):
    """Some days, UTC.

    Attributes:
        first: the first one.
        last: the last one, which belongs to it.
    """

    first: date
    last: date


def periods_of(today: date) -> Sequence[Period]:
    """Today, yesterday, and the 7 and the 30 days that end today."""
    return [
        Period(today - timedelta(days=begins), today - timedelta(days=ends))
        for begins, ends in _PERIODS
    ]


class NotSent(NamedTuple):
    """The mails of a sender that never left SES, as numbers of each period.

    Attributes:
        not_attempted: recipients to whom SES did not try to send.
        rejected: mails that SES rejected, or could not render.
    """

    not_attempted: Sequence[int]
    rejected: Sequence[int]

    def plus(self, other: "NotSent") -> "NotSent":
        """The sums of both."""
        return NotSent(
            list(map(add, self.not_attempted, other.not_attempted)),
            list(map(add, self.rejected, other.rejected)),
        )


ALL_SENT = NotSent([0] * len(_PERIODS), [0] * len(_PERIODS))


class Answered(NamedTuple):
    """One kind of answer of a receiving provider.

    Attributes:
        provider: a large provider, or `other`.
        kind: bounce, complaint, delivery or delivery_delay.
        reason: the reason, from the closed list.
        numbers: the number of events of each period.
    """

    provider: str
    kind: str
    reason: str
    numbers: Sequence[int]


class Waiting(NamedTuple):
    """What waits in the outbox.

    Attributes:
        entries: the number of entries; one more than `MOST_WAITING` stands for more than these.
        stopped: the number of entries whose target takes no more; the same limit holds.
        due_at: when the first of the entries is due, or was, UTC; None if there is none.
    """

    entries: int
    stopped: int
    due_at: datetime | None


def read_not_sent(
    connection: sa.Connection, periods: Sequence[Period]
) -> Mapping[SenderName, NotSent]:
    """The mails that never left SES, by identity; an empty identity is not known."""
    hour, by = _hours.c.hour, (_hours.c.account_id, _hours.c.region, _hours.c.identity)
    some = (_hours.c.not_attempted != 0) | (_hours.c.rejected != 0)
    spans = [(_midnight(first), _midnight(last + timedelta(days=1))) for first, last in periods]
    sums = [
        _sum(number, (hour >= begins) & (hour < ends))
        for number in (_hours.c.not_attempted, _hours.c.rejected)
        for begins, ends in spans
    ]
    since = min(begins for begins, _ in spans)
    query = sa.select(*by, *sums).where(hour >= since, some).group_by(*by)
    found = {}
    for account_id, region, identity, *numbers in connection.execute(query):
        counted = list(map(int, numbers))  # MySQL's sums are decimals
        half = len(periods)
        name = SenderName(account_id, region, identity)
        found[name] = NotSent(counted[:half], counted[half:])
    return found


def read_answers(connection: sa.Connection, periods: Sequence[Period]) -> Sequence[Answered]:
    """The answers of the receiving providers."""
    day, by = _days.c.day, (_days.c.provider, _days.c.kind, _days.c.reason)
    sums = [_sum(_days.c.events, (day >= first) & (day <= last)) for first, last in periods]
    since = min(first for first, _ in periods)
    query = sa.select(*by, *sums).where(day >= since).group_by(*by)
    return [
        Answered(provider, kind, reason, list(map(int, numbers)))
        for provider, kind, reason, *numbers in connection.execute(query)
    ]


def read_newest(connection: sa.Connection) -> datetime | None:
    """When the newest event was recorded, UTC; the end of an index says it."""
    newest = sa.func.max(schema.event.c.recorded_at, type_=UtcDateTime)
    found: datetime | None = connection.scalar(sa.select(newest))
    return found


def read_oldest(connection: sa.Connection) -> datetime | None:
    """When the oldest event was recorded that is still in the log, UTC."""
    oldest = sa.func.min(schema.event.c.recorded_at, type_=UtcDateTime)
    found: datetime | None = connection.scalar(sa.select(oldest))
    return found


def read_waiting(connection: sa.Connection) -> Waiting:
    """What waits in the outbox."""
    due_at = schema.outbox.c.due_at
    found: datetime | None = connection.scalar(sa.select(sa.func.min(due_at, type_=UtcDateTime)))
    return Waiting(
        entries=_count(connection, due_at < NEVER),
        stopped=_count(connection, due_at == NEVER),
        due_at=None if found == NEVER else found,
    )


def _count(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> int:
    """Count entries of the outbox, but not many more than people want to know."""
    some = sa.select(schema.outbox.c.due_at).where(condition).limit(MOST_WAITING + 1).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def read_open_incidents(connection: sa.Connection, now: datetime) -> Sequence[IncidentRow]:
    """The incidents that go on, also suspected ones, the latest first."""
    rows = read_incidents(connection, since=now)
    return [row for row in rows if row.status is not IncidentStatus.WITHDRAWN]


def _sum(number: sa.Column[int], condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.func.sum(sa.case((condition, number), else_=0))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
