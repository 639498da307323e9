"""Reads one message of SES: all of it as documented; failing that, what its kind needs."""

from typing import NamedTuple

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.lenient import Reader
from sesbounce.feedback.notification import Notification

# SES publishes this line of plain text when a topic is attached to an identity.
_VALIDATED_TOPIC = b"Successfully validated SNS topic"

# Kinds whose messages are useless without their object: its attribute, and its key.
_NEEDS = {
    Kind.BOUNCE: ("bounce", "bounce"),
    Kind.COMPLAINT: ("complaint", "complaint"),
    Kind.DELIVERY: ("delivery", "delivery"),
    Kind.DELIVERY_DELAY: ("delivery_delay", "deliveryDelay"),
}
# The fields that must be readable, by the kind that the message has without those that are not.
_JUDGED = {
    Kind.BOUNCE: ("bounce",),
    Kind.COMPLAINT: ("complaint",),
    Kind.DELIVERY: ("delivery",),
    Kind.DELIVERY_DELAY: ("delivery_delay",),
    Kind.SUBSCRIPTION: ("subscription",),
    Kind.UNKNOWN: ("complaint", "bounce", "notification_type", "event_type"),
}

_decoder = msgspec.json.Decoder(Notification)


class Read(NamedTuple):
    """A message, and what of it could not be read.

    Attributes:
        notification: the message.
        unread: the errors of recipients that could not be read, beside others that could.
    """

    notification: Notification
    unread: list[NotificationError]


def decode_notification(content: bytes) -> Notification:
    """Decode one message of SES, as `read_notification` does."""
    return read_notification(content).notification


def read_notification(content: bytes, detail_type: str = "") -> Read:
    """Decode one message of SES.

    Args:
        content: the content of the envelope.
        detail_type: EventBridge's `detail-type`: some events of SES (those of its advisor, for
            example) have no type of their own.

    Raises:
        NotificationError: the content is no message of SES, or the object of its kind is absent,
            or a field that its judgement rests on can't be read.
    """
    if content.startswith(_VALIDATED_TOPIC):
        return Read(Notification(notification_type="AmazonSnsSubscriptionSucceeded"), [])
    try:
        read = _read_message(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotificationError.of(error) from None
    notification = read.notification
    if not notification.type and detail_type:
        notification = msgspec.structs.replace(notification, event_type=detail_type)
        read = Read(notification, read.unread)
    kind = notification.kind
    if kind is Kind.UNKNOWN and not notification.type:
        raise NotificationError("not a message of SES: no notificationType and no eventType")
    if needs := _NEEDS.get(kind):
        name, key = needs
        if getattr(notification, name) is None:
            raise NotificationError(f"a {notification.type} without its object", f"$.{key}")
    return read


def _read_message(content: bytes) -> Read:
    """Read the message as it is documented; failing that, what of it is needed."""
    try:
        return Read(_decoder.decode(content), [])
    except msgspec.ValidationError:
        reader = Reader(NotificationError)
    values, errors = reader.fields(Notification, content)
    notification = Notification(**values)
    for name in _JUDGED.get(notification.kind, ()):
        if name in errors:
            raise errors[name]
    return Read(notification, reader.unread)
