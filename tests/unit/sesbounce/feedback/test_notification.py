import json

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema
from sesbounce.errors import NotificationError
from sesbounce.feedback.notification import CommonHeaders, Header, Kind, Mail, decode_notification
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


@pytest.mark.parametrize(
    "content",
    [
        b'{"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have \xc3\xa9"}',
        b"Successfully validated SNS topic for Amazon SES event publishing.",
    ],
)
def test_setup_messages_are_known(content: bytes) -> None:
    assert decode_notification(content).kind is Kind.SETUP


def test_headers_and_tags_are_read_on_demand() -> None:
    mail = decode_notification(json.dumps(said(schema="event")).encode()).mail
    assert mail.read_headers()[2] == Header("Subject", "Hello")
    assert mail.read_common_headers().from_ == ["sender@example.com"]
    assert mail.read_common_headers().subject == "Hello"
    assert mail.read_tags()["ses:configuration-set"] == ["sesbounce"]
    bare = Mail()
    assert (bare.read_headers(), bare.read_common_headers()) == ([], CommonHeaders())
    assert bare.read_tags() == {}


def test_broken_headers_do_not_lose_a_bounce() -> None:
    message = said()
    message["mail"] |= {"headers": [{"name": 1}], "commonHeaders": 7, "tags": [None]}
    notification = decode_notification(json.dumps(message).encode())
    assert notification.kind is Kind.BOUNCE
    for read, place in (
        (notification.mail.read_headers, "$.mail.headers[0].name"),
        (notification.mail.read_common_headers, "$.mail.commonHeaders"),
        (notification.mail.read_tags, "$.mail.tags"),
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
