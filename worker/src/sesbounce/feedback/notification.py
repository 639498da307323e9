"""The messages of SES as types: every documented field of both schemas.

The two schemas differ in the name of one key: notifications of an identity write
`notificationType`, event publishing of a configuration set writes `eventType`. Either key is
accepted for every kind, as AWS's own pages have mixed them. Unknown fields are skipped, and
unknown values (a new type or subtype) are accepted as they are.

Sources: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from enum import StrEnum
from typing import TypeVar

import msgspec

from sesbounce.errors import NotificationError


class Kind(StrEnum):
    """The kind of a message and of its events.

    `SETUP` is a message about a topic or subscription, not about mail. `MANUAL` is a person's
    decision. `UNKNOWN` is any kind that AWS may add later.
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

# SES publishes this line of plain text when a topic is attached to an identity.
_VALIDATED_TOPIC = b"Successfully validated SNS topic"


class _Ses(msgspec.Struct, frozen=True, rename="camel"):
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

    `headers`, `common_headers` and `tags` are decoded only by their `read_…` methods: they are
    most of the message's bytes, and no verdict depends on them. An error in them can't lose a
    bounce.
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

    def read_tags(self) -> dict[str, list[str]]:
        """The tags of the mail, with SES's own (`ses:configuration-set`).

        Raises:
            NotificationError: they do not have the documented form.
        """
        return _read(dict[str, list[str]], self.tags, "$.mail.tags") or {}


class BouncedRecipient(_Ses, frozen=True):
    """One recipient of a bounce or delay; the other fields are there only with a DSN."""

    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(_Ses, frozen=True):
    """The `bounce` object."""

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

    complained_recipients: list[ComplainedRecipient]
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    timestamp: str | None = None
    arrival_date: str | None = None
    feedback_id: str | None = None
    user_agent: str | None = None


class Delivery(_Ses, frozen=True):
    """The `delivery` object. Some emulators write the milliseconds as a string."""

    recipients: list[str]
    timestamp: str | None = None
    processing_time_millis: int | str | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class DeliveryDelay(_Ses, frozen=True):
    """The `deliveryDelay` object."""

    delayed_recipients: list[BouncedRecipient]
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

    unsubscribe_all: bool | None = None
    topic_subscription_status: list[TopicStatus] = []


class Subscription(_Ses, frozen=True):
    """The `subscription` object."""

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
        """The kind in AWS's spelling."""
        return self.notification_type or self.event_type or ""

    @property
    def kind(self) -> Kind:
        """The kind; `Kind.UNKNOWN` for a type that is not known here."""
        return _KINDS.get(self.type, Kind.UNKNOWN)


# Kinds whose messages are useless without their object.
_NEEDS = {
    Kind.BOUNCE: "bounce",
    Kind.COMPLAINT: "complaint",
    Kind.DELIVERY: "delivery",
    Kind.DELIVERY_DELAY: "delivery_delay",
}

_decoder = msgspec.json.Decoder(Notification)


def decode_notification(content: bytes, detail_type: str = "") -> Notification:
    """Decode one message of SES.

    Args:
        content: the content of the envelope.
        detail_type: EventBridge's `detail-type`: some events of SES (those of its advisor, for
            example) have no type of their own.

    Raises:
        NotificationError: the content is no message of SES, or the object of its kind is absent.
    """
    if content.startswith(_VALIDATED_TOPIC):
        return Notification(notification_type="AmazonSnsSubscriptionSucceeded")
    try:
        notification = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotificationError.of(error) from None
    if not notification.type and detail_type:
        return msgspec.structs.replace(notification, event_type=detail_type)
    if not notification.type:
        raise NotificationError("not a message of SES: no notificationType and no eventType")
    needed = _NEEDS.get(notification.kind)
    if needed and getattr(notification, needed) is None:
        place = notification.type[0].lower() + notification.type[1:]
        raise NotificationError(f"a {notification.type} without its object", f"$.{place}")
    return notification
