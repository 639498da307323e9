"""Reads times as SES, SNS and those who imitate them write them."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sesbounce.errors import NotificationError

# The policy adds durations to times: no time may lie near the end of the calendar.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
# Amazon announced SES in January 2011: an earlier time is a clock that was never set.
_FIRST_OF_SES = datetime(2011, 1, 1, tzinfo=UTC)
# How far the clock of a sender may be ahead of that of the receiver.
_AHEAD = timedelta(days=1)
# Seconds or milliseconds since 1970, from 2001 on.
_EPOCH = re.compile(r"\d{10}(\.\d*)?|\d{13}", re.ASCII)
_DIGITS_OF_SECONDS = 10
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60", re.ASCII)


def parse_time(text: str) -> datetime:
    """Parse a time of SES to UTC: ISO 8601, with or without milliseconds, with any offset.

    Raises:
        NotificationError: the text is no time, or one before 1970 or after 2199.
    """
    try:
        # AWS's own examples contain `2018-10-08T14:05:45 +0000`.
        at = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotificationError("not an ISO 8601 time", "$.timestamp") from None
    if not _EARLIEST <= at < _LATEST:
        raise NotificationError("the time is not between 1970 and 2199", "$.timestamp")
    return at


def read_time(text: str | None) -> datetime | None:
    """Read the time of an event of SES to UTC; None where there is none that can be true.

    The text may be ISO 8601, a date of a mail (RFC 5322), or seconds or milliseconds since 1970.
    A time without a zone is UTC. SES wrote nothing before 2011.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _read_other(text.strip())
    # This is how SES and SNS write it; the rest is slower.
    genuine = at.tzinfo is UTC and _FIRST_OF_SES <= at < _LATEST
    return at if genuine else _read_other(text)


def _read_other(text: str) -> datetime | None:
    for in_iso in (_of_epoch if _EPOCH.fullmatch(text) else str, _plain_iso, _of_mail):
        try:
            at = parse_time(in_iso(text))
        except (ValueError, OverflowError, NotificationError):
            continue
        return at if at >= _FIRST_OF_SES else None
    return None


def _of_epoch(text: str) -> str:
    seconds = float(text) / (1 if "." in text or len(text) == _DIGITS_OF_SECONDS else 1000)
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _plain_iso(text: str) -> str:
    """ISO 8601 without the name of a zone, the small letters and the leap second of RFC 3339."""
    plain = text.upper().removesuffix(" UTC").removesuffix(" GMT")
    return _LEAP_SECOND.sub(":59", plain)


def _of_mail(text: str) -> str:
    return parsedate_to_datetime(text).isoformat()


def not_after(at: datetime, receipt: datetime | None) -> datetime:
    """The time; that of the receipt, where the time is more than a day later than that.

    A wrong clock must not let an event outweigh everything that is decided after it. The rule
    depends on the message alone, so that a redelivery gives the same time.
    """
    return receipt if receipt and at > receipt + _AHEAD else at
