from datetime import UTC, datetime, timedelta

import pytest

from sesbounce.errors import NotificationError
from sesbounce.feedback.times import not_after, parse_time, read_time

TIME = datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)
ISO = [
    "2018-10-08T14:05:45Z",
    "2018-10-08T14:05:45.000Z",
    "2018-10-08T07:05:45.000-07:00",
    "2018-10-08T14:05:45 +0000",
    "2018-10-08T14:05:45",
    "2018-10-08 14:05:45+00:00",
]


@pytest.mark.parametrize("text", ISO)
def test_times_are_read_in_utc(text: str) -> None:
    assert parse_time(text) == TIME


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"],
)
def test_a_text_that_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(NotificationError):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        *ISO,
        " 2018-10-08T14:05:45Z ",
        "20181008T140545Z",
        "2018-10-08t14:05:45z",
        "2018-10-08 14:05:45 UTC",
        "Mon, 08 Oct 2018 14:05:45 +0000",
        "Mon, 8 Oct 2018 16:05:45 +0200 (CEST)",
        "8 Oct 2018 14:05:45 GMT",
        "Mon, 08 Oct 2018 14:05:45 -0000",
        "1539007545",
        "1539007545.0",
        "1539007545000",
    ],
)
def test_the_time_of_an_event_may_be_written_in_any_usual_way(text: str) -> None:
    read = read_time(text)
    assert read == TIME
    assert read.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "not a time",
        "0",
        "153900754",
        "99999999999999",
        "9999999999999999999999",
        "1612121012345678",
        "2010-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "Mon, 08 Oct 9999 14:05:45 +0000",
        "Mon, 99 Oct 2018",
    ],
)
def test_a_time_at_which_ses_wrote_nothing_is_none(text: str | None) -> None:
    assert read_time(text) is None


def test_a_leap_second_is_the_second_before_it() -> None:
    assert read_time("2016-12-31T23:59:60.5Z") == datetime(2016, 12, 31, 23, 59, 59, 500000, UTC)


def test_a_time_long_after_the_receipt_is_that_of_the_receipt() -> None:
    day = timedelta(days=1)
    assert not_after(TIME + day, TIME) == TIME + day
    assert not_after(TIME + day + timedelta(seconds=1), TIME) == TIME
    assert not_after(TIME - 1000 * day, TIME) == TIME - 1000 * day
    assert not_after(TIME, None) == TIME
