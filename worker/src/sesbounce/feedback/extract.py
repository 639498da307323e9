"""From one SES message to one `Event` per recipient: who, what, when, why.

Only the recipients that SES names are ever blamed (`bouncedRecipients`,
`complainedRecipients`, `delivery.recipients`, `delayedRecipients`), never
`mail.destination`, which holds everybody the mail was for. What SES tells of the mail as a
whole (opens, clicks, …) is recorded for each of those, and has no effect.
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
    """One event that SES tells about one recipient.

    Attributes:
        kind: what was told.
        reason: why, from the closed list.
        effect: what it does to the address.
        address: the key of the address; see `sesbounce.feedback.address`.
        original: the address as SES wrote it.
        parsed: false where that is no address; the key is then the text, folded.
        shared: true where a complaint names several recipients, one of whom complained.
        occurred_at: when it happened, UTC.
        mail_id: the SES message id of the mail.
        source: who sent the mail.
        type: bounceType, complaintFeedbackType, delayType.
        sub_type: bounceSubType, complaintSubType.
        status: the recipient's enhanced status code (RFC 3463).
        action: the recipient's action (RFC 3464).
        diagnostic: what the receiving side said.
        feedback_id: the id that SES gave to the bounce or complaint.
        basis: the evidence that the reason rests on.
        dedupe_key: equal for equal events, however they came.
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


class _Telling(msgspec.Struct, frozen=True):
    """What all feedback of one message has in common."""

    kind: Kind
    mail: Mail
    fallback: str | datetime | None

    def of(
        self, recipient: str, classified: Classified, timestamp: str | None, **said: Any
    ) -> Event:
        """The feedback for one recipient; `said` holds what is particular to the kind."""
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
            dedupe_key=self._dedupe_key(address.key, at, said),
            **said,
        )

    def _occurred_at(self, timestamp: str | None) -> datetime:
        at = timestamp or self.mail.timestamp or self.fallback
        if not at:
            raise NotificationError("no time anywhere in the message", "$.mail.timestamp")
        return at if isinstance(at, datetime) else parse_time(at)

    def _dedupe_key(self, key: str, at: datetime, said: dict[str, Any]) -> str:
        """A digest of what the event is: never of how, when or how often it came.

        It is made of what SES said, not of what sesbounce makes of it, which may change. The
        mail's id makes it particular; without one, SES's id of the feedback or, failing
        that, the time does. What may truly happen twice to one mail and address (delays,
        opens, clicks) has its time and circumstances in the key.
        """
        identity = self.mail.message_id or said.get("feedback_id") or at.isoformat()
        what = [said.get(name) for name in ("type", "sub_type", "status", "action")]
        event = [self.kind, *what, identity, key]
        if self.kind in _REPEATABLE:
            event += [at.isoformat(), said.get("diagnostic")]
        return digest(msgspec.json.encode(event), self.mail.message_id)


# Kinds that are recorded and counted, and never change what is known of an address.
_COUNTED = frozenset(
    {Kind.DELIVERY_DELAY, Kind.SEND, Kind.OPEN, Kind.CLICK, Kind.REJECT, Kind.RENDERING_FAILURE}
)
_REPEATABLE = frozenset({Kind.DELIVERY_DELAY, Kind.OPEN, Kind.CLICK, Kind.SUBSCRIPTION})


# Durations are added to times later: none may lie at the end of the calendar.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def events_of(notification: Notification, fallback: str | datetime | None = None) -> list[Event]:
    """One `Event` for each recipient that the message names.

    Args:
        notification: what SES said.
        fallback: the time of the envelope, for a message that holds no time. The order is:
            the bounce's (complaint's, …) own time, the mail's, this one.

    Raises:
        NotificationError: a time that can't be read, or none anywhere.
    """
    telling = _Telling(notification.kind, notification.mail, fallback)
    match notification.kind:
        case Kind.BOUNCE if notification.bounce:
            return _of_bounce(telling, notification.bounce)
        case Kind.COMPLAINT if notification.complaint:
            return _of_complaint(telling, notification.complaint)
        case Kind.DELIVERY if notification.delivery:
            return _of_delivery(telling, notification.delivery)
        case Kind.DELIVERY_DELAY if notification.delivery_delay:
            return _of_delay(telling, notification.delivery_delay)
        case Kind.SUBSCRIPTION if notification.subscription:
            return _of_subscription(telling, notification.subscription)
        case _:
            return _of_mail(telling, notification)


def _of_bounce(telling: _Telling, bounce: Bounce) -> list[Event]:
    return [
        telling.of(
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


def _of_complaint(telling: _Telling, complaint: Complaint) -> list[Event]:
    """Mailbox providers redact who complained; SES then names everybody who may have."""
    classified = classify_complaint(complaint)
    shared = len({parse(r.email_address).key for r in complaint.complained_recipients}) > 1
    return [
        telling.of(
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


def _of_delivery(telling: _Telling, delivery: Delivery) -> list[Event]:
    delivered = Classified(Reason.DELIVERED, "delivered")
    return [
        telling.of(recipient, delivered, delivery.timestamp, diagnostic=delivery.smtp_response)
        for recipient in delivery.recipients
    ]


def _of_delay(telling: _Telling, delay: DeliveryDelay) -> list[Event]:
    return [
        telling.of(
            recipient.email_address,
            classify_delay(delay, recipient),
            delay.timestamp,
            type=delay.delay_type,
            status=recipient.status,
            diagnostic=recipient.diagnostic_code,
        )
        for recipient in delay.delayed_recipients
    ]


def _of_subscription(telling: _Telling, subscription: Subscription) -> list[Event]:
    """A contact's new wishes. SES names no recipient: it is the mail's one and only.

    Only leaving everything is an opt-out; which topics somebody wants is the sender's affair.
    """
    preferences = subscription.new_topic_preferences
    left = preferences is not None and preferences.unsubscribe_all is True
    alone = len(telling.mail.destination) == 1
    reason = Reason.UNSUBSCRIBED if left and alone else Reason.NOT_ABOUT_THE_MAILBOX
    classified = Classified(reason, f"unsubscribeAll {'true' if left else 'false'}")
    wishes = msgspec.json.encode(preferences).decode()
    return [
        telling.of(
            recipient,
            classified,
            subscription.timestamp,
            type=subscription.contact_list,
            sub_type=subscription.source,
            diagnostic=wishes,
        )
        for recipient in telling.mail.destination
    ]


def _of_mail(telling: _Telling, notification: Notification) -> list[Event]:
    """What is told of a mail as a whole: one event for each address that it was for."""
    timestamp: str | None = None
    said: dict[str, str | None] = {}
    match notification.kind:
        case Kind.OPEN if notification.open:
            timestamp = notification.open.timestamp
        case Kind.CLICK if notification.click:
            timestamp = notification.click.timestamp
            said["diagnostic"] = notification.click.link
        case Kind.REJECT if notification.reject:
            said["type"] = notification.reject.reason
        case Kind.RENDERING_FAILURE if notification.failure:
            said["type"] = notification.failure.template_name
            said["diagnostic"] = notification.failure.error_message
        case Kind.SETUP | Kind.UNKNOWN:
            return []
    classified = Classified(Reason.NOT_ABOUT_THE_MAILBOX, telling.kind.value)
    return [
        telling.of(recipient, classified, timestamp, **said)
        for recipient in telling.mail.destination
    ]


def parse_time(text: str) -> datetime:
    """Read a time of SES in UTC: ISO 8601, with or without milliseconds, any offset.

    Raises:
        NotificationError: it is no time.
    """
    try:
        # AWS's own examples hold `2018-10-08T14:05:45 +0000`.
        at = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotificationError("not an ISO 8601 time", "$.timestamp") from None
    if not _EARLIEST <= at < _LATEST:
        raise NotificationError("a time that can't be true", "$.timestamp")
    return at
