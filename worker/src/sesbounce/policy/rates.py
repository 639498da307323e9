"""The rates of hard bounces and complaints, and their limits.

The limits are those that PostHog settled on; AWS's own limits stand beside them
(https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html and
https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html).
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

import msgspec

from sesbounce.policy.outage import HOUR

DAY_HOURS = 24


class SendingState(StrEnum):
    """Whether a sender may go on; `unknown` where the counts can't tell."""

    OK = "ok"
    WARN = "warn"
    STOP = "stop"
    UNKNOWN = "unknown"


class Metric(StrEnum):
    """What AWS watches."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class Limit(NamedTuple):
    """From which rate on a sender is warned, and from which on stopped.

    Attributes:
        metric: what is compared with the mails.
        hours: the length of the time that is looked at.
        warn: the rate, from 0 to 1.
        stop: the rate, from 0 to 1.
        mails: the number of mails below which a rate says too little.
        events: the number of bounces or complaints below which it does.
    """

    metric: Metric
    hours: int
    warn: float
    stop: float
    mails: int
    events: int


LIMITS = (
    Limit(Metric.BOUNCE, 1, 0.05, 0.10, 200, 20),
    Limit(Metric.BOUNCE, DAY_HOURS, 0.025, 0.05, 1000, 50),
    Limit(Metric.COMPLAINT, 1, 0.005, 0.01, 200, 5),
    Limit(Metric.COMPLAINT, DAY_HOURS, 0.0015, 0.003, 1000, 10),
)


class AwsLimit(NamedTuple):
    """The rates from which on AWS reviews an account, and may pause it."""

    review: float
    pause: float


AWS_LIMITS = {
    Metric.BOUNCE: AwsLimit(0.05, 0.10),
    Metric.COMPLAINT: AwsLimit(0.001, 0.005),
}


class Numbers(msgspec.Struct, frozen=True, gc=False):
    """What is counted of a sender in some time.

    Attributes:
        sent: recipients of mails that SES took, if it reports these.
        delivered: deliveries, if SES reports these.
        hard: hard bounces, as AWS counts them.
        soft: all other bounces.
        complaints: complaints.
    """

    sent: int = 0
    delivered: int = 0
    hard: int = 0
    soft: int = 0
    complaints: int = 0

    @property
    def ended(self) -> int:
        """The number of mails of which SES reports how they ended."""
        return self.delivered + self.hard + self.soft

    @property
    def mails(self) -> int:
        """The number of mails: SES reports that they were sent, or how each of them ended."""
        return max(self.sent, self.ended)

    @property
    def reports_mails(self) -> bool:
        """Whether there is a number that bounces can be compared with."""
        return self.sent > 0 or self.delivered > 0

    def events(self, metric: Metric) -> int:
        """The number of hard bounces, or of complaints."""
        return self.hard if metric is Metric.BOUNCE else self.complaints

    def plus(self, other: "Numbers", sign: int = 1) -> "Numbers":
        """The sum of both, or the difference."""
        return Numbers(
            self.sent + sign * other.sent,
            self.delivered + sign * other.delivered,
            self.hard + sign * other.hard,
            self.soft + sign * other.soft,
            self.complaints + sign * other.complaints,
        )

    def beyond(self, seen: "Numbers") -> "Numbers":
        """What is counted beyond what a person has seen."""
        more = self.plus(seen, -1)
        return Numbers(*(max(0, number) for number in msgspec.structs.astuple(more)))


NOTHING = Numbers()
_GETTERS = [attrgetter(name) for name in Numbers.__struct_fields__]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate beside its limits.

    Attributes:
        metric: `bounce` or `complaint`.
        hours: the length of the time: an hour that began at a full hour, or 24 of them.
        until: the end of the time, UTC; it may lie ahead, as the present hour goes on.
        mails: the number of mails.
        events: the number of hard bounces or complaints.
        rate: events divided by mails, from 0 to 1; None without mails.
        warn: the rate from which on the sender is warned.
        stop: the rate from which on it is stopped.
        of_stop: the rate divided by `stop`; None without mails.
        aws_review: the rate from which on AWS reviews an account.
        aws_pause: the rate from which on AWS may pause it.
        enough: whether there are enough mails and events to judge.
        state: `ok`, `warn` or `stop`.
    """

    metric: Metric
    hours: int
    until: datetime
    mails: int
    events: int
    rate: float | None
    warn: float
    stop: float
    of_stop: float | None
    aws_review: float
    aws_pause: float
    enough: bool
    state: SendingState


def total(numbers: Iterable[Numbers]) -> Numbers:
    """The sum of some counts."""
    counted = list(numbers)
    return Numbers(*(sum(map(get, counted)) for get in _GETTERS))


def rate_of(limit: Limit, numbers: Numbers, hour: datetime) -> Rate:
    """The rate of what was counted until the end of an hour."""
    mails, events = numbers.mails, numbers.events(limit.metric)
    rate = events / mails if mails else None
    enough = mails >= limit.mails and events >= limit.events
    state = SendingState.OK
    if rate is not None and enough:
        if rate >= limit.stop:
            state = SendingState.STOP
        elif rate >= limit.warn:
            state = SendingState.WARN
    aws = AWS_LIMITS[limit.metric]
    return Rate(
        metric=limit.metric,
        hours=limit.hours,
        until=hour + HOUR,
        mails=mails,
        events=events,
        rate=rate,
        warn=limit.warn,
        stop=limit.stop,
        of_stop=None if rate is None else rate / limit.stop,
        aws_review=aws.review,
        aws_pause=aws.pause,
        enough=enough,
        state=state,
    )


def percent(rate: float) -> str:
    """A rate for people: `0.15 %`."""
    return f"{100 * rate:.2f}".rstrip("0").rstrip(".") + " %"
