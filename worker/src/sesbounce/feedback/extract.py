"""Extracts the events from one message of SES: one `Event` for each recipient.

Bounces, complaints, deliveries and delays are about the recipients that SES names
(`bouncedRecipients`, `complainedRecipients`, `delivery.recipients`, `delayedRecipients`), never
about `mail.destination`, which holds all recipients of the mail. A message about the mail as a
whole (opens, clicks, …) gives an event without effect for each address of `mail.destination`.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.digest import digest
from sesbounce.feedback.notification import (
    Bounce,
    Complaint,
    Delivery,
    DeliveryDelay,
    Kind,
    Mail,
    Notification,
    Subscription,
)
from sesbounce.feedback.reason import Effect, Reason


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What SES reports about one recipient, or a person decided; a row of `feedback_event`.

    Attributes:
        kind: bounce, complaint, delivery, …
        reason: the reason, from the closed list.
        effect: the effect on the state of the address.
        address: the key of the address; see `sesbounce.feedback.address`.
        original: the address as SES wrote it.
        parsed: whether `original` is an address; if not, the key is its text in lower case.
        shared: whether it is a complaint that names several recipients: only one complained.
        occurred_at: when it happened, UTC.
        mail_id: the SES message id of the mail.
        source: the sender of the mail; for a manual decision, the person who made it.
        type: bounceType, complaintFeedbackType, delayType.
        sub_type: bounceSubType, complaintSubType.
        status: the recipient's enhanced status code (RFC 3463).
        action: the recipient's action (RFC 3464).
        diagnostic: the reply of the receiving host; for a manual decision, the person's note.
        feedback_id: the id that SES gave to the bounce or complaint.
        basis: the evidence that the reason rests on.
        dedupe_key: 64 hex digits, equal for equal events, however SES delivered them.
    """

    kind: Kind
    reason: Reason
    effect: Effect
    address: str
    original: str
    parsed: bool = True
    shared: bool = False
    occurred_at: datetime
    mail_id: str | None = None
    source: str | None = None
    type: str | None = None
    sub_type: str | None = None
    status: str | None = None
    action: str | None = None
    diagnostic: str | None = None
    feedback_id: str | None = None
    basis: str
    dedupe_key: str


class _EventBuilder(msgspec.Struct, frozen=True):
    """Builds the events of one message from what they have in common."""

    kind: Kind
    mail: Mail
    fallback: str | datetime | None

    def event(
        self, recipient: str, classified: Classified, timestamp: str | None, **details: Any
    ) -> Event:
        """The event of one recipient; `details` are the fields that only some kinds have."""
        address = parse(recipient)
        at = self._occurred_at(timestamp)
        effect = Effect.NONE if self.kind in _COUNTED else classified.reason.effect
        return Event(
            kind=self.kind,
            reason=classified.reason,
            effect=effect,
            address=address.key,
            original=address.original,
            parsed=address.parsed,
            occurred_at=at,
            mail_id=self.mail.message_id,
            source=self.mail.source,
            basis=classified.basis,
            dedupe_key=self._dedupe_key(address.key, at, details),
            **details,
        )

    def _occurred_at(self, timestamp: str | None) -> datetime:
        at = timestamp or self.mail.timestamp or self.fallback
        if not at:
            raise NotificationError("the message holds no time", "$.mail.timestamp")
        return at if isinstance(at, datetime) else parse_time(at)

    def _dedupe_key(self, key: str, at: datetime, details: dict[str, Any]) -> str:
        """A digest that identifies the event, however, whenever and how often SES delivers it.

        It covers what SES wrote, and not how sesbounce classifies it, which may change. The mail
        is identified by its id; without one, by SES's feedback id or, failing that, the time.
        Events that can happen several times for one mail and address (delays, opens, clicks,
        changed subscriptions) have their time and diagnostic in the key as well.
        """
        identity = self.mail.message_id or details.get("feedback_id") or at.isoformat()
        what = [details.get(name) for name in ("type", "sub_type", "status", "action")]
        event = [self.kind, *what, identity, key]
        if self.kind in _REPEATABLE:
            event += [at.isoformat(), details.get("diagnostic")]
        return digest(msgspec.json.encode(event), self.mail.message_id)


# Kinds that are recorded and counted, and never change the state of an address.
_COUNTED = frozenset(
    {Kind.DELIVERY_DELAY, Kind.SEND, Kind.OPEN, Kind.CLICK, Kind.REJECT, Kind.RENDERING_FAILURE}
)
_REPEATABLE = frozenset({Kind.DELIVERY_DELAY, Kind.OPEN, Kind.CLICK, Kind.SUBSCRIPTION})

# The policy adds durations to times: no time may lie near the end of the calendar.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def events_of(notification: Notification, fallback: str | datetime | None = None) -> list[Event]:
    """One `Event` for each recipient that the message names.

    Args:
        notification: the message of SES.
        fallback: the time of the envelope, for a message that holds no time. The order is:
            the time of the bounce (complaint, …), the time of the mail, this one.

    Raises:
        NotificationError: a time can't be read, or there is none.
    """
    builder = _EventBuilder(notification.kind, notification.mail, fallback)
    match notification.kind:
        case Kind.BOUNCE if notification.bounce:
            return _of_bounce(builder, notification.bounce)
        case Kind.COMPLAINT if notification.complaint:
            return _of_complaint(builder, notification.complaint)
        case Kind.DELIVERY if notification.delivery:
            return _of_delivery(builder, notification.delivery)
        case Kind.DELIVERY_DELAY if notification.delivery_delay:
            return _of_delay(builder, notification.delivery_delay)
        case Kind.SUBSCRIPTION if notification.subscription:
            return _of_subscription(builder, notification.subscription)
        case _:
            return _of_mail(builder, notification)


def _of_bounce(builder: _EventBuilder, bounce: Bounce) -> list[Event]:
    return [
        builder.event(
            recipient.email_address,
            classify_bounce(bounce, recipient),
            bounce.timestamp,
            type=bounce.bounce_type,
            sub_type=bounce.bounce_sub_type,
            status=recipient.status,
            action=recipient.action,
            diagnostic=recipient.diagnostic_code,
            feedback_id=bounce.feedback_id,
        )
        for recipient in bounce.bounced_recipients
    ]


def _of_complaint(builder: _EventBuilder, complaint: Complaint) -> list[Event]:
    """Mailbox providers remove the complainer's address; SES then names all who may be it."""
    classified = classify_complaint(complaint)
    shared = len({parse(r.email_address).key for r in complaint.complained_recipients}) > 1
    return [
        builder.event(
            recipient.email_address,
            classified,
            complaint.timestamp or complaint.arrival_date,
            shared=shared,
            type=complaint.complaint_feedback_type,
            sub_type=complaint.complaint_sub_type,
            feedback_id=complaint.feedback_id,
        )
        for recipient in complaint.complained_recipients
    ]


def _of_delivery(builder: _EventBuilder, delivery: Delivery) -> list[Event]:
    delivered = Classified(Reason.DELIVERED, "delivered")
    return [
        builder.event(recipient, delivered, delivery.timestamp, diagnostic=delivery.smtp_response)
        for recipient in delivery.recipients
    ]


def _of_delay(builder: _EventBuilder, delay: DeliveryDelay) -> list[Event]:
    return [
        builder.event(
            recipient.email_address,
            classify_delay(delay, recipient),
            delay.timestamp,
            type=delay.delay_type,
            status=recipient.status,
            diagnostic=recipient.diagnostic_code,
        )
        for recipient in delay.delayed_recipients
    ]


def _of_subscription(builder: _EventBuilder, subscription: Subscription) -> list[Event]:
    """A contact's new preferences.

    SES does not name the contact: it is known only where the mail had one recipient. Only
    `unsubscribeAll` is an opt-out; the sender handles the choice of topics.
    """
    preferences = subscription.new_topic_preferences
    opted_out = preferences is not None and preferences.unsubscribe_all is True
    single = len(builder.mail.destination) == 1
    reason = Reason.UNSUBSCRIBED if opted_out and single else Reason.NOT_ABOUT_THE_MAILBOX
    classified = Classified(reason, f"unsubscribeAll {'true' if opted_out else 'false'}")
    choices = msgspec.json.encode(preferences).decode()
    return [
        builder.event(
            recipient,
            classified,
            subscription.timestamp,
            type=subscription.contact_list,
            sub_type=subscription.source,
            diagnostic=choices,
        )
        for recipient in builder.mail.destination
    ]


def _of_mail(builder: _EventBuilder, notification: Notification) -> list[Event]:
    """A message about the mail as a whole: one event for each of its recipients."""
    timestamp: str | None = None
    details: dict[str, str | None] = {}
    match notification.kind:
        case Kind.OPEN if notification.open:
            timestamp = notification.open.timestamp
        case Kind.CLICK if notification.click:
            timestamp = notification.click.timestamp
            details["diagnostic"] = notification.click.link
        case Kind.REJECT if notification.reject:
            details["type"] = notification.reject.reason
        case Kind.RENDERING_FAILURE if notification.failure:
            details["type"] = notification.failure.template_name
            details["diagnostic"] = notification.failure.error_message
        case Kind.SETUP | Kind.UNKNOWN:
            return []
    classified = Classified(Reason.NOT_ABOUT_THE_MAILBOX, builder.kind.value)
    return [
        builder.event(recipient, classified, timestamp, **details)
        for recipient in builder.mail.destination
    ]


def parse_time(text: str) -> datetime:
    """Parse a time of SES to UTC: ISO 8601, with or without milliseconds, with any offset.

    Raises:
        NotificationError: the text is no time, or one before 1970 or after 2199.
    """
    try:
        # AWS's own examples contain `2018-10-08T14:05:45 +0000`.
        at = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotificationError("not an ISO 8601 time", "$.timestamp") from None
    if not _EARLIEST <= at < _LATEST:
        raise NotificationError("the time is not between 1970 and 2199", "$.timestamp")
    return at
