from datetime import datetime, timedelta
from functools import reduce

import pytest

from sesbounce.feedback.reason import Reason
from sesbounce.policy.merge import merge
from sesbounce.policy.outage import (
    Cell,
    Detection,
    HourCount,
    Suspect,
    hard_cells,
    hour_of,
    suspects,
)
from sesbounce.policy.state import NEWEST_HELD, Delivered, Evidence, State
from tests.support import AT

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def found(
    *hours: tuple[float, int, int, int], provider: str = "google", reports_deliveries: bool = True
) -> list[Suspect]:
    """What is suspected of hours, each as (hours after AT, hard, known, delivered)."""
    cells = {
        Cell(AT + after * HOUR, provider): HourCount(hard, known, delivered)
        for after, hard, known, delivered in hours
    }
    return suspects(cells, Detection(), reports_deliveries=reports_deliveries)


# Two weeks of 10,000 mails an hour, of which 5 bounce.
NORMAL = [(-n, 5, 3, 9_995) for n in range(1, 14 * 24)]


def test_a_suspect_has_the_numbers_of_its_hours_and_an_hour_around_them() -> None:
    (one,) = found(*NORMAL, (0, 900, 800, 100), (1, 500, 450, 4_500), (2, 5, 3, 9_995))
    assert (one.begins, one.ends) == (AT - HOUR, AT + 3 * HOUR)
    assert (one.hard, one.known, one.delivered) == (1400, 1250, 4600)
    assert one.share_before == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("hard", "known", "delivered", "suspected"),
    [
        (19, 19, 0, False),  # too few addresses
        (20, 20, 0, True),
        (20, 9, 0, False),  # most of them never had a delivery: a list of dead addresses
        (60, 60, 9_940, True),
        (45, 45, 9_955, False),  # nine times as frequent as before
    ],
)
def test_the_thresholds(hard: int, known: int, delivered: int, suspected: bool) -> None:
    assert bool(found(*NORMAL, (0, hard, known, delivered))) is suspected


def test_hours_that_are_apart_are_two_incidents() -> None:
    one, other = found(*NORMAL, (0, 900, 800, 0), (2, 900, 800, 0), (5, 900, 800, 0))
    assert (one.ends, other.begins) == (AT + 4 * HOUR, AT + 4 * HOUR)


def test_the_first_hours_of_a_large_sender_are_no_outage() -> None:
    first = [(n, 30, 25, 9_970) for n in range(48)]
    assert found(*first) == []
    assert found(*first, (48, 9_000, 8_000, 1_000))


def test_a_share_that_is_high_already_may_grow() -> None:
    dirty = [(-n, 20, 5, 80) for n in range(1, 14 * 24)]
    assert found(*dirty, (0, 95, 90, 5))
    assert not found(*dirty, (0, 50, 40, 50))


def test_the_hours_of_an_outage_are_no_baseline_for_the_next_ones() -> None:
    (one,) = found(*NORMAL, *((n, 9_000, 8_000, 1_000) for n in range(30)))
    assert one.ends == AT + 31 * HOUR


def test_what_lasts_for_weeks_becomes_the_baseline() -> None:
    weeks = [(n, 9_000, 8_000, 1_000) for n in range(21 * 24)]
    (one,) = found(*NORMAL, *weeks)
    assert one.ends < AT + 14 * DAY


@pytest.mark.parametrize(("hard", "suspected"), [(100, False), (250, True)])
def test_without_counted_deliveries_the_hours_with_bounces_are_compared(
    hard: int, suspected: bool
) -> None:
    weekly = [(-24 * 7, 25, 20, 0), (-24 * 13, 25, 20, 0)]
    suspected_now = [
        one for one in found(*weekly, (0, hard, hard, 0), provider="example.com") if one.ends > AT
    ]
    assert bool(suspected_now) is suspected


def test_where_ses_reports_no_deliveries_numbers_alone_are_suspected() -> None:
    assert found((0, 20, 0, 0), reports_deliveries=False)
    assert not found((0, 20, 0, 0), reports_deliveries=True)


def hard(at: timedelta, mail_id: str, provider: str = "") -> Evidence:
    return Evidence(AT + at, Reason.NO_SUCH_MAILBOX, mail_id, provider=provider)


@pytest.mark.parametrize(
    ("delivered", "known"),
    [
        ((), 0),
        ((Delivered(AT - DAY, "m0"),), 1),
        ((Delivered(AT - 91 * DAY, "m0"),), 0),
        # A later delivery proves nothing, and neither does that of a mail that bounced.
        ((Delivered(AT + HOUR, "m0"),), 0),
        ((Delivered(AT - HOUR, "m1"),), 0),
    ],
)
def test_an_address_counts_once_an_hour(delivered: tuple[Delivered, ...], known: int) -> None:
    state = State(hard=hard(HOUR / 4, "m1"), deliveries=delivered)
    assert hard_cells(state, "jane@gmail.com") == {Cell(hour_of(AT), "google"): HourCount(1, known)}


@pytest.mark.parametrize(
    ("first", "known"),
    [(AT - 400 * DAY, 1), (AT + HOUR, 0)],  # the first mail ever came after the bounce
)
def test_many_later_deliveries_do_not_make_an_address_unknown(first: datetime, known: int) -> None:
    bounced = State(hard=hard(HOUR / 4, "m1"))
    times = [first, *(AT + n * HOUR for n in range(1, NEWEST_HELD + 2))]
    delivered = [Delivered(at, f"m{n}") for n, at in enumerate(times, start=2)]
    states = [State(first_delivery=one, deliveries=(one,)) for one in delivered]
    state = reduce(merge, states, bounced)
    assert state == reduce(merge, reversed(states), bounced)
    assert hard_cells(state, "jane@gmail.com") == {Cell(hour_of(AT), "google"): HourCount(1, known)}


def test_the_reply_names_the_provider() -> None:
    state = State(hard=hard(HOUR, "m2", "google"), earlier_hard=(hard(-HOUR, "m1"),))
    cells = {Cell(AT + HOUR, "google"), Cell(AT - HOUR, "example.com")}
    assert hard_cells(state, "jane@example.com").keys() == cells
