"""Detects a provider's outage from counts by provider and hour.

The counts follow from the events alone, by the time at which they happened, so the outcome is the
same in whatever order the messages arrive. The rules: an hour is suspected if at least
`addresses` addresses bounced hard, and hard bounces were `times` as frequent as in the 14 days
before, and most of the addresses had a delivery in the 90 days before. An incident is a run of
suspected hours, with the hour before it and the hour after it. See `docs/incidents.md`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from sesbounce.feedback.provider import provider_of
from sesbounce.policy.state import (
    NEWEST_HELD,
    Delivered,
    Evidence,
    State,
    arrived,
    hard_bounces,
    newest_by_mail,
)

HOUR = timedelta(hours=1)
_HOUR_SECONDS = 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASELINE = timedelta(days=14)
# The hours in which incidents are looked for. A suspected hour is no part of the baseline of the
# hours this long after it; what lasts longer becomes the baseline.
EXAMINED = timedelta(days=2)
_KNOWN_WITHIN = timedelta(days=90)
# Added to each baseline, so that a provider with a short past is expected to have 1 % of hard
# bounces: otherwise the first hard bounces ever would count as an outage.
_PRIOR_HARD = 1
_PRIOR_DELIVERED = 99


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

    @property
    def share(self) -> float | None:
        """The share of hard bounces among the mails; None where no deliveries are counted."""
        return self.hard / (self.hard + self.delivered) if self.delivered else None

    def add(self, other: "HourCount", sign: int = 1) -> None:
        """Add the numbers of another one, or subtract them."""
        self.hard += sign * other.hard
        self.known += sign * other.known
        self.delivered += sign * other.delivered


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of the detection.

    Attributes:
        addresses: the addresses that must have bounced hard within the hour.
        times: how many times as frequent as in the days before hard bounces must be.
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
        share_before: the share of hard bounces in the 14 days before; None where no deliveries
            are counted.
    """

    provider: str
    begins: datetime
    ends: datetime
    hard: int
    known: int
    delivered: int
    share_before: float | None = None


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour, UTC."""
    return _beginning(moment.timestamp() // _HOUR_SECONDS)


@lru_cache  # most events of a batch are of few hours, and a known one is found at once
def _beginning(hour: float) -> datetime:
    """The beginning of an hour that is counted from 1970 on."""
    return _EPOCH + hour * HOUR


def cell_of(moment: datetime, provider: str) -> Cell:
    """The cell that an event of a provider belongs to."""
    return Cell(hour_of(moment), provider)


def hard_cells(state: State, address: str) -> dict[Cell, HourCount]:
    """The counts that the hard bounces of one address add to.

    They follow from the state alone. So the counts of all addresses stay right if each change of
    a state subtracts those of the state before and adds those of the state after.
    """
    if not state.hard:
        return {}
    provider = provider_of(address)
    delivered = arrived(state)
    cells: dict[Cell, HourCount] = {}
    for bounce in newest_by_mail(hard_bounces(state)):
        cell = cell_of(bounce.at, bounce.provider or provider)
        cells.setdefault(cell, HourCount(1, int(_is_known(state, delivered, bounce))))
    return cells


def _is_known(state: State, delivered: Sequence[Delivered], bounce: Evidence) -> bool:
    """Whether an address had a delivery in the 90 days before a hard bounce.

    A state holds the newest deliveries. Where all of these are later than the bounce, any earlier
    delivery counts: otherwise an address that gets many mails after an outage would be unknown
    then, and the incident would be withdrawn.
    """
    if not delivered:  # as of most addresses that bounce hard
        return False
    cut = len(state.deliveries) == NEWEST_HELD and state.deliveries[-1].at >= bounce.at
    since = None if cut else bounce.at - _KNOWN_WITHIN
    return any(one.at < bounce.at and (since is None or since <= one.at) for one in delivered)


def suspects(
    cells: Mapping[Cell, HourCount], detection: Detection, *, reports_deliveries: bool
) -> list[Suspect]:
    """The suspected incidents, the earliest first.

    Args:
        cells: the counts of the hours to examine, and of the 14 days before them.
        detection: the thresholds.
        reports_deliveries: whether SES reports deliveries. Otherwise no address can be shown to
            have had one, and the numbers alone decide.
    """
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
    """The suspected hours of a provider, in their order."""
    suspected: list[datetime] = []
    for hour in sorted(hours):
        count = hours[hour]
        if count.hard < detection.addresses:
            continue
        if reports_deliveries and count.known < detection.known * count.hard:
            continue
        if _exceeds(count, _before(hour, hours, suspected), detection.times):
            suspected.append(hour)
    return suspected


def _before(
    hour: datetime, hours: Mapping[datetime, HourCount], suspected: Collection[datetime] = ()
) -> list[HourCount]:
    """The counts of the 14 days before an hour, without those of suspected hours of late."""
    return [
        count
        for other, count in hours.items()
        if hour - BASELINE <= other < hour and not (other in suspected and hour - other <= EXAMINED)
    ]


def _exceeds(count: HourCount, before: Collection[HourCount], times: float) -> bool:
    """Whether hard bounces are so many times as frequent in an hour as before.

    Where deliveries are counted, the number of hard bounces for each delivery is compared: a
    share that is 20 % already could not grow tenfold. Elsewhere, the number of hard bounces in
    an hour is compared with the average of the hours that had any.
    """
    total = _total(before)
    if count.delivered or total.delivered:
        expected = (total.hard + _PRIOR_HARD) / (total.delivered + _PRIOR_DELIVERED)
        return count.hard >= times * expected * count.delivered
    bouncing = sum(1 for one in before if one.hard)
    return count.hard * max(bouncing, 1) >= times * total.hard


def times_before(count: HourCount, before: HourCount) -> float | None:
    """How many times as large as before the share of hard bounces is.

    As in the detection, a provider with a short past is expected to have 1 % of hard bounces.

    Returns:
        The ratio of the two shares; None without mails, or where no deliveries are counted.
    """
    mails = count.hard + count.delivered
    if not mails or not count.delivered + before.delivered:
        return None
    expected = (before.hard + _PRIOR_HARD) / (
        before.hard + before.delivered + _PRIOR_HARD + _PRIOR_DELIVERED
    )
    return count.hard / mails / expected


def _total(counts: Iterable[HourCount]) -> HourCount:
    total = HourCount()
    for count in counts:
        total.add(count)
    return total


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
    total = _total(hours[hour] for hour in run)
    return Suspect(
        provider=provider,
        begins=run[0] - HOUR,
        ends=run[-1] + 2 * HOUR,
        hard=total.hard,
        known=total.known,
        delivered=total.delivered,
        share_before=_total(_before(run[0], hours)).share,
    )
