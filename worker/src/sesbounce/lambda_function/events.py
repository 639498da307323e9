"""The events with which AWS calls the function: messages of the queue, or the time of a sweep."""

from typing import Any, Literal

import msgspec

from sesbounce.aws.received import Received, received
from sesbounce.errors import InvocationError


class _Record(msgspec.Struct, rename="camel"):
    """One message of an event of SQS, of which other fields are ignored.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """

    message_id: str
    receipt_handle: str
    body: str
    event_source: Literal["aws:sqs"]
    attributes: dict[str, Any] = {}


class _Messages(msgspec.Struct):
    records: list[_Record] = msgspec.field(name="Records")


class _Sweep(msgspec.Struct):
    sesbounce: Literal["sweep"]


def read_event(event: Any) -> list[Received] | Literal["sweep"]:
    """The messages of an event, or `sweep` for `{"sesbounce": "sweep"}`.

    Raises:
        InvocationError: the event is neither.
    """
    try:
        if isinstance(event, dict) and "Records" in event:
            records = msgspec.convert(event, _Messages).records
        else:
            return msgspec.convert(event, _Sweep).sesbounce
    except msgspec.ValidationError as error:
        # Its text names types and places, and no value.
        raise InvocationError(
            'the function knows events of SQS and {"sesbounce": "sweep"}, and this event is '
            f"neither: {error}"
        ) from None
    if not records:
        raise InvocationError("the event of SQS holds no message")
    return [
        received(
            r.message_id,
            r.receipt_handle,
            r.body,
            r.attributes.get("ApproximateReceiveCount"),
            r.attributes.get("SentTimestamp"),
        )
        for r in records
    ]
