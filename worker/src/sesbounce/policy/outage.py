"""Detects a provider's outage from counts by provider and hour.

The counts follow from the events alone, by the time at which they happened, so the outcome is the
same in whatever order the messages arrive. The rules: an hour is suspected if at least
`addresses` addresses bounced hard, and their share is `times` that of the 14 days before, and most
of them had a delivery in the 90 days before. An incident is a run of suspected hours, and the hour
before and after it. See `docs/incidents.md`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from sesbounce.feedback.provider import provider_of
from sesbounce.policy.state import State, hard_bounces
from sesbounce.policy.verdict import bounced_mails, newest_by_mail

HOUR = timedelta(hours=1)
BASELINE = timedelta(days=14)
_KNOWN_WITHIN = timedelta(days=90)


class Cell(msgspec.Struct, frozen=True, order=True):
    """One provider in one hour.

    Attributes:
        hour: the beginning of the hour, UTC.
        provider: the provider or domain; see `sesbounce.feedback.provider`.
    """

    hour: datetime
    provider: str


class HourCount(msgspec.Struct):
    """What happened at a provider in an hour.

    Attributes:
        hard: addresses that bounced hard.
        known: those of them that had a delivery in the 90 days before.
        delivered: deliveries; only those to providers in `PROVIDERS` are counted.
    """

    hard: int = 0
    known: int = 0
    delivered: int = 0

    def add(self, other: "HourCount", sign: int = 1) -> None:
        """Add the numbers of another one, or subtract them."""
        self.hard += sign * other.hard
        self.known += sign * other.known
        self.delivered += sign * other.delivered


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of the detection.

    Attributes:
        addresses: the addresses that must have bounced hard within the hour.
        times: how many times the share of hard bounces must exceed that of the days before.
        known: the share of these addresses that must have had a delivery in the 90 days before.
    """

    addresses: int = 20
    times: float = 10.0
    known: float = 0.5


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A suspected incident.

    Attributes:
        provider: the provider or domain.
        begins: the beginning, UTC: an hour before the first suspected hour.
        ends: the end, UTC: an hour after the last suspected hour.
        hard: addresses that bounced hard in the suspected hours.
        known: those of them that had a delivery in the 90 days before.
        delivered: deliveries in these hours; 0 where they are not counted.
    """

    provider: str
    begins: datetime
    ends: datetime
    hard: int
    known: int
    delivered: int


def cell_of(moment: datetime, provider: str) -> Cell:
    """The cell that an event of a provider belongs to."""
    return Cell(moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0), provider)


def hard_cells(state: State, address: str) -> dict[Cell, HourCount]:
    """The counts that the hard bounces of one address add to.

    They follow from the state alone. So the counts of all addresses stay right if each change of
    a state subtracts those of the state before and adds those of the state after.
    """
    cells: dict[Cell, HourCount] = {}
    bounces = newest_by_mail(hard_bounces(state))
    if not bounces:
        return cells
    bounced = bounced_mails(state)
    first = (state.first_delivery,) if state.first_delivery else ()
    delivered = [d.at for d in (*first, *state.deliveries) if d.mail_id not in bounced]
    for bounce in bounces:
        cell = cell_of(bounce.at, bounce.provider or provider_of(address))
        known = any(bounce.at - _KNOWN_WITHIN <= at < bounce.at for at in delivered)
        cells.setdefault(cell, HourCount(1, int(known)))
    return cells


def suspects(cells: Mapping[Cell, HourCount], detection: Detection) -> list[Suspect]:
    """The suspected incidents, the earliest first.

    Args:
        cells: the counts of the hours to examine, and of the 14 days before them.
        detection: the thresholds.
    """
    reports_deliveries = any(count.delivered or count.known for count in cells.values())
    by_provider: dict[str, dict[datetime, HourCount]] = defaultdict(dict)
    for cell, count in cells.items():
        by_provider[cell.provider][cell.hour] = count
    found: list[Suspect] = []
    for provider, hours in by_provider.items():
        suspected = _suspected_hours(hours, detection, reports_deliveries=reports_deliveries)
        found += (_suspect(provider, run, hours) for run in _runs(suspected))
    return sorted(found, key=lambda one: (one.begins, one.provider))


def _suspected_hours(
    hours: Mapping[datetime, HourCount], detection: Detection, *, reports_deliveries: bool
) -> list[datetime]:
    """The suspected hours of a provider; they are no part of the share of later hours."""
    suspected: list[datetime] = []
    for hour in sorted(hours):
        count = hours[hour]
        if count.hard < detection.addresses:
            continue
        if reports_deliveries and count.known < detection.known * count.hard:
            continue
        before = HourCount()
        for other, numbers in hours.items():
            if hour - BASELINE <= other < hour and other not in suspected:
                before.add(numbers)
        if _exceeds(count, before, detection.times):
            suspected.append(hour)
    return suspected


def _exceeds(count: HourCount, before: HourCount, times: float) -> bool:
    """Whether an hour has so many times the hard bounces of the days before.

    Shares of mails are compared where deliveries are counted, else the numbers in an hour.
    """
    if count.delivered or before.delivered:
        share = count.hard / (count.hard + count.delivered)
        mails_before = before.hard + before.delivered
        return not mails_before or share >= times * before.hard / mails_before
    return count.hard >= times * before.hard / (BASELINE / HOUR)


def _runs(hours: Iterable[datetime]) -> Iterator[list[datetime]]:
    """Hours in their order, divided where more than one hour lies between two of them."""
    run: list[datetime] = []
    for hour in hours:
        if run and hour - run[-1] > 2 * HOUR:
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _suspect(provider: str, run: list[datetime], hours: Mapping[datetime, HourCount]) -> Suspect:
    total = HourCount()
    for hour in run:
        total.add(hours[hour])
    return Suspect(
        provider=provider,
        begins=run[0] - HOUR,
        ends=run[-1] + 2 * HOUR,
        hard=total.hard,
        known=total.known,
        delivered=total.delivered,
    )
