import json

import pytest

from sesbounce.errors import EnvelopeError
from sesbounce.feedback.envelope import MAX_BYTES, open_envelope
from tests.support import TOPIC, in_sns, said

MESSAGE = json.dumps(said())


def test_an_sns_notification_gives_its_message_and_its_fields() -> None:
    envelope = open_envelope(in_sns(MESSAGE))
    assert envelope.content.decode() == MESSAGE
    assert envelope.sns is not None
    assert envelope.sns.type == "Notification"
    assert envelope.sns.topic_arn == TOPIC
    assert envelope.sns.message_id == "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
    assert envelope.sns.timestamp == "2026-11-20T12:00:01.000Z"
    assert envelope.sns.signing_cert_url is not None


def test_raw_delivery_is_the_message_itself() -> None:
    envelope = open_envelope(MESSAGE)
    assert envelope.content.decode() == MESSAGE
    assert envelope.sns is None


def test_an_eventbridge_event_gives_its_detail() -> None:
    event = {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": "000000000000",
        "time": "2026-11-20T12:00:01Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ses:us-east-1:000000000000:configuration-set/sesbounce"],
        "detail": said(),
    }
    envelope = open_envelope(json.dumps(event))
    assert json.loads(envelope.content) == said()
    assert (envelope.detail_type, envelope.published_at) == (
        "Email Bounced",
        "2026-11-20T12:00:01Z",
    )


def test_an_eventbridge_event_may_come_through_sns() -> None:
    event = {"version": "0", "detail-type": "Email Bounced", "detail": said()}
    envelope = open_envelope(in_sns(event))
    assert json.loads(envelope.content) == said()
    assert envelope.sns


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("body", [MESSAGE, in_sns(MESSAGE)], ids=["raw", "sns"])
def test_json_in_a_json_string_is_unwrapped(body: str, times: int) -> None:
    for _ in range(times):
        body = json.dumps(body)
    assert open_envelope(body).content.decode() == MESSAGE


def test_a_message_that_is_itself_a_json_string_is_unwrapped() -> None:
    assert open_envelope(in_sns(json.dumps(MESSAGE))).content.decode() == MESSAGE


def test_a_message_that_is_an_object_is_taken_as_it_is() -> None:
    body = json.dumps({"Type": "Notification", "Message": said()})
    assert json.loads(open_envelope(body).content) == said()


def test_plain_text_is_the_content() -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    assert open_envelope(line).content.decode() == line
    assert open_envelope(in_sns(line)).content.decode() == line


@pytest.mark.parametrize(
    "junk", ["\ufeff", "\ufeff\ufeff", "\u200b", "\u00a0", "\r\n\t ", "\0", "\u2060"]
)
@pytest.mark.parametrize("body", [MESSAGE, in_sns(MESSAGE), json.dumps(MESSAGE)])
def test_what_stands_around_a_body_or_message_is_skipped(body: str, junk: str) -> None:
    for text in (f"{junk}{body}", f"{body}{junk}", f"{junk}{body}{junk}"):
        assert open_envelope(text).content.decode() == MESSAGE
        assert open_envelope(text.encode()).content.decode() == MESSAGE
        assert open_envelope(in_sns(text.replace(body, MESSAGE))).content.decode() == MESSAGE
        assert open_envelope(json.dumps(text)).content.decode() == MESSAGE


@pytest.mark.parametrize("value", [5, True, [], {"a": 1}, None])
@pytest.mark.parametrize(
    "field", ["MessageId", "Subject", "Timestamp", "UnsubscribeURL", "SignatureVersion", "Token"]
)
def test_a_field_of_sns_that_nobody_needs_may_hold_anything(field: str, value: object) -> None:
    assert open_envelope(in_sns(MESSAGE, **{field: value})).content.decode() == MESSAGE


def test_the_detail_of_an_event_may_be_a_text() -> None:
    event = {"detail-type": "Email Bounced", "source": "aws.ses", "detail": MESSAGE}
    assert open_envelope(json.dumps(event)).content.decode() == MESSAGE
    assert open_envelope(in_sns(event)).content.decode() == MESSAGE


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_confirmations_of_sns_hold_no_message_of_ses(kind: str) -> None:
    envelope = open_envelope(in_sns("You have chosen to subscribe to the topic …", Type=kind))
    assert envelope.content == b""
    assert envelope.sns is not None
    assert envelope.sns.type == kind


@pytest.mark.parametrize(
    ("body", "problem", "place"),
    [
        (b"\xff\xfe", "not UTF-8", "$"),
        ("\ud800", "not UTF-8", "$"),
        ("x" * (MAX_BYTES + 1), "larger", "$"),
        ('{"Type": "Notification"', "not JSON", "$"),
        ('{"Type": "Notification"}', "no Message", "$.Message"),
        ('{"Type": 1, "Message": "x"}', "Expected `str`", "$.Type"),
        ('{"Type": "Notification", "Message": "x", "TopicArn": []}', "Expected", "$.TopicArn"),
        ('"not closed', "not a JSON string", "$"),
        ('{"Records": []}', "holds no record", "$.Records"),
        ('{"Records": 5}', "Expected `array`", "$"),
        ('{"Records": [{"eventSource": "aws:s3", "s3": {}}]}', "neither of SNS", "$.Records[0]"),
        ('{"Records": [{"Sns": 5}]}', "Expected `object`", "$"),
        ('{"Records": [{"body": 5}]}', "Expected `str`", "$"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON", "$"),
    ],
)
def test_the_error_of_a_broken_envelope_has_the_place(
    body: str | bytes, problem: str, place: str
) -> None:
    with pytest.raises(EnvelopeError, match=problem) as caught:
        open_envelope(body)
    assert caught.value.place == place


def test_failures_of_one_type_share_a_fingerprint() -> None:
    def fingerprint(body: str) -> str:
        with pytest.raises(EnvelopeError) as caught:
            open_envelope(body)
        return caught.value.fingerprint

    assert fingerprint('{"a": nope}') == fingerprint('{"abcdef": nope}')
    assert fingerprint('{"a": nope}') != fingerprint('{"Type": 1}')
