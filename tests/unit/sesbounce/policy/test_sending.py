"""The state of a sender follows from its counts and from what people resumed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sesbounce.policy.hourly import Hours
from sesbounce.policy.outage import HOUR, hour_of
from sesbounce.policy.rates import (
    LIMITS,
    NOTHING,
    Limit,
    Metric,
    Numbers,
    Rate,
    SendingState,
    rate_of,
    total,
)
from sesbounce.policy.sending import REMEMBERED, Judged, Resume, judge_sending, worst
from tests.support import AT

NOW = AT + timedelta(minutes=30)
OK, WARN, STOP, UNKNOWN = (
    SendingState.OK,
    SendingState.WARN,
    SendingState.STOP,
    SendingState.UNKNOWN,
)
DAY = timedelta(days=1)


def mails(number: int, hard: int = 0, complaints: int = 0) -> Numbers:
    return Numbers(delivered=number - hard, hard=hard, complaints=complaints)


def judged(
    *counts: tuple[float, Numbers], resumes: tuple[Resume, ...] = (), now: datetime = NOW
) -> Judged:
    """Judge counts by how many hours ago they were."""
    hours: dict[datetime, Numbers] = {}
    for ago, numbers in counts:
        hour = hour_of(NOW - ago * HOUR)
        hours[hour] = hours.get(hour, NOTHING).plus(numbers)
    return judge_sending(Hours.of(hours), resumes, now)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda one: f"{one.metric}-{one.hours}")
def test_each_limit_warns_stops_and_has_a_floor(limit: Limit) -> None:
    metric, hours, warn, stop, floor, events = limit
    big = floor * 10

    def state(number: int, count: int) -> SendingState:
        numbers = (
            mails(number, hard=count)
            if metric is Metric.BOUNCE
            else mails(number, complaints=count)
        )
        found = judge_sending(Hours.of({hour_of(NOW): numbers}), (), NOW)
        (rate,) = [r for r in found.rates if (r.metric, r.hours) == (metric, hours)]
        return rate.state

    assert state(big, round(big * warn) - 1) is OK
    assert state(big, round(big * warn)) is WARN
    assert state(big, round(big * stop) - 1) is WARN
    assert state(big, round(big * stop)) is STOP
    assert state(floor - 1, floor - 1) is OK
    assert state(floor, events - 1) is OK
    assert state(floor, max(events, round(floor * stop))) is STOP


def test_one_bounce_in_few_mails_stops_nobody() -> None:
    assert judged((0, mails(13, hard=1))).state is OK


def test_the_rates_stand_beside_the_limits_of_aws() -> None:
    found = judged((0, mails(1000, hard=20, complaints=1)))
    hour, day, *_ = found.rates
    assert (hour.events, hour.mails, hour.rate) == (20, 1000, 0.02)
    assert hour.of_stop == pytest.approx(0.2)
    assert day.of_stop == pytest.approx(0.4)
    assert (day.aws_review, day.aws_pause) == (0.05, 0.10)
    assert {(r.aws_review, r.aws_pause) for r in found.rates if r.metric is Metric.COMPLAINT} == {
        (0.001, 0.005)
    }


def test_a_stop_stays_when_the_rates_are_well_again() -> None:
    found = judged((100, mails(1000, hard=200)), (0, mails(5000)))
    assert found.state is STOP
    assert found.stopped_by
    assert (found.stopped_by.events, found.stopped_by.rate) == (200, 0.2)
    assert "200 hard bounces in 1,000 mails" in found.why
    assert all(rate.state is OK for rate in found.rates)


def test_a_stop_ends_with_the_thirty_days() -> None:
    assert judged((30 * 24, mails(1000, hard=200)), (0, mails(10))).state is STOP
    # The mails of the day before count for the 24 hours to the end of the first hour.
    good = [(30 * 24 + 1, mails(20_000)), *((30 * 24 - n, mails(1000)) for n in range(1, 30))]
    assert judged(*good, (30 * 24, mails(1000, hard=60))).state is OK
    assert judged((31 * 24 + 1, mails(1000, hard=200)), (0, mails(10))).state is OK


def test_a_warning_does_not_end_with_its_hour_at_once() -> None:
    assert judged((1, mails(400, hard=30)), (0, mails(1))).state is WARN
    assert judged((2, mails(400, hard=30)), (0, mails(1))).state is OK


def test_a_resume_sets_aside_what_a_person_has_seen() -> None:
    bad = mails(1000, hard=200)
    resume = Resume(NOW, "ann", "list cleaned", seen=bad)
    earlier = (5, mails(1000, hard=300))
    assert judged(earlier, (0, bad)).state is STOP
    found = judged(earlier, (0, bad), resumes=(resume,))
    assert (found.state, found.resumed) == (OK, resume)
    # The same hour, and only the new ones count.
    assert judged(earlier, (0, bad), (0, mails(150, hard=150)), resumes=(resume,)).state is OK
    assert judged(earlier, (0, bad), (0, mails(300, hard=31)), resumes=(resume,)).state is STOP
    # The 24 hours begin with the resume, too.
    later = (-1, mails(1001, hard=50))
    assert judged(earlier, (0, bad), later, resumes=(resume,), now=NOW + HOUR).state is WARN
    worse = (-1, mails(1000, hard=101))
    assert judged(earlier, (0, bad), worse, resumes=(resume,), now=NOW + HOUR).state is STOP


def test_the_last_resume_counts_in_whatever_order_they_are_read() -> None:
    old, new = Resume(NOW - 2 * DAY, "ann", ""), Resume(NOW - DAY, "bob", "")
    between = (30, mails(1000, hard=200))
    for resumes in ((old, new), (new, old)):
        assert judged(between, resumes=resumes).state is OK
    assert judged(between, resumes=(old,)).state is STOP


def test_what_has_no_mails_to_compare_with_is_not_ok() -> None:
    found = judged((0, Numbers(hard=500, complaints=20)))
    assert found.state is UNKNOWN
    assert "let it publish Delivery or Send events" in found.why
    nothing = judge_sending(Hours(), (), NOW)
    assert (nothing.state, nothing.latest) == (UNKNOWN, None)


def test_sends_are_mails_as_well() -> None:
    assert judged((0, Numbers(sent=1000, hard=150))).state is STOP
    assert judged((0, Numbers(sent=10_000, hard=150))).state is OK


def test_a_mailing_of_which_all_bounce_stops_a_sender_that_reports_deliveries() -> None:
    assert judged((0, mails(300, hard=300)), (48, mails(10))).state is STOP


def test_a_quiet_day_is_no_reason_to_stop() -> None:
    found = judged((48, mails(10)))
    assert (found.state, found.why) == (OK, "nothing is counted in the last 24 hours")
    assert found.latest == hour_of(NOW - 48 * HOUR)


def test_what_claims_to_be_later_than_now_does_not_count_yet() -> None:
    assert judged((-5, mails(1000, hard=500)), (0, mails(10))).state is OK


def test_the_worst_state_counts() -> None:
    assert worst([OK, WARN, UNKNOWN]) is UNKNOWN
    assert worst([OK, UNKNOWN, STOP]) is STOP
    assert worst([]) is UNKNOWN


COUNTS = st.lists(
    st.tuples(
        st.integers(0, 29 * 24), st.builds(mails, st.integers(200, 2000), st.integers(0, 150))
    ),
    min_size=1,
    max_size=12,
)


@given(COUNTS, st.integers(1, 20 * 24), st.integers(0, 20 * 24))
def test_a_stop_of_hours_that_are_over_stays_until_a_person_resumes(
    counts: list[tuple[int, Numbers]], wait: int, ago: int
) -> None:
    """Whatever is counted later, and however often somebody asks."""
    first = judged(*counts)
    # The present hour may still change; all others are over.
    over = judged(*((hours + 1, numbers) for hours, numbers in counts))
    later = judged(*counts, (-wait, mails(100_000)), now=NOW + wait * HOUR)
    if over.state is STOP and wait < 24 * 29 - max(hours for hours, _ in counts):
        assert later.state is STOP
    resumed_at = NOW - ago * HOUR
    resume = Resume(resumed_at, "ann", "", seen=NOTHING)
    seen = {h: n for h, n in counts if hour_of(NOW - h * HOUR) >= hour_of(resumed_at)}
    if not seen and first.state is STOP:
        assert judged(*counts, resumes=(resume,)).state is not STOP


def plain_first_stop(hours: Mapping[datetime, Numbers], now: datetime) -> Rate | None:
    """The earliest rate that stops, as its definition says: slow, and simple."""
    end = hour_of(now) + HOUR
    hour = hour_of(now - REMEMBERED)
    while hour < end:
        day = {at: number for at, number in hours.items() if hour - DAY < at <= hour}
        for limit in LIMITS:
            counts = day.values() if limit.hours == DAY // HOUR else [day.get(hour, NOTHING)]
            rate = rate_of(limit, total(counts), hour)
            if rate.state is STOP:
                return rate
        hour += HOUR
    return None


few = st.integers(0, 60)
many = st.sampled_from([0, 1, 150, 199, 200, 400, 1000, 1001, 5000])
numbers = st.builds(Numbers, sent=many, delivered=many, hard=few, soft=few, complaints=few)
# Days with mails in many hours, so that some windows of 24 hours are close to the limits.
counted = st.dictionaries(
    st.one_of(st.integers(0, 60), st.integers(0, 31 * 24)), numbers, min_size=1, max_size=40
)


@example({30 * 24: Numbers(sent=200, hard=20)}, 1)
@example({30 * 24 + 1: Numbers(sent=200, hard=20)}, 1)
@example({30 * 24 + 23: Numbers(sent=1000, hard=50)}, 1)
@example({5: Numbers(sent=1000, hard=50)}, 1)
@example({3: Numbers(sent=1000, hard=30), 4: Numbers(delivered=970, hard=30)}, 1)
@settings(max_examples=50)
@given(counted, st.sampled_from([1, 20, 50]))
def test_the_first_stop_is_that_of_the_plain_definition(
    counts: dict[int, Numbers], share: int
) -> None:
    hours = {
        hour_of(NOW) - ago * HOUR: Numbers(
            n.sent * share, n.delivered * share, n.hard, n.soft, n.complaints
        )
        for ago, n in counts.items()
    }
    assert judge_sending(Hours.of(hours), (), NOW).stopped_by == plain_first_stop(hours, NOW)
