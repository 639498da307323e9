"""The messages of SES as types: every documented field of both schemas.

The two schemas differ in the name of one key: notifications of an identity write
`notificationType`, event publishing of a configuration set writes `eventType`. Either key is
accepted for every kind, as AWS's own pages have mixed them. Unknown fields are skipped, and
unknown values (a new type or subtype) are accepted as they are. Fields that no judgement rests on
may hold anything (`lenient`).

Sources: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from typing import ClassVar, TypeVar

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.kind import KINDS, Kind, kind_in_any_spelling
from sesbounce.feedback.lenient import Judged


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

    `reading` guarantees the object of a bounce, complaint, delivery or delay
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
        kind = KINDS.get(self.notification_type or self.event_type or "")
        kind = kind or kind_in_any_spelling(self.notification_type, self.event_type)
        if kind:
            return kind
        if self.complaint:
            return Kind.COMPLAINT
        return Kind.BOUNCE if self.bounce else Kind.UNKNOWN
