"""The messages of SES as types: every documented field of both schemas.

The two schemas differ in the name of one key: notifications of an identity write
`notificationType`, event publishing of a configuration set writes `eventType`. Either key is
accepted for every kind, as AWS's own pages have mixed them. Unknown fields are skipped, and
unknown values (a new type or subtype) are accepted as they are. Fields that no judgement rests on
may hold anything (`lenient`).

Sources: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import re
from enum import StrEnum
from typing import ClassVar, NamedTuple, TypeVar

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.lenient import Judged, Reader


class Kind(StrEnum):
    """The kind of a message and of its events.

    `SETUP` is a message about a topic or subscription, not about mail. `MANUAL` is a person's
    decision. `UNKNOWN` is any kind that AWS may add later: recorded, and never judged.
    """

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    DELIVERY = "delivery"
    DELIVERY_DELAY = "delivery_delay"
    SEND = "send"
    REJECT = "reject"
    OPEN = "open"
    CLICK = "click"
    RENDERING_FAILURE = "rendering_failure"
    SUBSCRIPTION = "subscription"
    SETUP = "setup"
    MANUAL = "manual"
    UNKNOWN = "unknown"


_KINDS = {
    "Bounce": Kind.BOUNCE,
    "Complaint": Kind.COMPLAINT,
    "Delivery": Kind.DELIVERY,
    "DeliveryDelay": Kind.DELIVERY_DELAY,
    "Send": Kind.SEND,
    "Reject": Kind.REJECT,
    "Open": Kind.OPEN,
    "Click": Kind.CLICK,
    "Rendering Failure": Kind.RENDERING_FAILURE,
    "Subscription": Kind.SUBSCRIPTION,
    "AmazonSnsSubscriptionSucceeded": Kind.SETUP,
}

# EventBridge's `detail-type`, where the event has no type of its own. Source:
# https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
_DETAIL_TYPES = {
    "Email Bounced": Kind.BOUNCE,
    "Email Complaint Received": Kind.COMPLAINT,
    "Email Delivered": Kind.DELIVERY,
    "Email Delivery Delayed": Kind.DELIVERY_DELAY,
    "Email Sent": Kind.SEND,
    "Email Rejected": Kind.REJECT,
    "Email Opened": Kind.OPEN,
    "Email Clicked": Kind.CLICK,
    "Email Rendering Failed": Kind.RENDERING_FAILURE,
    "Email Subscribed": Kind.SUBSCRIPTION,
}
_NO_LETTERS = re.compile("[^a-z]+")
# Relays and SES's own API write the types in other ways: `BOUNCE`, `DELIVERY_DELAY`.
_BY_LETTERS = {
    _NO_LETTERS.sub("", name.lower()): kind for name, kind in (_KINDS | _DETAIL_TYPES).items()
}

# SES publishes this line of plain text when a topic is attached to an identity.
_VALIDATED_TOPIC = b"Successfully validated SNS topic"


class _Ses(Judged, msgspec.Struct, frozen=True, rename="camel"):
    """Base of all objects that SES writes: keys in camel case, unknown keys skipped."""


class Header(_Ses, frozen=True):
    """One header of the mail, as it was sent."""

    name: str
    value: str


class CommonHeaders(_Ses, frozen=True):
    """The headers that SES parses itself."""

    message_id: str | None = None
    date: str | None = None
    subject: str | None = None
    return_path: str | None = None
    to: list[str] = []
    cc: list[str] = []
    bcc: list[str] = []
    sender: list[str] = []
    reply_to: list[str] = []
    from_: list[str] = msgspec.field(default_factory=list, name="from")


_H = TypeVar("_H")


def _read(kind: type[_H], raw: msgspec.Raw, place: str) -> _H | None:
    """Decode a part of the message that was kept as bytes; None where it is absent."""
    if not bytes(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        failure = NotificationError.of(error)
        raise NotificationError(failure.problem, place + failure.place.removeprefix("$")) from None


class Mail(_Ses, frozen=True):
    """The mail that the message is about.

    `headers` and `common_headers` are decoded only by their `read_…` methods, and `tags` only by
    `sesbounce.feedback.attribution`: they are most of the message's bytes, and no error in them
    can lose a bounce.
    """

    message_id: str | None = None
    timestamp: str | None = None
    source: str | None = None
    source_arn: str | None = None
    source_ip: str | None = None
    caller_identity: str | None = None
    sending_account_id: str | None = None
    destination: list[str] = []
    headers_truncated: bool | None = None
    headers: msgspec.Raw = msgspec.Raw()
    common_headers: msgspec.Raw = msgspec.Raw()
    tags: msgspec.Raw = msgspec.Raw()

    def read_headers(self) -> list[Header]:
        """The mail's headers, if SES is configured to include them.

        Raises:
            NotificationError: they do not have the documented form.
        """
        return _read(list[Header], self.headers, "$.mail.headers") or []

    def read_common_headers(self) -> CommonHeaders:
        """The headers that SES parses itself, if it is configured to include them.

        Raises:
            NotificationError: they do not have the documented form.
        """
        read = _read(CommonHeaders, self.common_headers, "$.mail.commonHeaders")
        return read or CommonHeaders()


class BouncedRecipient(_Ses, frozen=True):
    """One recipient of a bounce or delay; the other fields are there only with a DSN."""

    JUDGED_BY: ClassVar = frozenset({"email_address", "action", "status", "diagnostic_code"})

    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(_Ses, frozen=True):
    """The `bounce` object."""

    JUDGED_BY: ClassVar = frozenset({"bounced_recipients", "bounce_type", "bounce_sub_type"})

    bounced_recipients: list[BouncedRecipient]
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class ComplainedRecipient(_Ses, frozen=True):
    """One recipient that may have complained."""

    email_address: str


class Complaint(_Ses, frozen=True):
    """The `complaint` object."""

    JUDGED_BY: ClassVar = frozenset(
        {"complained_recipients", "complaint_feedback_type", "complaint_sub_type"}
    )

    complained_recipients: list[ComplainedRecipient]
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    timestamp: str | None = None
    arrival_date: str | None = None
    feedback_id: str | None = None
    user_agent: str | None = None


class Delivery(_Ses, frozen=True):
    """The `delivery` object. Some emulators write the milliseconds as a string."""

    JUDGED_BY: ClassVar = frozenset({"recipients"})

    recipients: list[str] | None = None
    timestamp: str | None = None
    processing_time_millis: int | str | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class DeliveryDelay(_Ses, frozen=True):
    """The `deliveryDelay` object."""

    JUDGED_BY: ClassVar = frozenset({"delayed_recipients", "delay_type"})

    delayed_recipients: list[BouncedRecipient] | None = None
    delay_type: str | None = None
    timestamp: str | None = None
    expiration_time: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")


class Open(_Ses, frozen=True):
    """The `open` object."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class Click(_Ses, frozen=True):
    """The `click` object."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None
    link_tags: dict[str, list[str]] | None = None


class Reject(_Ses, frozen=True):
    """The `reject` object."""

    reason: str | None = None


class Failure(_Ses, frozen=True):
    """The `failure` object of a rendering failure."""

    error_message: str | None = None
    template_name: str | None = None


class TopicStatus(_Ses, frozen=True):
    """A contact's choice for one topic of a contact list."""

    topic_name: str | None = None
    subscription_status: str | None = None


class TopicPreferences(_Ses, frozen=True):
    """A contact's choices for a contact list."""

    JUDGED_BY: ClassVar = frozenset({"unsubscribe_all"})

    unsubscribe_all: bool | None = None
    topic_subscription_status: list[TopicStatus] = []


class Subscription(_Ses, frozen=True):
    """The `subscription` object."""

    JUDGED_BY: ClassVar = frozenset({"new_topic_preferences"})

    contact_list: str | None = None
    timestamp: str | None = None
    source: str | None = None
    new_topic_preferences: TopicPreferences | None = None
    old_topic_preferences: TopicPreferences | None = None


class Notification(_Ses, frozen=True):
    """One message of SES, in either schema.

    `decode_notification` guarantees the object of a bounce, complaint, delivery or delay
    (`notification.bounce` for a bounce).
    """

    JUDGED_BY: ClassVar = frozenset(
        {
            "notification_type",
            "event_type",
            "bounce",
            "complaint",
            "delivery",
            "delivery_delay",
            "subscription",
        }
    )

    notification_type: str | None = None
    event_type: str | None = None
    mail: Mail = msgspec.field(default_factory=Mail)
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    delivery_delay: DeliveryDelay | None = None
    open: Open | None = None
    click: Click | None = None
    reject: Reject | None = None
    failure: Failure | None = None
    subscription: Subscription | None = None

    @property
    def type(self) -> str:
        """The kind as the message writes it; empty where it has no type."""
        return self.notification_type or self.event_type or ""

    @property
    def kind(self) -> Kind:
        """The kind.

        The type decides, in any spelling. A message whose type is none that is known is a
        complaint or bounce if it holds the object of one: it must not be ignored. Any other is
        `Kind.UNKNOWN`.
        """
        kind = _KINDS.get(self.notification_type or self.event_type or "")
        kind = kind or _kind_of(self.notification_type, self.event_type)
        if kind:
            return kind
        if self.complaint:
            return Kind.COMPLAINT
        return Kind.BOUNCE if self.bounce else Kind.UNKNOWN


def _kind_of(*types: str | None) -> Kind | None:
    """The kind of the first type that is known in some spelling."""
    found = (_BY_LETTERS.get(_NO_LETTERS.sub("", (text or "").lower())) for text in types)
    return next(filter(None, found), None)


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


def decode_notification(content: bytes, detail_type: str = "") -> Notification:
    """Decode one message of SES, as `read_notification` does."""
    return read_notification(content, detail_type).notification


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
