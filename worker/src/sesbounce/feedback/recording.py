"""The input of the store: events, and the message of SES that they come from."""

from collections.abc import Sequence

import msgspec

from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind


class Message(msgspec.Struct, frozen=True):
    """One message as SES published it.

    Attributes:
        digest: the digest of the payload; see `sesbounce.feedback.digest`.
        kind: the kind of the message.
        mail_id: the SES message id of the mail.
        payload: the message itself: JSON, or a line of text.
    """

    digest: str
    kind: Kind
    mail_id: str | None
    payload: bytes


class Recording(msgspec.Struct, frozen=True):
    """Events of one source, which the store records in one transaction.

    Attributes:
        events: the events, in any order; empty for a message that names no recipient.
        message: the message that they come from; None for an import or a manual decision.
    """

    events: Sequence[Event]
    message: Message | None = None
