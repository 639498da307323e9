"""Judges whether a sender may go on sending, by its rates of hard bounces and complaints.

The answer follows from the counts by hour and from what people resumed, and not from the order in
which messages arrived or from who asked before. A sender is stopped if its rate was too high in an
hour, or in the 24 hours to the end of an hour, of the last 30 days. While the hour goes on, more
deliveries can still lower its rate; once it is over, the stop stays until a person resumes the
sender. A resume sets aside all that was counted by then: the hours before it, and the counts that
its own hour had. Only what is counted later can stop the sender then. See `docs/gate.md`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate, repeat
from operator import sub, truediv

import msgspec

from sesbounce.policy.hourly import Hours, hour_at
from sesbounce.policy.outage import HOUR, hour_of
from sesbounce.policy.rates import (
    DAY_HOURS,
    LIMITS,
    NOTHING,
    Limit,
    Metric,
    Numbers,
    Rate,
    SendingState,
    percent,
    rate_of,
)

# For as long, a stop stays if nobody resumes the sender.
REMEMBERED = timedelta(days=30)
# The 24 hours to the end of the first of these hours count with all their mails.
READ = REMEMBERED + DAY_HOURS * HOUR
_WORST_FIRST = (SendingState.STOP, SendingState.UNKNOWN, SendingState.WARN, SendingState.OK)


class Resume(msgspec.Struct, frozen=True):
    """A person lets a stopped sender go on.

    Attributes:
        at: when, UTC.
        by: the person.
        note: the reason.
        seen: what was counted of the hour by then.
    """

    at: datetime
    by: str
    note: str
    seen: Numbers = NOTHING


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the counts of one sender.

    Attributes:
        state: whether it may go on.
        why: the same in one sentence.
        rates: the rates of the present hour and of the 24 hours to its end.
        stopped_by: the first rate since the last resume that was too high; None if none was.
        resumed: the last resume; None if there was none.
        latest: the latest hour of which something is counted; None if nothing is.
    """

    state: SendingState
    why: str
    rates: Sequence[Rate]
    stopped_by: Rate | None = None
    resumed: Resume | None = None
    latest: datetime | None = None


def is_counted(hours: Hours, now: datetime) -> bool:
    """Whether anything is counted in the last 30 days."""
    return hours.between(now - REMEMBERED, now).latest is not None


def worst(states: Collection[SendingState]) -> SendingState:
    """The worst of some states; `unknown` if there is none."""
    return next((state for state in _WORST_FIRST if state in states), SendingState.UNKNOWN)


def judge_sending(hours: Hours, resumes: Iterable[Resume], now: datetime) -> Judged:
    """Judge one sender.

    Args:
        hours: what was counted by hour, in the last 31 days at least.
        resumes: what people resumed, in any order.
        now: the time, UTC.
    """
    present = hour_of(now)
    counted = hours.between(now - READ, now)
    resumed = max((one for one in resumes if one.at <= now), key=_time_of, default=None)
    fresh = counted.beyond(hour_of(resumed.at), resumed.seen) if resumed else counted
    rates = _rates(fresh, present)
    latest = counted.latest
    if not counted.reports_mails:
        why = (
            "nothing is counted in the last 30 days"
            if latest is None
            else "SES reports neither deliveries nor sends, so there is no rate: let it publish "
            "Delivery or Send events"
        )
        return Judged(
            state=SendingState.UNKNOWN, why=why, rates=rates, resumed=resumed, latest=latest
        )
    stopped_by = _first_stop(fresh, hour_of(now - READ), present)
    if stopped_by:
        state, why = SendingState.STOP, _in_words(stopped_by)
    else:
        # At the beginning of an hour its own rate says nothing yet.
        watched = [*rates, *_rates(fresh, present - HOUR)]
        warned = max(
            (rate for rate in watched if rate.state is SendingState.WARN),
            key=lambda rate: rate.of_stop or 0,
            default=None,
        )
        state = SendingState.WARN if warned else SendingState.OK
        why = _in_words(warned) if warned else _all_well(rates)
    return Judged(
        state=state,
        why=why,
        rates=rates,
        stopped_by=stopped_by,
        resumed=resumed,
        latest=latest,
    )


def _time_of(resume: Resume) -> datetime:
    return resume.at


def _first_stop(hours: Hours, first: datetime, present: datetime) -> Rate | None:
    """The earliest rate that was too high at the end of an hour, a day after the first one."""
    whole = hours.total()
    # Of most senders there are not enough events for any stop at all.
    limits = [limit for limit in LIMITS if whole.events(limit.metric) >= limit.events]
    if limits:
        # Where the rate of no hour reaches the limit, that of no day does.
        highest = _highest(hours)
        limits = [limit for limit in limits if highest[limit.metric] >= limit.stop]
    if not limits:
        return None
    columns = _Columns(hours.filled(first, present))
    # A rate is made for the hour that stops alone: a month has many.
    stops = [
        rate_of(limit, columns.until(place, limit.hours), columns.hour(place))
        for limit in limits
        if (place := columns.first_stop(limit))
    ]
    return min(stops, key=_end_of, default=None)


def _highest(hours: Hours) -> Mapping[Metric, float]:
    """The highest rate of an hour, were its mails as few as they can be in the rate of a day."""
    # The mails of a day are no fewer than the sum of these.
    mails = [ended or 1 for ended in hours.ended]
    events = {Metric.BOUNCE: hours.hard, Metric.COMPLAINT: hours.complaints}
    return {metric: max(map(truediv, events[metric], mails)) for metric in Metric}


class _Columns:
    """What was counted in each of some hours that follow each other.

    Those of the first day can't stop a sender: they count for the 24 hours to the end of others.
    """

    def __init__(self, hours: Hours) -> None:
        self._events: Mapping[Metric, Sequence[int]] = {
            Metric.BOUNCE: hours.hard,
            Metric.COMPLAINT: hours.complaints,
        }
        self._hours = hours

    def hour(self, place: int) -> datetime:
        """The hour at a place."""
        return hour_at(self._hours.numbers[place])

    def until(self, place: int, hours: int) -> Numbers:
        """What was counted in so many hours, of which that at a place is the last one."""
        last = self.hour(place)
        return self._hours.between(last - (hours - 1) * HOUR, last).total()

    def first_stop(self, limit: Limit) -> int | None:
        """The place of the first hour at whose end a limit stops; None if there is none."""
        of_days = limit.hours == DAY_HOURS
        events = self._events[limit.metric]
        if of_days:
            events = _of_days(events)
        if max(events) < limit.events:
            return None
        mails = self._mails_of_days if of_days else self._mails
        if max(map(truediv, events, mails)) < limit.stop:
            return None
        for place in range(DAY_HOURS, len(events)):
            count, of = events[place], mails[place]
            if count >= limit.events and of >= limit.mails and count / of >= limit.stop:
                return place
        return None

    @cached_property
    def _mails(self) -> Sequence[int]:
        """At least 1 each, so that they divide."""
        return list(map(max, self._hours.sent, self._hours.ended, repeat(1)))

    @cached_property
    def _mails_of_days(self) -> Sequence[int]:
        return list(map(max, _of_days(self._hours.sent), _of_days(self._hours.ended), repeat(1)))


def _of_days(numbers: Sequence[int]) -> Sequence[int]:
    """The sums of the numbers of each hour and of the 23 before it."""
    up_to = list(accumulate(numbers))
    return [*up_to[:DAY_HOURS], *map(sub, up_to[DAY_HOURS:], up_to)]


def _end_of(rate: Rate) -> datetime:
    return rate.until


def _rates(hours: Hours, present: datetime) -> list[Rate]:
    """The rates of an hour and of the 24 hours to its end."""
    day = hours.between(present - (DAY_HOURS - 1) * HOUR, present).total()
    of_hours = {1: hours.at(present), DAY_HOURS: day}
    return [rate_of(limit, of_hours[limit.hours], present) for limit in LIMITS]


def _in_words(rate: Rate) -> str:
    what = "hard bounces" if rate.metric is Metric.BOUNCE else "complaints"
    begins = rate.until - rate.hours * HOUR
    span = f"{begins:%Y-%m-%d %H:%M} to {rate.until:%Y-%m-%d %H:%M} UTC"
    limit = rate.stop if rate.state is SendingState.STOP else rate.warn
    verb = "stops" if rate.state is SendingState.STOP else "warns"
    return (
        f"{rate.events:,} {what} in {rate.mails:,} mails from {span} "
        f"are {percent(rate.rate or 0)}; sesbounce {verb} from {percent(limit)} on"
    )


def _all_well(rates: Sequence[Rate]) -> str:
    day = next(rate for rate in rates if rate.hours == DAY_HOURS)
    if not day.mails:
        return "nothing is counted in the last 24 hours"
    if day.mails < next(limit.mails for limit in LIMITS if limit.hours == DAY_HOURS):
        return f"{day.mails:,} mails in the last 24 hours are too few for a rate of the day"
    return f"the rates of the last 24 hours ({day.mails:,} mails) are below the limits"
