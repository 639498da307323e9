"""The columns of hours give what a table of them would give."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sesbounce.policy.hourly import Hours, hour_at, number_of
from sesbounce.policy.outage import HOUR, hour_of
from sesbounce.policy.rates import NOTHING, Numbers, total
from tests.support import AT

NOW = hour_of(AT)
count = st.integers(0, 3)
counted = st.dictionaries(
    st.integers(0, 99).map(lambda ago: NOW - ago * HOUR),
    st.builds(Numbers, sent=count, delivered=count, hard=count, soft=count, complaints=count),
    max_size=30,
)
moments = st.integers(-5, 105).map(lambda ago: NOW - ago * HOUR + timedelta(minutes=7))


def in_order(hours: Hours) -> Mapping[datetime, Numbers]:
    """The table that the columns stand for."""
    return {hour_at(number): hours.at(hour_at(number)) for number in hours.numbers}


@settings(max_examples=50)
@given(counted, moments, moments)
def test_the_columns_give_what_a_table_gives(
    table: dict[datetime, Numbers], one: datetime, other: datetime
) -> None:
    hours = Hours.of(table)
    assert in_order(hours) == dict(sorted(table.items()))
    assert hours.total() == total(table.values())
    assert hours.at(one) == table.get(hour_of(one), NOTHING)
    assert hours.reports_mails == any(numbers.reports_mails for numbers in table.values())
    assert hours.ended == [numbers.ended for numbers in in_order(hours).values()]
    some = [hour for hour, numbers in table.items() if numbers != NOTHING]
    assert hours.latest == max(some, default=None)
    first, last = sorted((one, other))
    between = {hour: n for hour, n in table.items() if hour_of(first) <= hour <= last}
    assert hours.between(first, last) == Hours.of(between)
    each = {hour_at(n): NOTHING for n in range(number_of(first), number_of(last) + 1)}
    assert hours.between(first, last).filled(first, last) == Hours.of(each | between)
    seen = Numbers(delivered=1, hard=2)
    since = {hour: n for hour, n in table.items() if hour >= hour_of(one)}
    since |= {hour: n.beyond(seen) for hour, n in since.items() if hour == hour_of(one)}
    assert hours.beyond(one, seen) == Hours.of(since)


@settings(max_examples=20)
@given(counted, st.integers(0, 3))
def test_the_days_are_those_of_utc(table: dict[datetime, Numbers], length: int) -> None:
    last = NOW.astimezone(UTC).date()
    days = [last - timedelta(days=ago) for ago in reversed(range(length + 1))]
    assert list(Hours.of(table).days(days[0], last).items()) == [
        (day, total(numbers for hour, numbers in table.items() if hour.date() == day))
        for day in days
    ]
