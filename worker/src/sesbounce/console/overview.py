"""The overview: what happened lately, and whether the senders may go on."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa
from markupsafe import Markup
from starlette.responses import Response

from sesbounce.console import charts
from sesbounce.console.asking import PLACES, Ask
from sesbounce.console.rendering import time
from sesbounce.console.texts import Texts
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.operations.gate import judged_senders
from sesbounce.policy.gate import Sender, SenderName
from sesbounce.policy.rates import (
    AWS_LIMITS,
    DAY_HOURS,
    LIMITS,
    Hours,
    Metric,
    Numbers,
    Rate,
    SendingState,
    percent,
    total,
)
from sesbounce.store.engine import answering
from sesbounce.store.incidents import IncidentRow
from sesbounce.store.overview import (
    MOST_WAITING,
    Answered,
    NotSent,
    Period,
    Waiting,
    periods_of,
    read_answers,
    read_newest,
    read_not_sent,
    read_open_incidents,
    read_waiting,
)

DAYS = 30
# Charts of more identities would make the page long; the command prints all.
MOST_IDENTITIES = 12
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


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        name: a reason, or a provider.
        effect: the effect of the reason; None for a provider.
        numbers: a number for each period; None where it is not known.
        share: the length of its bar, from 0 to 1.
        events: the number of events of the last period.
    """

    name: str
    effect: Effect | None
    numbers: Sequence[float | None]
    share: float
    events: int


class Seen(NamedTuple):
    """All that the overview shows.

    Attributes:
        now: the time of the numbers, UTC.
        newest: when the newest event was recorded, UTC; None if there is none.
        accounts: the accounts by region, with their identities.
        tiles: the numbers of today, yesterday, and of 7 and 30 days, by the key of their names.
        reasons: the reasons of bounces and complaints, the most frequent first.
        providers: the shares of bounces by receiving provider, the largest provider first.
        waiting: what waits in the outbox.
        incidents: the incidents that go on.
    """

    now: datetime
    newest: datetime | None
    accounts: Sequence[Rated]
    tiles: Mapping[str, Sequence[int]]
    reasons: Sequence[Row]
    providers: Sequence[Row]
    waiting: Waiting
    incidents: Sequence[IncidentRow]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is counted in the last 30 days."""
        return not self.accounts and not any(map(any, self.tiles.values()))


def show(ask: Ask) -> Response:
    """Show the overview."""
    incidents = next((place for place in PLACES if place.key == "incidents"), None)
    return ask.page(
        "overview",
        seen=gather(ask.console.engine, ask.console.now()),
        metrics=list(Metric),
        most_waiting=MOST_WAITING,
        most_identities=MOST_IDENTITIES,
        incidents_path=incidents.path if incidents and ask.may(incidents.scope) else None,
    )


def gather(engine: sa.Engine, now: datetime) -> Seen:
    """Gather the numbers.

    Args:
        engine: the database.
        now: the time, UTC.

    Raises:
        StoreError: the database can't answer.
    """
    periods = periods_of(now.date())
    with answering("the overview was not read"), engine.connect() as connection:
        senders, hours = judged_senders(connection, now)
        not_sent = read_not_sent(connection, periods)
        answers = read_answers(connection, periods)
        newest = read_newest(connection)
        waiting = read_waiting(connection)
        incidents = read_open_incidents(connection, now)
    accounts = _accounts(senders, hours, not_sent, now.date())
    return Seen(
        now=now,
        newest=newest,
        accounts=accounts,
        tiles=_tiles(accounts, list(not_sent.values()), periods),
        reasons=_reasons(answers),
        providers=_providers(answers),
        waiting=waiting,
        incidents=incidents,
    )


def _accounts(
    senders: Sequence[Sender],
    hours: Mapping[SenderName, Hours],
    not_sent: Mapping[SenderName, NotSent],
    today: date,
) -> list[Rated]:
    """The accounts, with their identities, the worst first; of each the 30 days that end today."""
    accounts: dict[tuple[str, str], Rated] = {}
    for sender in senders:  # the whole accounts come first
        name = SenderName(sender.account_id, sender.region, sender.identity or "")
        days = _days(hours[name], today)
        if not name.identity:
            own = [found for key, found in not_sent.items() if key[:2] == name[:2]]
            accounts[name[:2]] = Rated(sender, days, _added(own))
        elif account := accounts.get(name[:2]):
            rated = Rated(sender, days, not_sent.get(name, _added([])))
            account.identities.append(rated)
    for account in accounts.values():
        account.identities.sort(key=_worst)
    return sorted(accounts.values(), key=_worst)


def _worst(rated: Rated) -> tuple[int, int, str]:
    state = rated.sender.state
    place = _WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)
    return place, -rated.month.mails, rated.sender.name


def _days(hours: Hours, today: date) -> dict[date, Numbers]:
    by_day: defaultdict[date, list[Numbers]] = defaultdict(list)
    for hour, numbers in hours.items():
        by_day[hour.date()].append(numbers)
    days = (today - timedelta(days=ago) for ago in reversed(range(DAYS)))
    return {day: total(by_day.get(day, ())) for day in days}


def _added(found: Sequence[NotSent]) -> NotSent:
    """The sums of some senders, by period."""
    count = len(periods_of(date.min + timedelta(days=DAYS)))
    return NotSent(
        [sum(one.not_attempted[place] for one in found) for place in range(count)],
        [sum(one.rejected[place] for one in found) for place in range(count)],
    )


def _tiles(
    accounts: Sequence[Rated], not_sent: Sequence[NotSent], periods: Sequence[Period]
) -> Mapping[str, Sequence[int]]:
    counted = [
        [
            total(n for day, n in account.days.items() if first <= day <= last)
            for account in accounts
        ]
        for first, last in periods
    ]

    def sums(number: Callable[[Numbers], int]) -> list[int]:
        return [sum(map(number, numbers)) for numbers in counted]

    added = _added(not_sent)
    return {
        "mails": sums(lambda numbers: numbers.mails),
        "hard": sums(lambda numbers: numbers.hard),
        "soft": sums(lambda numbers: numbers.soft),
        "complaints": sums(lambda numbers: numbers.complaints),
        "not_attempted": added.not_attempted,
        "rejected": added.rejected,
    }


def _reasons(answers: Sequence[Answered]) -> list[Row]:
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0] * _count(answers))
    for answer in answers:
        if answer.kind in {Kind.BOUNCE, Kind.COMPLAINT}:
            _add(found[answer.reason], answer.numbers)
    most = max((numbers[-1] for numbers in found.values()), default=0)
    rows = [
        Row(name, Reason(name).effect, numbers, numbers[-1] / most, numbers[-1])
        for name, numbers in found.items()
        if numbers[-1] > 0
    ]
    return sorted(rows, key=lambda row: (-row.events, row.name))


def _providers(answers: Sequence[Answered]) -> list[Row]:
    """The bounces of each provider as shares of its deliveries and bounces."""
    bounces: defaultdict[str, list[int]] = defaultdict(lambda: [0] * _count(answers))
    mails: defaultdict[str, list[int]] = defaultdict(lambda: [0] * _count(answers))
    for answer in answers:
        if answer.kind in {Kind.BOUNCE, Kind.DELIVERY}:
            _add(mails[answer.provider], answer.numbers)
        if answer.kind == Kind.BOUNCE:
            _add(bounces[answer.provider], answer.numbers)
    shares: dict[str, list[float | None]] = {}
    for name, numbers in mails.items():
        pairs = zip(bounces[name], numbers, strict=True)
        if numbers[-1] > 0:
            shares[name] = [bounced / mail if mail > 0 else None for bounced, mail in pairs]
    most = max((numbers[-1] or 0 for numbers in shares.values()), default=0)
    rows = [
        Row(name, None, numbers, (numbers[-1] or 0) / most if most else 0.0, mails[name][-1])
        for name, numbers in shares.items()
    ]
    return sorted(rows, key=lambda row: (-row.events, row.name))


def _count(answers: Sequence[Answered]) -> int:
    return len(answers[0].numbers)


def _add(numbers: list[int], more: Sequence[int]) -> None:
    for place, number in enumerate(more):
        numbers[place] += number


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
