"""Extracts the events from one message of SES: one `Event` for each recipient.

Bounces, complaints, deliveries and delays are about the recipients that SES names
(`bouncedRecipients`, `complainedRecipients`, `delivery.recipients`, `delayedRecipients`), never
about `mail.destination`, which holds all recipients of the mail. A message about the mail as a
whole (opens, clicks, …) gives an event without effect for each address of `mail.destination`.
"""

from datetime import datetime
from typing import Any

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.attribution import UNKNOWN, Attribution
from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.digest import digest
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import (
    Bounce,
    Complaint,
    Delivery,
    DeliveryDelay,
    Mail,
    Notification,
    Subscription,
)
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.times import not_after, read_time


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
        counted: for a complaint, whether it counts by this recipient: the first one of a complaint
            does. None for all other events, and for complaints that an earlier release recorded.
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
        attribution: by which part of the sender's set-up the mail was sent.
        stream: the stream that the mail belongs to; None where it counts for all. See
            `sesbounce.feedback.stream`.
    """

    kind: Kind
    reason: Reason
    effect: Effect
    address: str
    original: str
    parsed: bool = True
    shared: bool = False
    counted: bool | None = None
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
    attribution: Attribution = UNKNOWN
    stream: str | None = None


def either_counted(one: Event, other: Event) -> bool | None:
    """Whether a complaint counts by an event of which two messages tell; None if neither says."""
    known = (event.counted for event in (one, other) if event.counted is not None)
    return max(known, default=None)


class _When(msgspec.Struct, frozen=True, gc=False):
    """When an event happened: as it counts, and as the message claims."""

    at: datetime
    claimed: datetime


class _EventBuilder(msgspec.Struct, frozen=True):
    """Builds the events of one message from what they have in common."""

    kind: Kind
    mail: Mail
    received_at: datetime | None
    more: bool
    attribution: Attribution
    stream: str | None

    def when(self, *timestamps: str | None) -> _When | None:
        """When it happened: the first of the timestamps, then the mail's, that can be read.

        None where there is none, and the time of the receipt is not known either.
        """
        for timestamp in (*timestamps, self.mail.timestamp):
            if claimed := read_time(timestamp):
                return _When(not_after(claimed, self.received_at), claimed)
        return _When(self.received_at, self.received_at) if self.received_at else None

    def event(
        self, recipient: str, classified: Classified, when: _When | None, **details: Any
    ) -> Event:
        """The event of one recipient; `details` are the fields that only some kinds have."""
        if when is None:
            problem = "the message holds no time that can be read"
            raise NotificationError(problem, "$.mail.timestamp")
        address = parse(recipient)
        effect = Effect.NONE if self.kind in _COUNTED else classified.reason.effect
        return Event(
            kind=self.kind,
            reason=classified.reason,
            effect=effect,
            address=address.key,
            original=address.original,
            parsed=address.parsed,
            occurred_at=when.at,
            mail_id=self.mail.message_id,
            source=self.mail.source,
            basis=classified.basis,
            dedupe_key=self._dedupe_key(address.key, when.claimed, details),
            attribution=self.attribution,
            stream=self.stream,
            **details,
        )

    def _dedupe_key(self, key: str, claimed: datetime, details: dict[str, Any]) -> str:
        """A digest that identifies the event, however, whenever and how often SES delivers it.

        It covers what SES wrote, and neither how sesbounce classifies it, which may change, nor the
        attribution, which only one of the two schemas has. The mail
        is identified by its id; without one, by SES's feedback id or, failing that, the time.
        Events that can happen several times for one mail and address (delays, opens, clicks,
        changed subscriptions) have their time and diagnostic in the key as well.
        """
        identity = self.mail.message_id or details.get("feedback_id") or claimed.isoformat()
        event = [self.kind, *map(details.get, _IDENTIFYING), identity, key]
        if self.kind in _REPEATABLE:
            event += [claimed.isoformat(), details.get("diagnostic")]
        return digest(msgspec.json.encode(event), self.mail.message_id)


# Kinds that are recorded and counted, and never change the state of an address.
_COUNTED = frozenset(
    {Kind.DELIVERY_DELAY, Kind.SEND, Kind.OPEN, Kind.CLICK, Kind.REJECT, Kind.RENDERING_FAILURE}
)
# The details by which SES tells events of one mail and address apart.
_IDENTIFYING = ("type", "sub_type", "status", "action")
_REPEATABLE = frozenset({Kind.DELIVERY_DELAY, Kind.OPEN, Kind.CLICK, Kind.SUBSCRIPTION})


def events_of(
    notification: Notification,
    received_at: datetime | None = None,
    *,
    more: bool = False,
    attribution: Attribution = UNKNOWN,
    stream: str | None = None,
) -> list[Event]:
    """One `Event` for each recipient that the message names.

    Args:
        notification: the message of SES.
        received_at: when SNS published the message or SQS received it, UTC. It is the time of
            events whose message holds none that can be read: neither that of the bounce
            (complaint, …) nor that of the mail. An event that claims to be more than a day later
            counts as of this time.
        more: whether the message names further recipients, which can't be read.
        attribution: by which part of the sender's set-up the mail was sent.
        stream: the stream that the mail belongs to.

    Raises:
        NotificationError: there is no time that can be read.
    """
    kind = notification.kind
    builder = _EventBuilder(kind, notification.mail, received_at, more, attribution, stream)
    match kind:
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
    when = builder.when(bounce.timestamp)
    return [
        builder.event(
            recipient.email_address,
            classify_bounce(bounce, recipient),
            when,
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
    """Mailbox providers remove the complainer's address; SES then names all who may be it.

    The complaint counts by the first one by key. So each event says by itself whether it counts.
    """
    classified = classify_complaint(complaint)
    when = builder.when(complaint.timestamp, complaint.arrival_date)
    addresses = {parse(r.email_address).key for r in complaint.complained_recipients}
    shared = builder.more or len(addresses) > 1
    first = min(addresses, default="")
    return [
        builder.event(
            recipient.email_address,
            classified,
            when,
            shared=shared,
            counted=parse(recipient.email_address).key == first,
            type=complaint.complaint_feedback_type,
            sub_type=complaint.complaint_sub_type,
            feedback_id=complaint.feedback_id,
        )
        for recipient in complaint.complained_recipients
    ]


def _of_delivery(builder: _EventBuilder, delivery: Delivery) -> list[Event]:
    delivered = Classified(Reason.DELIVERED, "delivered")
    when = builder.when(delivery.timestamp)
    return [
        builder.event(recipient, delivered, when, diagnostic=delivery.smtp_response)
        for recipient in delivery.recipients or ()
    ]


def _of_delay(builder: _EventBuilder, delay: DeliveryDelay) -> list[Event]:
    when = builder.when(delay.timestamp)
    return [
        builder.event(
            recipient.email_address,
            classify_delay(delay, recipient),
            when,
            type=delay.delay_type,
            status=recipient.status,
            diagnostic=recipient.diagnostic_code,
        )
        for recipient in delay.delayed_recipients or ()
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
    when = builder.when(subscription.timestamp)
    return [
        builder.event(
            recipient,
            classified,
            when,
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
    when = builder.when(timestamp)
    return [
        builder.event(recipient, classified, when, **details)
        for recipient in builder.mail.destination
    ]
