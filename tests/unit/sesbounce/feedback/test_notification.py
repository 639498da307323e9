import json
from typing import Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema
from sesbounce.errors import NotificationError
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import CommonHeaders, Header, Mail
from sesbounce.feedback.reading import decode_notification
from tests.support import said


@pytest.mark.parametrize("schema", SCHEMAS)
def test_all_fields_of_a_bounce_are_read(schema: Schema) -> None:
    notification = decode_notification(json.dumps(said(schema=schema)).encode())
    assert notification.kind is Kind.BOUNCE
    assert notification.mail.message_id == "mail-1"
    assert notification.mail.source == "sender@example.com"
    assert notification.mail.destination == ["jane@example.com"]
    assert notification.mail.headers_truncated is False
    assert notification.bounce is not None
    assert notification.bounce.bounce_type == "Permanent"
    assert notification.bounce.reporting_mta == "dns; a8-70.smtp-out.amazonses.com"
    assert notification.bounce.remote_mta_ip == "192.0.2.2"
    (recipient,) = notification.bounce.bounced_recipients
    assert recipient.status == "5.1.1"
    assert recipient.diagnostic_code == "smtp; 550 5.1.1 user unknown"


def test_either_key_is_accepted_for_every_kind() -> None:
    for name in ("Send", "Open", "Bounce"):
        for key in ("notificationType", "eventType"):
            content: dict[str, object] = {key: name, "bounce": {"bouncedRecipients": []}}
            assert decode_notification(json.dumps(content).encode()).type == name


def test_unknown_kinds_fields_and_subtypes_are_accepted() -> None:
    message = said() | {"eventType": "Bounce", "unknown": {"a": [1]}}
    message["bounce"] |= {"bounceSubType": "Whatever", "news": 1}
    assert decode_notification(json.dumps(message).encode()).kind is Kind.BOUNCE
    assert decode_notification(b'{"eventType": "Unheard"}').kind is Kind.UNKNOWN


@pytest.mark.parametrize("key", ["notificationType", "eventType"])
@pytest.mark.parametrize(
    ("scenario", "kind", "types"),
    [
        (Scenario.BOUNCE, Kind.BOUNCE, ["bounce", "BOUNCE", "Email Bounced", " Bounce "]),
        (Scenario.COMPLAINT, Kind.COMPLAINT, ["COMPLAINT", "Email Complaint Received"]),
        (Scenario.SUCCESS, Kind.DELIVERY, ["delivery", "DELIVERY", "Email Delivered"]),
    ],
)
def test_a_type_is_known_in_any_spelling(
    scenario: Scenario, kind: Kind, types: list[str], key: str
) -> None:
    message = said(scenario)
    del message["notificationType"]
    for text in types:
        notification = decode_notification(json.dumps(message | {key: text}).encode())
        assert (notification.kind, notification.type) == (kind, text)


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"notificationType": "Hard Bounce"},
        {"eventType": "New"},
        {"notificationType": ""},
        {"notificationType": None},
        {"notificationType": 5},
        {"eventType": ["Bounce"]},
    ],
)
@pytest.mark.parametrize(
    ("scenario", "kind"),
    [(Scenario.BOUNCE, Kind.BOUNCE), (Scenario.COMPLAINT, Kind.COMPLAINT)],
)
def test_where_no_type_is_known_a_bounce_or_complaint_is_judged_by_its_object(
    scenario: Scenario, kind: Kind, types: dict[str, object]
) -> None:
    message = said(scenario)
    del message["notificationType"]
    assert decode_notification(json.dumps(message | types).encode()).kind is kind


def test_the_type_that_is_known_decides() -> None:
    message = said() | {"notificationType": "New", "eventType": "Bounce"}
    assert decode_notification(json.dumps(message).encode()).kind is Kind.BOUNCE
    delivery = said(Scenario.SUCCESS) | {"bounce": said()["bounce"]}
    assert decode_notification(json.dumps(delivery).encode()).kind is Kind.DELIVERY


def test_an_unknown_type_with_a_broken_bounce_is_an_error() -> None:
    with pytest.raises(NotificationError) as caught:
        decode_notification(b'{"eventType": "New", "bounce": {"bouncedRecipients": 5}}')
    assert caught.value.place == "$.bounce.bouncedRecipients"


# Fields that no judgement rests on.
UNUSED = [
    ("mail", "sendingAccountId"),
    ("mail", "sourceIp"),
    ("mail", "source"),
    ("mail", "sourceArn"),
    ("mail", "callerIdentity"),
    ("mail", "destination"),
    ("mail", "headersTruncated"),
    ("mail", "headers"),
    ("mail", "commonHeaders"),
    ("mail", "tags"),
    ("mail", "timestamp"),
    ("bounce", "feedbackId"),
    ("bounce", "reportingMTA"),
    ("bounce", "remoteMtaIp"),
    ("bounce", "timestamp"),
    ("complaint",),
    ("delivery",),
    ("click",),
    ("open",),
    ("subscription",),
]


@pytest.mark.parametrize("path", UNUSED, ids=".".join)
@pytest.mark.parametrize("value", [None, 123, 1.5, True, "false", "", [], ["1.2.3.4"], {"a": "b"}])
def test_a_field_that_nobody_needs_may_hold_anything(path: tuple[str, ...], value: object) -> None:
    message = said()
    place: Any = message
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    notification = decode_notification(json.dumps(message).encode())
    assert notification.kind is Kind.BOUNCE
    assert notification.bounce
    assert [r.email_address for r in notification.bounce.bounced_recipients] == ["jane@example.com"]


@pytest.mark.parametrize(
    ("kind", "name", "detail"),
    [
        ("Click", "click", {"link": "http://x", "linkTags": "a:b"}),
        ("Click", "click", {"linkTags": {"a": "b"}, "ipAddress": 1, "userAgent": []}),
        ("Delivery", "delivery", {"recipients": ["jane@example.com"], "processingTimeMillis": 1.5}),
        ("Delivery", "delivery", {"recipients": None, "smtpResponse": 250}),
        ("Open", "open", "yes"),
        ("Reject", "reject", "Bad content"),
        ("Rendering Failure", "failure", ["x"]),
        ("Subscription", "subscription", {"contactList": 5, "oldTopicPreferences": "x"}),
        (
            "Subscription",
            "subscription",
            {"newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": None}},
        ),
    ],
)
def test_the_other_kinds_are_as_patient(kind: str, name: str, detail: object) -> None:
    message = {"eventType": kind, "mail": said()["mail"], name: detail}
    assert decode_notification(json.dumps(message).encode()).type == kind


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bounce", "bounceType"), ["Permanent"]),
        (("bounce", "bounceSubType"), 5),
        (("bounce", "bouncedRecipients"), {"emailAddress": "jane@example.com"}),
        (("bounce", "bouncedRecipients", 0, "status"), {"code": "5.1.1"}),
        (("bounce", "bouncedRecipients", 0, "action"), []),
        (("bounce", "bouncedRecipients", 0, "diagnosticCode"), {}),
        (("bounce", "bouncedRecipients", 0, "emailAddress"), 5),
    ],
)
def test_a_field_that_a_judgement_rests_on_must_be_readable(
    path: tuple[Any, ...], value: object
) -> None:
    message = said()
    place: Any = message
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    message["mail"]["sendingAccountId"] = 5  # not to blame
    with pytest.raises(NotificationError) as caught:
        decode_notification(json.dumps(message).encode())
    assert caught.value.place.startswith(f"$.bounce.{path[1]}")


@pytest.mark.parametrize(
    "content",
    [
        b'{"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have \xc3\xa9"}',
        b"Successfully validated SNS topic for Amazon SES event publishing.",
    ],
)
def test_setup_messages_are_known(content: bytes) -> None:
    assert decode_notification(content).kind is Kind.SETUP


def test_headers_are_read_on_demand() -> None:
    mail = decode_notification(json.dumps(said(schema="event")).encode()).mail
    assert mail.read_headers()[2] == Header("Subject", "Hello")
    assert mail.read_common_headers().from_ == ["sender@example.com"]
    assert mail.read_common_headers().subject == "Hello"
    bare = Mail()
    assert (bare.read_headers(), bare.read_common_headers()) == ([], CommonHeaders())


def test_broken_headers_do_not_lose_a_bounce() -> None:
    message = said()
    message["mail"] |= {"headers": [{"name": 1}], "commonHeaders": 7, "tags": [None]}
    notification = decode_notification(json.dumps(message).encode())
    assert notification.kind is Kind.BOUNCE
    for read, place in (
        (notification.mail.read_headers, "$.mail.headers[0].name"),
        (notification.mail.read_common_headers, "$.mail.commonHeaders"),
    ):
        with pytest.raises(NotificationError) as caught:
            read()
        assert caught.value.place == place


@pytest.mark.parametrize(
    ("content", "problem", "place"),
    [
        (b"hello", "not JSON", "$"),
        (b"{}", "not a message of SES", "$"),
        (b"[]", "Expected `object`", "$"),
        (b'{"notificationType": 1}', "Expected", "$.notificationType"),
        (b'{"notificationType": "Bounce"}', "a Bounce without its object", "$.bounce"),
        (b'{"eventType": "DeliveryDelay"}', "without its object", "$.deliveryDelay"),
        (b'{"eventType": "Bounce", "bounce": {}}', "bouncedRecipients", "$.bounce"),
        (
            b'{"eventType": "Bounce", "bounce": {"bouncedRecipients": [{}]}}',
            "emailAddress",
            "$.bounce.bouncedRecipients[0]",
        ),
        (
            b'{"eventType": "Complaint", "complaint": {"complainedRecipients": "jane"}}',
            "Expected `array`",
            "$.complaint.complainedRecipients",
        ),
        (
            b'{"eventType": "Send", "mail": {"messageId": "' + b"\\ud800" + b'"}}',
            "not JSON",
            "$",
        ),
    ],
)
def test_the_error_of_a_broken_message_has_the_place(
    content: bytes, problem: str, place: str
) -> None:
    with pytest.raises(NotificationError, match=problem) as caught:
        decode_notification(content)
    assert caught.value.place == place


def test_every_scenario_is_a_message_of_ses() -> None:
    for scenario in Scenario:
        assert decode_notification(json.dumps(said(scenario)).encode()).kind in (
            Kind.BOUNCE,
            Kind.COMPLAINT,
            Kind.DELIVERY,
        )
