"""Any documented message is read as it was written, and equal events have equal keys."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sesbounce.feedback.decode import decode
from sesbounce.feedback.envelope import open_envelope
from sesbounce.feedback.notification import (
    Bounce,
    BouncedRecipient,
    Click,
    ComplainedRecipient,
    Complaint,
    Delivery,
    DeliveryDelay,
    Failure,
    Mail,
    Notification,
    Open,
    Reject,
    Subscription,
    TopicPreferences,
    TopicStatus,
)
from sesbounce.feedback.reading import decode_notification
from tests.support import AT, bounce, in_sns, said

text = st.text(max_size=40)
maybe = st.none() | text
tags = st.dictionaries(text, st.lists(text, max_size=2), max_size=2)
raw = st.just(msgspec.Raw(b'[{"name":"From","value":"x"}]'))

mails = st.builds(
    Mail,
    message_id=maybe,
    timestamp=maybe,
    source=maybe,
    source_arn=maybe,
    source_ip=maybe,
    caller_identity=maybe,
    sending_account_id=maybe,
    destination=st.lists(text, max_size=3),
    headers_truncated=st.none() | st.booleans(),
    headers=raw,
    common_headers=raw,
    tags=raw,
)
recipients = st.builds(
    BouncedRecipient, email_address=text, action=maybe, status=maybe, diagnostic_code=maybe
)
bounces = st.builds(
    Bounce,
    bounced_recipients=st.lists(recipients, max_size=3),
    bounce_type=maybe,
    bounce_sub_type=maybe,
    timestamp=maybe,
    feedback_id=maybe,
    reporting_mta=maybe,
    remote_mta_ip=maybe,
)
complaints = st.builds(
    Complaint,
    complained_recipients=st.lists(st.builds(ComplainedRecipient, text), max_size=3),
    complaint_feedback_type=maybe,
    complaint_sub_type=maybe,
    timestamp=maybe,
    arrival_date=maybe,
    feedback_id=maybe,
    user_agent=maybe,
)
deliveries = st.builds(
    Delivery,
    recipients=st.lists(text, max_size=3),
    timestamp=maybe,
    processing_time_millis=st.none() | st.integers(0, 10**9),
    smtp_response=maybe,
    reporting_mta=maybe,
    remote_mta_ip=maybe,
)
delays = st.builds(
    DeliveryDelay,
    delayed_recipients=st.lists(recipients, max_size=3),
    delay_type=maybe,
    timestamp=maybe,
    expiration_time=maybe,
    reporting_mta=maybe,
)
preferences = st.builds(
    TopicPreferences,
    unsubscribe_all=st.none() | st.booleans(),
    topic_subscription_status=st.lists(st.builds(TopicStatus, maybe, maybe), max_size=2),
)
subscriptions = st.builds(
    Subscription,
    contact_list=maybe,
    timestamp=maybe,
    source=maybe,
    new_topic_preferences=st.none() | preferences,
    old_topic_preferences=st.none() | preferences,
)
details = {
    "Bounce": ("bounce", bounces),
    "Complaint": ("complaint", complaints),
    "Delivery": ("delivery", deliveries),
    "DeliveryDelay": ("delivery_delay", delays),
    "Send": (None, st.none()),
    "Reject": ("reject", st.builds(Reject, maybe)),
    "Open": ("open", st.builds(Open, maybe, maybe, maybe)),
    "Click": ("click", st.builds(Click, maybe, maybe, maybe, maybe, st.none() | tags)),
    "Rendering Failure": ("failure", st.builds(Failure, maybe, maybe)),
    "Subscription": ("subscription", subscriptions),
}


@st.composite
def notifications(draw: st.DrawFn) -> Notification:
    kind = draw(st.sampled_from(sorted(details)))
    key = draw(st.sampled_from(["notification_type", "event_type"]))
    name, detail = details[kind]
    fields: dict[str, Any] = {key: kind, "mail": draw(mails)}
    if name:
        fields[name] = draw(detail)
    return Notification(**fields)


@settings(max_examples=300, deadline=None)
@given(notifications())
def test_any_documented_message_round_trips(notification: Notification) -> None:
    content = msgspec.json.encode(notification)
    assert decode_notification(content) == notification
    assert open_envelope(in_sns(content.decode())).content == content


ListEvent = tuple[str, str, str | None, str | None, str, str]
events = st.tuples(
    st.sampled_from(["Permanent", "Transient"]),
    st.sampled_from(["General", "MailboxFull"]),
    st.sampled_from([None, "5.1.1", "4.2.2"]),
    st.sampled_from([None, "failed"]),
    st.sampled_from(["mail-1", "mail-2", "mail-1\x1f"]),
    st.sampled_from(["jane@example.com", "mary@example.com"]),
)


def dedupe_key_of(event: ListEvent, key: str, seconds: int) -> str:
    """The dedupe key of an event from either schema, at the given second."""
    bounce_type, sub_type, status, action, mail_id, address = event
    message = bounce(bounce_type, sub_type)
    recipient = {"emailAddress": address, "status": status, "action": action}
    message["bounce"]["bouncedRecipients"] = [recipient]
    message["bounce"]["timestamp"] = AT.replace(second=seconds).isoformat()
    message["mail"]["messageId"] = mail_id
    return decode(json.dumps({key: message.pop("notificationType")} | message)).events[0].dedupe_key


@given(
    events,
    events,
    st.sampled_from(["notificationType", "eventType"]),
    st.sampled_from(["notificationType", "eventType"]),
    st.integers(0, 59),
)
def test_keys_are_equal_exactly_where_events_are(
    one: ListEvent, other: ListEvent, key: str, other_key: str, seconds: int
) -> None:
    assert (dedupe_key_of(one, key, 0) == dedupe_key_of(other, other_key, seconds)) == (
        one == other
    )


def test_another_sns_message_id_makes_no_other_event() -> None:
    keys = {
        decode(in_sns(said(), MessageId=message_id)).events[0].dedupe_key
        for message_id in ("one", "another")
    }
    assert len(keys) == 1
