"""What the store records: events, and the message of SES that they come from."""

from collections.abc import Sequence

import msgspec

from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Kind


class Message(msgspec.Struct, frozen=True):
    """One message as SES published it.

    Attributes:
        digest: of the payload; see `sesbounce.feedback.digest`.
        kind: what SES tells.
        mail_id: the SES message id of the mail.
        payload: JSON or a line of text.
    """

    digest: str
    kind: Kind
    mail_id: str | None
    payload: bytes


class Recording(msgspec.Struct, frozen=True):
    """What is recorded together.

    Attributes:
        events: in any order; empty for a message that tells of no recipient.
        message: where the events come from; None for an import or a person's decision.
    """

    events: Sequence[Event]
    message: Message | None = None
