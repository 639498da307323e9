"""Every documented kind of message, in every envelope, with the key of either schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sesbounce.feedback.decode import decode
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from tests.support import AT, in_sns

FIXTURES = Path(__file__).parents[3] / "fixtures"

JANE, RICHARD = "jane@example.net", "richard@example.net"
HARD, SOFT, SENDER, NONE = Effect.HARD, Effect.SOFT, Effect.SENDER, Effect.NONE

Meaning = tuple[Kind, list[tuple[str, Reason, Effect]]]


def bounce(reason: Reason, effect: Effect) -> Meaning:
    return Kind.BOUNCE, [(JANE, reason, effect)]


def complaint(reason: Reason, effect: Effect = Effect.COMPLAINT) -> Meaning:
    return Kind.COMPLAINT, [(JANE, reason, effect)]


def delay(reason: Reason) -> Meaning:
    return Kind.DELIVERY_DELAY, [(JANE, reason, NONE)]


def about_the_mail(kind: Kind) -> Meaning:
    return kind, [(JANE, Reason.NOT_ABOUT_THE_MAILBOX, NONE)]


MEANINGS: dict[str, Meaning] = {
    "bounce-undetermined": bounce(Reason.UNDETERMINED, SOFT),
    "bounce-permanent-general": bounce(Reason.PERMANENT_FAILURE, HARD),
    "bounce-permanent-general-unknown-user": bounce(Reason.NO_SUCH_MAILBOX, HARD),
    "bounce-permanent-general-without-dsn": (
        Kind.BOUNCE,
        [(JANE, Reason.PERMANENT_FAILURE, HARD), (RICHARD, Reason.PERMANENT_FAILURE, HARD)],
    ),
    "bounce-permanent-general-one-delayed": (
        Kind.BOUNCE,
        [(JANE, Reason.NO_SUCH_MAILBOX, HARD), (RICHARD, Reason.TEMPORARY_FAILURE, SOFT)],
    ),
    "bounce-permanent-noemail": bounce(Reason.NO_SUCH_MAILBOX, HARD),
    "bounce-permanent-suppressed": bounce(Reason.SUPPRESSED_GLOBALLY, Effect.NOT_ATTEMPTED),
    "bounce-permanent-onaccountsuppressionlist": bounce(
        Reason.SUPPRESSED_BY_ACCOUNT, Effect.NOT_ATTEMPTED
    ),
    "bounce-permanent-ontenantsuppressionlist": bounce(
        Reason.SUPPRESSED_BY_TENANT, Effect.NOT_ATTEMPTED
    ),
    "bounce-permanent-emailvalidationsuppressed": bounce(
        Reason.SUPPRESSED_BY_VALIDATION, Effect.NOT_ATTEMPTED
    ),
    "bounce-permanent-unsubscribedrecipient": bounce(Reason.UNSUBSCRIBED, Effect.CONSENT),
    "bounce-transient-general": bounce(Reason.TEMPORARY_FAILURE, SOFT),
    "bounce-transient-general-unknown-user": bounce(Reason.NO_SUCH_MAILBOX, HARD),
    "bounce-transient-general-auto-reply": bounce(Reason.AUTO_REPLY, NONE),
    "bounce-transient-mailboxfull": bounce(Reason.MAILBOX_FULL, SOFT),
    "bounce-transient-messagetoolarge": bounce(Reason.MESSAGE_TOO_LARGE, SENDER),
    "bounce-transient-customtimeoutexceeded": bounce(Reason.TIMEOUT, SOFT),
    "bounce-transient-contentrejected": bounce(Reason.CONTENT_REJECTED, SENDER),
    "bounce-transient-attachmentrejected": bounce(Reason.ATTACHMENT_REJECTED, SENDER),
    "bounce-nobody": (Kind.BOUNCE, []),
    "complaint-abuse": complaint(Reason.COMPLAINT_ABUSE),
    "complaint-auth-failure": complaint(Reason.COMPLAINT_AUTH_FAILURE, NONE),
    "complaint-fraud": complaint(Reason.COMPLAINT_FRAUD),
    "complaint-not-spam": complaint(Reason.COMPLAINT_NOT_SPAM, NONE),
    "complaint-other": complaint(Reason.COMPLAINT_OTHER),
    "complaint-virus": complaint(Reason.COMPLAINT_VIRUS),
    "complaint-without-report": complaint(Reason.COMPLAINT_OTHER),
    "complaint-onaccountsuppressionlist": complaint(
        Reason.SUPPRESSED_BY_ACCOUNT, Effect.NOT_ATTEMPTED
    ),
    "complaint-of-one-of-two": (
        Kind.COMPLAINT,
        [
            (JANE, Reason.COMPLAINT_ABUSE, Effect.COMPLAINT),
            (RICHARD, Reason.COMPLAINT_ABUSE, Effect.COMPLAINT),
        ],
    ),
    "delivery": (Kind.DELIVERY, [(JANE, Reason.DELIVERED, Effect.DELIVERED)]),
    "send": about_the_mail(Kind.SEND),
    "reject": about_the_mail(Kind.REJECT),
    "open": about_the_mail(Kind.OPEN),
    "click": about_the_mail(Kind.CLICK),
    "rendering-failure": about_the_mail(Kind.RENDERING_FAILURE),
    "deliverydelay-internalfailure": delay(Reason.TEMPORARY_FAILURE),
    "deliverydelay-general": delay(Reason.TEMPORARY_FAILURE),
    "deliverydelay-mailboxfull": delay(Reason.MAILBOX_FULL),
    "deliverydelay-spamdetected": delay(Reason.RATE_LIMITED),
    "deliverydelay-recipientservererror": delay(Reason.TEMPORARY_FAILURE),
    "deliverydelay-ipfailure": delay(Reason.SENDER_BLOCKED),
    "deliverydelay-transientcommunicationfailure": delay(Reason.TEMPORARY_FAILURE),
    "deliverydelay-byoiphostnamelookupunavailable": delay(Reason.TEMPORARY_FAILURE),
    "deliverydelay-undetermined": delay(Reason.UNDETERMINED),
    "deliverydelay-sendingdeferral": delay(Reason.RATE_LIMITED),
    "subscription-unsubscribe-all": (
        Kind.SUBSCRIPTION,
        [(JANE, Reason.UNSUBSCRIBED, Effect.CONSENT)],
    ),
    "subscription-topic": about_the_mail(Kind.SUBSCRIPTION),
    "setup": (Kind.SETUP, []),
}


def event_of(message: str) -> dict[str, Any]:
    detail = json.loads(message)
    return {"version": "0", "detail-type": "Email", "source": "aws.ses", "detail": detail}


ENVELOPES: dict[str, Callable[[str], str]] = {
    "raw": lambda message: message,
    "sns": in_sns,
    "sns, encoded twice": lambda message: json.dumps(in_sns(message)),
    "sns, message encoded twice": lambda message: in_sns(json.dumps(message)),
    "raw, encoded twice": json.dumps,
    "eventbridge": lambda message: json.dumps(event_of(message)),
    "eventbridge through sns": lambda message: in_sns(event_of(message)),
}


def load(name: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return message


def with_key(message: dict[str, Any], key: str) -> str:
    kind = message.pop("notificationType", None) or message.pop("eventType")
    return json.dumps({key: kind} | message)


def test_every_fixture_has_a_meaning() -> None:
    assert {path.stem for path in FIXTURES.glob("*.json")} == set(MEANINGS)


@pytest.mark.parametrize("key", ["notificationType", "eventType"])
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("name", MEANINGS)
def test_a_message_means_the_same_in_every_envelope(name: str, envelope: str, key: str) -> None:
    body = ENVELOPES[envelope](with_key(load(name), key))
    decoded = decode(body)
    found = [(event.address, event.reason, event.effect) for event in decoded.events]
    assert (decoded.kind, found) == MEANINGS[name]
    reference = decode(json.dumps(load(name)))
    assert [e.dedupe_key for e in decoded.events] == [e.dedupe_key for e in reference.events]
    assert all(
        event.occurred_at in (AT, AT.replace(hour=11, minute=59)) for event in decoded.events
    )


def test_an_eventbridge_event_without_a_type_of_its_own_is_recorded_as_unknown() -> None:
    event = {"detail-type": "Advisor Recommendation Status Open", "detail": {"version": "1.0"}}
    for body in (json.dumps(event), in_sns(event)):
        decoded = decode(body)
        assert (decoded.kind, decoded.type) == (Kind.UNKNOWN, event["detail-type"])
        assert decoded.message
        assert json.loads(decoded.message.payload) == event["detail"]


def test_a_message_without_a_time_gets_the_time_of_eventbridge() -> None:
    message = load("bounce-permanent-general")
    del message["bounce"]["timestamp"], message["mail"]["timestamp"]
    event = {"detail-type": "Email Bounced", "time": "2026-11-20T12:00:00Z", "detail": message}
    assert decode(json.dumps(event)).events[0].occurred_at == AT
    assert decode(json.dumps(message), AT).events[0].occurred_at == AT


def test_different_events_have_different_keys() -> None:
    """All fixtures are about one mail; these few differ only in the evidence of the bounce."""
    same = {
        "bounce-permanent-general-unknown-user",
        "bounce-permanent-general-without-dsn",
        "bounce-permanent-general-one-delayed",
        "bounce-transient-general-unknown-user",
        "bounce-transient-general-auto-reply",
        "complaint-of-one-of-two",
        "bounce-nobody",
    }
    events = [
        e for name in MEANINGS if name not in same for e in decode(json.dumps(load(name))).events
    ]
    assert len({event.dedupe_key for event in events}) == len(events)


def test_delays_opens_and_clicks_may_repeat() -> None:
    for name in ("deliverydelay-general", "open", "click", "subscription-topic"):
        message = load(name)
        detail = next(v for k, v in message.items() if isinstance(v, dict) and k != "mail")
        first = decode(json.dumps(message)).events[0].dedupe_key
        detail["timestamp"] = "2026-11-20T12:00:00.001Z"
        assert decode(json.dumps(message)).events[0].dedupe_key != first
