"""Decodes the body of one queue message: envelope, SES message, classification, events."""

from datetime import datetime

from sesbounce.feedback.digest import digest
from sesbounce.feedback.envelope import CONFIRMATIONS, Sns, open_envelope
from sesbounce.feedback.extract import events_of
from sesbounce.feedback.notification import Kind, decode_notification
from sesbounce.feedback.recording import Message, Recording


class Decoded(Recording, frozen=True, kw_only=True):
    """One decoded queue message: its recording and its origin.

    Attributes:
        kind: the kind of the message; `SETUP` for a confirmation that SNS itself wrote.
        type: the kind in the spelling of SES or SNS: `Bounce`, `SubscriptionConfirmation`.
        mail_id: the SES message id of the mail.
        sns: the fields of the SNS envelope, where there is one.
    """

    kind: Kind
    type: str
    mail_id: str | None = None
    sns: Sns | None = None


def decode(body: str | bytes, sent_at: datetime | None = None) -> Decoded:
    """Decode the body of one SQS message.

    Args:
        body: the body as SQS delivered it.
        sent_at: when it was sent to the queue, UTC; the time of events that have no other.

    Raises:
        EnvelopeError: the envelope is broken.
        NotificationError: the content is no message of SES, or a broken one.
    """
    envelope = open_envelope(body)
    if envelope.sns and envelope.sns.type in CONFIRMATIONS:
        return Decoded([], kind=Kind.SETUP, type=envelope.sns.type, sns=envelope.sns)
    notification = decode_notification(envelope.content, envelope.detail_type)
    kind, mail_id = notification.kind, notification.mail.message_id
    # A setup message is not about mail: there is nothing to record.
    message = (
        None
        if kind is Kind.SETUP
        else Message(digest(envelope.content, mail_id), kind, mail_id, envelope.content)
    )
    return Decoded(
        events_of(notification, envelope.published_at or sent_at),
        message,
        kind=kind,
        type=notification.type,
        mail_id=mail_id,
        sns=envelope.sns,
    )
