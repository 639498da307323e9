"""The senders on the overview: what the gate says of each, its rates, and their charts."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property, reduce
from typing import Any

from markupsafe import Markup

from sesbounce.console import charts
from sesbounce.console.rendering import time
from sesbounce.console.texts import Texts
from sesbounce.policy.gate import Sender, SenderName
from sesbounce.policy.hourly import Hours
from sesbounce.policy.rates import (
    AWS_LIMITS,
    DAY_HOURS,
    LIMITS,
    Metric,
    Numbers,
    Rate,
    SendingState,
    percent,
    total,
)
from sesbounce.store.overview import ALL_SENT, NotSent

_DAYS = 30
# Senders in another state come behind these, the largest first.
_WORST_FIRST = (SendingState.STOP, SendingState.WARN)
_ENOUGH_A_DAY = next(limit.mails for limit in LIMITS if limit.hours == DAY_HOURS)
_TITLES = {Metric.BOUNCE: "chart.bounce", Metric.COMPLAINT: "chart.complaint"}
_LIMITED = {
    (SendingState.STOP, Metric.BOUNCE): "gate.stop_bounce",
    (SendingState.STOP, Metric.COMPLAINT): "gate.stop_complaint",
    (SendingState.WARN, Metric.BOUNCE): "gate.warn_bounce",
    (SendingState.WARN, Metric.COMPLAINT): "gate.warn_complaint",
}


class Rated:
    """A sender with its numbers of the last 30 days.

    Attributes:
        sender: the sender as the gate judges it.
        days: its numbers by day, the earliest first.
        not_attempted: recipients of these days to whom SES did not try to send.
        rejected: mails of these days that SES rejected.
        identities: the identities of an account in a region, the worst first.
    """

    def __init__(self, sender: Sender, days: Mapping[date, Numbers], not_sent: NotSent) -> None:
        self.sender = sender
        self.days = days
        self.not_attempted = not_sent.not_attempted[-1]
        self.rejected = not_sent.rejected[-1]
        self.identities: list[Rated] = []

    @cached_property
    def month(self) -> Numbers:
        """The numbers of all days."""
        return total(self.days.values())

    def rate(self, numbers: Numbers, metric: Metric) -> float | None:
        """A rate of some days, from 0 to 1; None where no mails are known."""
        if not self.month.reports_mails or not numbers.mails:
            return None
        return numbers.events(metric) / numbers.mails

    def level(self, metric: Metric) -> str:
        """Where the rate of all days lies: `unknown`, `below`, `review` or `pause`."""
        rate, aws = self.rate(self.month, metric), AWS_LIMITS[metric]
        if rate is None:
            return "unknown"
        return "pause" if rate >= aws.pause else "review" if rate >= aws.review else "below"

    def sentence(self, t: Texts) -> Markup:
        """The state in one sentence."""
        sender = self.sender
        if sender.state is SendingState.UNKNOWN:
            return t("gate.unknown")
        if sender.stopped_by:
            return _limited(t, sender.stopped_by)
        if sender.state is SendingState.WARN:
            warned = [rate for rate in sender.rates if rate.state is SendingState.WARN]
            # At the beginning of an hour, the hour before it is looked at as well.
            worst = max(warned, key=lambda rate: rate.of_stop or 0, default=None)
            return _limited(t, worst) if worst else t("gate.warn_before")
        mails = next(rate.mails for rate in sender.rates if rate.hours == DAY_HOURS)
        if not mails:
            return t("gate.nothing")
        few = mails < _ENOUGH_A_DAY
        return t("gate.few" if few else "gate.well", mails=f"{mails:,}")

    def chart(self, t: Texts, metric: Metric) -> Markup:
        """The chart of a rate over all days beside AWS's limits."""
        rates = {day: self.rate(numbers, metric) for day, numbers in self.days.items()}
        known = {rate: day for day, rate in rates.items() if rate is not None}
        aws, days = AWS_LIMITS[metric], list(rates)
        if known:
            highest = max(known)
            values = {"rate": percent(highest), "day": str(known[highest])}
            description = t("chart.highest", **values)
        else:
            description = t("chart.nothing")
        return charts.line(
            list(rates.values()),
            [
                charts.Limit(aws.review, t("chart.review"), percent(aws.review)),
                charts.Limit(aws.pause, t("chart.pause"), percent(aws.pause)),
            ],
            title=t(_TITLES[metric], sender=self.sender.name),
            description=description,
            ends=(f"{days[0]:%m-%d}", f"{days[-1]:%m-%d}"),
        )


def accounts_of(
    senders: Sequence[Sender],
    hours: Mapping[SenderName, Hours],
    not_sent: Mapping[SenderName, NotSent],
    today: date,
) -> list[Rated]:
    """The accounts in each region with their identities, the worst first.

    Args:
        senders: the senders as the gate judges them, the whole accounts first.
        hours: what was counted of each by hour.
        not_sent: the mails of identities that never left SES.
        today: the last of the 30 days that count.
    """
    accounts: dict[tuple[str, str], Rated] = {}
    for sender in senders:
        name = SenderName(sender.account_id, sender.region, sender.identity or "")
        days = hours[name].days(today - timedelta(days=_DAYS - 1), today)
        if not name.identity:
            own = (found for key, found in not_sent.items() if key[:2] == name[:2])
            accounts[name[:2]] = Rated(sender, days, reduce(NotSent.plus, own, ALL_SENT))
        elif account := accounts.get(name[:2]):
            account.identities.append(Rated(sender, days, not_sent.get(name, ALL_SENT)))
    for account in accounts.values():
        account.identities.sort(key=_worst)
    return sorted(accounts.values(), key=_worst)


def _worst(rated: Rated) -> tuple[int, int, str]:
    state = rated.sender.state
    place = _WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)
    return place, -rated.month.mails, rated.sender.name


def _limited(t: Texts, rate: Rate) -> Markup:
    stopped = rate.state is SendingState.STOP
    values: dict[str, Any] = {
        "events": f"{rate.events:,}",
        "mails": f"{rate.mails:,}",
        "rate": percent(rate.rate or 0),
        "limit": percent(rate.stop if stopped else rate.warn),
        "begins": time(rate.until - timedelta(hours=rate.hours)),
        "until": time(rate.until),
    }
    return t(_LIMITED[rate.state, rate.metric], **values)
