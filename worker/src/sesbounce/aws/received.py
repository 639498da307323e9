"""A message as SQS delivered it: to the poller, or by way of AWS Lambda.

Apart from the queue itself, so that a function in AWS Lambda need not load boto3.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec


class Received(msgspec.Struct, frozen=True):
    """One message as SQS delivered it.

    Attributes:
        id: SQS's message id.
        receipt: the receipt handle, with which to delete it or to change its visibility.
        body: the body.
        times: how many times it was received, this time included; 1 where SQS does not say.
        sent_at: when it was sent to the queue, UTC; None where SQS does not say.
    """

    id: str
    receipt: str
    body: str
    times: int
    sent_at: datetime | None


def received(id_: str, receipt: str, body: str, attributes: Mapping[Any, object]) -> Received:
    """A message by its parts and the attributes that SQS gave it.

    Emulators may leave out attributes, which the worker can do without.
    """
    sent_at = number(attributes.get("SentTimestamp"))
    return Received(
        id=id_,
        receipt=receipt,
        body=body,
        times=number(attributes.get("ApproximateReceiveCount")) or 1,
        sent_at=None if sent_at is None else _at(sent_at),
    )


def number(text: object) -> int | None:
    """A number of SQS, which writes numbers as text; None where it is none, or negative."""
    try:
        number = int(str(text))
    except ValueError:
        return None
    return number if number >= 0 else None


def _at(milliseconds: int) -> datetime | None:
    """A time of SQS: milliseconds since 1970. None where it is no time."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
