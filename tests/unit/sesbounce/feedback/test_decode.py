import json
from datetime import timedelta
from typing import Any

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.errors import EnvelopeError, NotificationError
from sesbounce.feedback.decode import Decoded, decode, decode_all
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect
from tests import corpus
from tests.support import AT, TOPIC, in_sns, mail, said


def of_sns(message: Any) -> dict[str, Any]:
    """A record of the wrapper in which Lambda gets messages of SNS."""
    fields = json.loads(in_sns(message))
    for key in ("SigningCert", "Unsubscribe"):
        fields[f"{key}Url"] = fields.pop(f"{key}URL")
    return {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": fields}


def of_sqs(body: str) -> dict[str, Any]:
    """A record of the wrapper in which Lambda gets messages of SQS."""
    return {"messageId": "1", "body": body, "eventSource": "aws:sqs", "attributes": {}}


def wrapped(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": records})


def about(name: str) -> dict[str, Any]:
    return said(about=mail(f"{name}@example.com", name))


@pytest.mark.parametrize(
    "record",
    [
        of_sns(said()),
        of_sns(json.dumps("\ufeff" + json.dumps(said()))),
        of_sqs(json.dumps(said())),
        of_sqs(in_sns(said())),
        of_sqs("\ufeff" + json.dumps(in_sns(said()))),
    ],
)
def test_the_wrapper_of_lambda_is_opened(record: dict[str, Any]) -> None:
    for body in (wrapped(record), "\ufeff" + wrapped(record), json.dumps(wrapped(record))):
        decoded = decode(body, AT)
        assert [event.address for event in decoded.events] == ["jane@example.com"]
        assert decode_all(body, AT) == [decoded]
        assert decoded.events == decode(json.dumps(said()), AT).events


def test_what_lambda_tells_of_a_failed_call_is_opened() -> None:
    call = {"requestId": "1", "functionArn": "arn", "condition": "RetriesExhausted"}
    payload = {"Records": [of_sns(said())]}
    body = {"version": "1.0", "requestContext": call, "requestPayload": payload}
    assert decode(json.dumps(body)).events == decode(json.dumps(said())).events


def test_a_record_has_the_fields_of_its_envelope() -> None:
    sns = decode(wrapped(of_sns(said()))).sns
    assert sns
    assert sns == decode(in_sns(said())).sns
    assert sns.topic_arn == TOPIC


def test_each_message_in_a_wrapper_stands_for_itself() -> None:
    records = (of_sns(about("a")), of_sqs("junk"), of_sqs(in_sns(about("b"))), of_sns({"x": 1}))
    one, junk, other, broken = decode_all(wrapped(*records), AT)
    assert isinstance(one, Decoded)
    assert isinstance(other, Decoded)
    assert [e.address for e in (*one.events, *other.events)] == ["a@example.com", "b@example.com"]
    assert one.message
    assert json.loads(one.message.payload) == about("a")
    assert isinstance(junk, NotificationError)
    assert isinstance(broken, NotificationError)
    with pytest.raises(EnvelopeError, match="holds 4 messages"):
        decode(wrapped(*records))


def test_a_wrapper_within_a_wrapper_is_an_error() -> None:
    (error,) = decode_all(wrapped(of_sqs(wrapped(of_sns(said())))))
    assert isinstance(error, EnvelopeError)


def test_a_body_that_can_t_be_opened_is_its_error() -> None:
    (error,) = decode_all("{")
    assert isinstance(error, EnvelopeError)


def test_a_recipient_that_can_t_be_read_is_named_by_its_place_alone() -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] += [{"emailAddress": ["mary@example.com"]}]
    decoded = decode(json.dumps(message))
    (problem,) = decoded.unread
    assert "$.bounce.bouncedRecipients[1].emailAddress" in problem
    assert "mary" not in problem


def test_a_complaint_that_names_somebody_unreadable_too_is_shared() -> None:
    message = said(Scenario.COMPLAINT)
    assert [event.shared for event in decode(json.dumps(message)).events] == [False]
    message["complaint"]["complainedRecipients"] += [{"emailAddress": None}]
    assert [event.shared for event in decode(json.dumps(message)).events] == [True]


def test_an_opt_out_is_nobody_s_where_the_recipients_can_t_all_be_read() -> None:
    about = said()["mail"]
    preferences = {"newTopicPreferences": {"unsubscribeAll": True}}
    message = {"eventType": "Subscription", "mail": about, "subscription": preferences}
    for destination, found in (
        (["jane@example.com"], 1),
        ("jane@example.com", 1),
        (["jane@example.com", None], 0),
    ):
        about["destination"] = destination
        events = decode(json.dumps(message)).events
        assert sum(event.effect is Effect.CONSENT for event in events) == found


@pytest.mark.parametrize("scenario", [Scenario.BOUNCE, Scenario.COMPLAINT])
def test_the_receipt_is_when_sns_published_and_no_later_than_sqs_allows(
    scenario: Scenario,
) -> None:
    future = said(scenario, at=AT.replace(year=2199))
    future["mail"]["timestamp"] = "2199-01-01T00:00:00Z"
    published = AT + timedelta(seconds=1)
    redriven = AT + timedelta(days=9)

    def counts(body: str, sent_at: Any) -> Any:
        return decode(body, sent_at).events[0].occurred_at

    # SNS repeats the same time at each delivery; a redrive changes that of SQS.
    assert counts(in_sns(future), AT) == counts(in_sns(future), redriven) == published
    assert counts(json.dumps(future), AT) == AT
    for lying in ("2199-01-01T00:00:00.000Z", "nonsense", None):
        assert counts(in_sns(future, Timestamp=lying), AT) == AT
    event = {"detail-type": "Email Bounced", "time": "2026-11-20T12:00:01Z", "detail": future}
    assert counts(json.dumps(event), redriven) == published


def test_an_event_of_eventbridge_may_have_no_type_but_its_own() -> None:
    detail = said()
    del detail["notificationType"]
    event = {"detail-type": "Email Bounced", "detail": detail}
    for body in (json.dumps(event), in_sns(event)):
        decoded = decode(body)
        assert (decoded.kind, decoded.type) == (Kind.BOUNCE, "Email Bounced")
        assert decoded.events[0].address == "jane@example.com"


@pytest.mark.skipif(not (corpus.FOLDER / "bodies").is_dir(), reason="no corpus beside the checkout")
def test_bodies_that_somebody_s_worker_refused_are_all_understood() -> None:
    for path in sorted((corpus.FOLDER / "bodies").iterdir()):
        for part in decode_all(path.read_bytes(), AT):
            assert isinstance(part, Decoded), (path.name, part)
            assert all(event.parsed for event in part.events), path.name
            if path.name.startswith(("addr-", "env-", "fld-")):
                assert [event.address for event in part.events] == ["jane@example.com"], path.name
