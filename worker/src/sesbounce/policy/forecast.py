"""Estimates when AWS may review an account, which does not publish what exactly it looks at."""

from datetime import datetime

import msgspec

from sesbounce.policy.hourly import Hours
from sesbounce.policy.outage import HOUR, hour_of
from sesbounce.policy.rates import AWS_LIMITS, DAY_HOURS, Metric, Numbers, percent
from sesbounce.policy.sending import REMEMBERED

_MOST_DAYS = 30.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate of when AWS may review the account: AWS does not publish what it looks at.

    Attributes:
        metric: `bounce` or `complaint`.
        days: the number of days that the rate is of.
        rate: the rate of these days; None without mails.
        days_to_review: in how many days that rate reaches AWS's limit if each day is like the last
            24 hours: 0 if it has, None if it will not within 30 days.
        says: the same in one sentence.
    """

    metric: Metric
    days: int
    rate: float | None
    days_to_review: float | None
    says: str


def forecasts(hours: Hours, now: datetime) -> list[Forecast]:
    """Estimate for an account in a region when AWS may review it."""
    present = hour_of(now)
    since = hour_of(now - REMEMBERED)
    month = hours.between(since, present).total()
    day = hours.between(present - (DAY_HOURS - 1) * HOUR, present).total()
    return [_forecast(metric, month, day) for metric in Metric] if month.reports_mails else []


def _forecast(metric: Metric, month: Numbers, day: Numbers) -> Forecast:
    review = AWS_LIMITS[metric].review
    rate = month.events(metric) / month.mails if month.mails else None
    days = _days_to(review, metric, month, day)
    what = f"the {metric} rate of the last 30 days is {percent(rate or 0)}"
    if days == 0:
        then = f"at or above AWS's {percent(review)}"
    elif days is None:
        then = f"and does not reach AWS's {percent(review)} within 30 days like the last 24 hours"
    else:
        then = f"and reaches AWS's {percent(review)} in {days:.1f} days like the last 24 hours"
    says = (
        f"An estimate: {what}, {then}. AWS judges a representative volume that it does not publish."
    )
    return Forecast(metric=metric, days=REMEMBERED.days, rate=rate, days_to_review=days, says=says)


def _days_to(limit: float, metric: Metric, month: Numbers, day: Numbers) -> float | None:
    """In how many such days the rate of the month reaches a limit; None if not within 30."""
    missing = limit * month.mails - month.events(metric)
    if missing <= 0:
        return 0.0
    a_day = day.events(metric) - limit * day.mails
    if a_day <= 0:
        return None
    days = missing / a_day
    return days if days <= _MOST_DAYS else None
