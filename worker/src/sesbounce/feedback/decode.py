"""From the body of one queue message to all that it means: the whole pure core in one call."""

from datetime import datetime

import msgspec

from sesbounce.feedback.digest import digest
from sesbounce.feedback.envelope import CONFIRMATIONS, Sns, open_envelope
from sesbounce.feedback.extract import Feedback, feedback_of
from sesbounce.feedback.notification import Kind, decode_notification


class Decoded(msgspec.Struct, frozen=True):
    """What one queue message means.

    Attributes:
        kind: what SES (or, for a subscription's confirmation, SNS) told.
        type: the same in the words of SES or SNS: `Bounce`, `SubscriptionConfirmation`.
        feedback: one fact a recipient; empty for what tells of none.
        mail_id: the SES message id of the mail.
        sns: the facts of the SNS envelope, where there is one.
        payload: the SES message as it was published, JSON or a line of text.
        digest: of the payload; see `sesbounce.feedback.digest`. Empty where there is none.
    """

    kind: Kind
    type: str
    feedback: list[Feedback]
    mail_id: str | None
    sns: Sns | None
    payload: bytes
    digest: str


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
        return Decoded(Kind.SETUP, envelope.sns.type, [], None, envelope.sns, b"", "")
    notification = decode_notification(envelope.content, envelope.detail_type)
    feedback = feedback_of(notification, envelope.published_at or sent_at)
    return Decoded(
        kind=notification.kind,
        type=notification.type,
        feedback=feedback,
        mail_id=notification.mail.message_id,
        sns=envelope.sns,
        payload=envelope.content,
        digest=digest(envelope.content, notification.mail.message_id),
    )
