"""A message as SQS delivered it: to the poller, or by way of AWS Lambda.

Apart from the queue itself, so that a function in AWS Lambda need not load boto3.
"""

from datetime import UTC, datetime

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


def received(id_: str, receipt: str, body: str, times: object, sent_at: object) -> Received:
    """A message by its parts and two attributes as SQS writes them: numbers as text.

    Args:
        id_: SQS's message id.
        receipt: the receipt handle.
        body: the body.
        times: the attribute ApproximateReceiveCount; None, or what is no number, where an
            emulator does not give it.
        sent_at: the attribute SentTimestamp, in milliseconds; likewise.
    """
    milliseconds = number(sent_at)
    return Received(
        id=id_,
        receipt=receipt,
        body=body,
        times=number(times) or 1,
        sent_at=None if milliseconds is None else _at(milliseconds),
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
