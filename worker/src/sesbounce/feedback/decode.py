"""From the body of one queue message to all that it means: the whole pure core in one call."""

from datetime import datetime

from sesbounce.feedback.digest import digest
from sesbounce.feedback.envelope import CONFIRMATIONS, Sns, open_envelope
from sesbounce.feedback.extract import events_of
from sesbounce.feedback.notification import Kind, decode_notification
from sesbounce.feedback.recording import Message, Recording


class Decoded(Recording, frozen=True, kw_only=True):
    """What one queue message means: a recording, and where it comes from.

    Attributes:
        kind: what SES (or, for a subscription's confirmation, SNS) tells.
        type: the same in the words of SES or SNS: `Bounce`, `SubscriptionConfirmation`.
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
        body: what SQS delivered.
        sent_at: when it was sent to the queue; the last resort for a message without a time.

    Raises:
        EnvelopeError: what SNS or SQS wrapped around it is broken.
        NotificationError: what is inside is no message of SES, or a broken one.
    """
    envelope = open_envelope(body)
    if envelope.sns and envelope.sns.type in CONFIRMATIONS:
        return Decoded([], kind=Kind.SETUP, type=envelope.sns.type, sns=envelope.sns)
    notification = decode_notification(envelope.content, envelope.detail_type)
    kind, mail_id = notification.kind, notification.mail.message_id
    # What SES says while the wiring is made is no message about mail.
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
