"""Decodes the body of one queue message: envelope, SES message, classification, events."""

from collections.abc import Sequence
from datetime import datetime

from sesbounce.errors import EnvelopeError, MessageError
from sesbounce.feedback.attribution import attribution_of
from sesbounce.feedback.digest import digest
from sesbounce.feedback.envelope import CONFIRMATIONS, Envelope, Sns, open_envelope
from sesbounce.feedback.extract import events_of
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reading import read_notification
from sesbounce.feedback.recording import Message, Recording
from sesbounce.feedback.stream import ONE_STREAM, StreamBy, stream_of
from sesbounce.feedback.times import not_after, read_time


class Decoded(Recording, frozen=True, kw_only=True):
    """One decoded message: its recording and its origin.

    Attributes:
        kind: the kind of the message; `SETUP` for a confirmation that SNS itself wrote.
        type: the kind in the spelling of SES or SNS: `Bounce`, `SubscriptionConfirmation`.
        mail_id: the SES message id of the mail.
        sns: the fields of the SNS envelope, where there is one.
        unread: for each recipient that could not be read, why, and its place in the message.
    """

    kind: Kind
    type: str
    mail_id: str | None = None
    sns: Sns | None = None
    unread: Sequence[str] = ()


def decode(
    body: str | bytes,
    sent_at: datetime | None = None,
    *,
    tags: tuple[str, ...] = (),
    stream_by: StreamBy = ONE_STREAM,
) -> Decoded:
    """Decode the body of one SQS message that holds one message.

    Args:
        body: the body as SQS delivered it.
        sent_at: when it was sent to the queue, UTC. See `events_of` for what follows from it.
        tags: the names of the tags that the events keep; see `attribution_of`.
        stream_by: what the stream of a mail is.

    Raises:
        EnvelopeError: the envelope is broken, or holds several messages.
        NotificationError: the content is no message of SES, or a broken one.
    """
    envelope = open_envelope(body)
    if len(envelope.wrapped) > 1:
        raise EnvelopeError(f"the wrapper holds {len(envelope.wrapped)} messages", "$.Records")
    if envelope.wrapped:
        envelope = open_envelope(*envelope.wrapped)
    return _decode(envelope, sent_at, tags, stream_by)


def decode_all(
    body: str | bytes,
    sent_at: datetime | None = None,
    *,
    tags: tuple[str, ...] = (),
    stream_by: StreamBy = ONE_STREAM,
) -> list[Decoded | MessageError]:
    """Decode the body of one SQS message, which may hold several messages.

    Each message that can't be decoded is in the list as its error, with the exceptions that
    `decode` raises. So it costs the others nothing.
    """
    try:
        envelope = open_envelope(body)
        if not envelope.wrapped:
            return [_decode(envelope, sent_at, tags, stream_by)]
    except MessageError as error:
        return [error]
    results: list[Decoded | MessageError] = []
    for wrapped in envelope.wrapped:
        try:
            results.append(_decode(open_envelope(wrapped), sent_at, tags, stream_by))
        except MessageError as error:
            results.append(error)
    return results


def _decode(
    envelope: Envelope, sent_at: datetime | None, tags: tuple[str, ...], stream_by: StreamBy
) -> Decoded:
    if envelope.wrapped:
        raise EnvelopeError("a wrapper within a wrapper", "$.Records")
    if envelope.sns and envelope.sns.type in CONFIRMATIONS:
        return Decoded([], kind=Kind.SETUP, type=envelope.sns.type, sns=envelope.sns)
    notification, unread = read_notification(envelope.content, envelope.detail_type)
    kind, mail_id = notification.kind, notification.mail.message_id
    # A setup message is not about mail: there is nothing to record.
    message = (
        None
        if kind is Kind.SETUP
        else Message(digest(envelope.content, mail_id), kind, mail_id, envelope.content)
    )
    topic_arn = envelope.sns.topic_arn if envelope.sns else None
    mail, region = notification.mail, envelope.region
    received_at = _received_at(envelope.published_at, sent_at)
    return Decoded(
        events_of(
            notification,
            received_at,
            more=bool(unread),
            attribution=attribution_of(mail, topic_arn=topic_arn, region=region, tags=tags),
            stream=stream_of(stream_by, mail, topic_arn),
        ),
        message,
        kind=kind,
        type=notification.type or kind.value,
        mail_id=mail_id,
        sns=envelope.sns,
        unread=[str(error) for error in unread],
    )


def _received_at(published_at: str | None, sent_at: datetime | None) -> datetime | None:
    """When SNS or EventBridge published a message, or else SQS received it.

    SQS's own time is the last resort, as a redrive changes it.
    """
    published = read_time(published_at)
    return not_after(published, sent_at) if published else sent_at
