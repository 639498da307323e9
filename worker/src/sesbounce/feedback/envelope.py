"""Opens the envelope of a queue message and finds the message of SES inside.

A message of SES can arrive in four forms; the form is detected, without a setting:

* an SNS notification (the default of a subscription),
* raw message delivery (the body is what SES published),
* an EventBridge event of SES, whose `detail` is the SES message,
* any of these, encoded again as a JSON string, as some bridges do.

The body may also hold one or several of these in the wrapper of AWS Lambda: the dead-letter queue
of a function holds the events that the function got.

Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html,
https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from sesbounce.errors import EnvelopeError
from sesbounce.feedback.invisible import AROUND
from sesbounce.feedback.lenient import Judged, Reader

# SNS and SQS carry at most 256 KiB, 1 MiB since 2025; a larger body is not from them.
MAX_BYTES = 1024 * 1024
# How many times a body may be a JSON string that holds JSON.
_MAX_WRAPPINGS = 3
_ABSENT = msgspec.Raw()
# EventBridge writes its own keys first: `detail-type` is within these bytes.
_HEAD = 200
# How Lambda spells keys of SNS.
_LAMBDA_KEYS = {
    "SigningCertUrl": "SigningCertURL",
    "SubscribeUrl": "SubscribeURL",
    "UnsubscribeUrl": "UnsubscribeURL",
}
# The types of the messages that SNS itself writes when a subscription begins or ends.
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


class Sns(Judged, msgspec.Struct, frozen=True, rename="pascal"):
    """The fields of an SNS message, with SNS's own names in snake case."""

    JUDGED_BY: ClassVar = frozenset({"type", "topic_arn", "message", "detail"})

    type: str = ""
    message_id: str | None = None
    topic_arn: str | None = None
    subject: str | None = None
    message: str | dict[str, Any] | None = None
    timestamp: str | None = None
    signature_version: str | None = None
    signature: str | None = None
    signing_cert_url: str | None = msgspec.field(default=None, name="SigningCertURL")
    unsubscribe_url: str | None = msgspec.field(default=None, name="UnsubscribeURL")
    subscribe_url: str | None = msgspec.field(default=None, name="SubscribeURL")
    token: str | None = None


class Envelope(msgspec.Struct, frozen=True):
    """An opened envelope.

    Attributes:
        content: the message that SES published; empty for a message that SNS itself wrote (a
            confirmation of a subscription). Not always JSON: SES also publishes a line of text.
        sns: the fields of the SNS envelope; None for raw delivery and EventBridge.
        published_at: when SNS or EventBridge published it, ISO 8601, as they write it.
        detail_type: EventBridge's `detail-type`; empty without EventBridge.
        wrapped: the bodies in a wrapper of Lambda, as SQS would have delivered them; then there
            is nothing else.
        region: the region that EventBridge names; None without EventBridge.
    """

    content: bytes
    sns: Sns | None = None
    published_at: str | None = None
    detail_type: str = ""
    wrapped: Sequence[bytes] = ()
    region: str | None = None


class _Body(Sns, frozen=True):
    """The keys that distinguish the envelopes; other keys are skipped unread."""

    detail_type: str = msgspec.field(default="", name="detail-type")
    detail: msgspec.Raw = msgspec.field(default=_ABSENT, name="detail")
    time: str | None = msgspec.field(default=None, name="time")
    region: str | None = msgspec.field(default=None, name="region")
    records: msgspec.Raw = msgspec.field(default=_ABSENT, name="Records")
    request_payload: msgspec.Raw = msgspec.field(default=_ABSENT, name="requestPayload")


_body = msgspec.json.Decoder(_Body)
_records = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_string = msgspec.json.Decoder(str)


def open_envelope(body: str | bytes) -> Envelope:
    """Open the body of one SQS message.

    Raises:
        EnvelopeError: the body is too large, not UTF-8, or a broken envelope; or it is a wrapper
            of other things than messages of SNS or SQS.
    """
    content = _unwrap(_encode(body), "$")
    if not content.startswith(b"{"):
        return Envelope(content)  # plain text, which `notification` reads
    try:
        return _open_object(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise EnvelopeError.of(error) from None


def _encode(body: str | bytes) -> bytes:
    try:
        text = body if isinstance(body, str) else body.decode()
        content = text.strip(AROUND).encode()
    except UnicodeError:
        raise EnvelopeError("the body is not UTF-8") from None
    if len(content) > MAX_BYTES:
        raise EnvelopeError(f"the body is larger than {MAX_BYTES} bytes")
    return content


def _open_object(content: bytes) -> Envelope:
    body = _read_body(content)
    if body.type or body.message is not None:
        message = _message_of(body)
        # EventBridge may have published through SNS. A search for its key is cheaper than reading
        # the JSON here as well as in `notification`.
        if b'"detail-type"' in message[:_HEAD]:
            return msgspec.structs.replace(_open_object(message), sns=body)
        return Envelope(message, body, body.timestamp)
    if bytes(body.detail):
        detail = _unwrap(bytes(body.detail), "$.detail")
        return Envelope(detail, None, body.time, body.detail_type, region=body.region)
    if bytes(body.records):
        return Envelope(b"", wrapped=_bodies_in(body.records))
    # Lambda tells the destination of failed calls what the function got.
    if bytes(body.request_payload):
        return _open_object(bytes(body.request_payload))
    return Envelope(content)


def _bodies_in(records: msgspec.Raw) -> list[bytes]:
    """The bodies in the records of Lambda's wrapper."""
    bodies = [_body_in(record, n) for n, record in enumerate(_records.decode(records))]
    if not bodies:
        raise EnvelopeError("the wrapper holds no record", "$.Records")
    return bodies


def _body_in(record: dict[str, msgspec.Raw], number: int) -> bytes:
    if "Sns" in record:
        fields = msgspec.json.decode(record["Sns"], type=dict[str, msgspec.Raw])
        return msgspec.json.encode({_LAMBDA_KEYS.get(k, k): v for k, v in fields.items()})
    if "body" in record:
        return _string.decode(record["body"]).encode()
    # S3 and others write wrappers of this form as well.
    raise EnvelopeError("the record is neither of SNS nor of SQS", f"$.Records[{number}]")


def _read_body(content: bytes) -> _Body:
    try:
        return _body.decode(content)
    except msgspec.ValidationError:
        return Reader(EnvelopeError).read(_Body, content)


def _message_of(sns: Sns) -> bytes:
    """The published message: SNS writes it as a string, some test tools as an object."""
    if sns.type in CONFIRMATIONS:
        return b""
    if sns.message is None:
        raise EnvelopeError("the SNS envelope holds no Message", "$.Message")
    if isinstance(sns.message, str):
        return _unwrap(sns.message.strip(AROUND).encode(), "$.Message")
    return msgspec.json.encode(sns.message)


def _unwrap(content: bytes, place: str) -> bytes:
    """The text inside a JSON string, which may itself hold a JSON string."""
    try:
        for _ in range(_MAX_WRAPPINGS):
            if not content.startswith(b'"'):
                break
            content = _string.decode(content).strip(AROUND).encode()
    except (msgspec.DecodeError, UnicodeError) as error:
        raise EnvelopeError(f"not a JSON string: {error}", place) from None
    return content
