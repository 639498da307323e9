"""The kinds of messages and events, and the types by which SES and EventBridge write them."""

import re
from enum import StrEnum


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


# By the type as SES documents it.
KINDS = {
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
    _NO_LETTERS.sub("", name.lower()): kind for name, kind in (KINDS | _DETAIL_TYPES).items()
}


def kind_in_any_spelling(*types: str | None) -> Kind | None:
    """The kind of the first type that is known in some spelling."""
    found = (_BY_LETTERS.get(_NO_LETTERS.sub("", (text or "").lower())) for text in types)
    return next(filter(None, found), None)
