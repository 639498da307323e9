import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.errors import NotificationError
from sesbounce.feedback.extract import Event, events_of
from sesbounce.feedback.notification import Kind, decode_notification
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.times import parse_time
from tests.support import AT, bounce, mail, said


def events(message: dict[str, Any], received_at: datetime | None = None) -> list[Event]:
    return events_of(decode_notification(json.dumps(message).encode()), received_at)


def test_a_bounce_gives_the_event_of_its_recipient() -> None:
    (event,) = events(said(about=mail("Jane Doe <Jane@Example.com>")))
    assert event.kind is Kind.BOUNCE
    assert event.reason is Reason.NO_SUCH_MAILBOX
    assert event.effect is Effect.HARD
    assert event.address == "jane@example.com"
    assert event.original == "Jane Doe <Jane@Example.com>"
    assert event.occurred_at == AT
    assert event.mail_id == "mail-1"
    assert event.source == "sender@example.com"
    assert (event.type, event.sub_type) == ("Permanent", "General")
    assert event.diagnostic == "smtp; 550 5.1.1 user unknown"
    assert event.basis == "status 5.1.1"


def test_each_recipient_has_its_own_event() -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": "jane@example.com", "status": "5.1.1", "action": "failed"},
        {"emailAddress": "richard@example.com", "status": "4.0.0", "action": "delayed"},
    ]
    jane, richard = events(message)
    assert (jane.effect, richard.effect) == (Effect.HARD, Effect.SOFT)
    assert jane.dedupe_key != richard.dedupe_key


def test_the_destination_of_a_bounced_mail_gives_no_events() -> None:
    message = said()
    message["mail"]["destination"] += ["mary@example.com"]
    assert [e.address for e in events(message)] == ["jane@example.com"]
    message["bounce"]["bouncedRecipients"] = []
    assert events(message) == []


def test_a_complaint_that_names_several_recipients_is_shared() -> None:
    message = said(Scenario.COMPLAINT)
    assert [e.shared for e in events(message)] == [False]
    message["complaint"]["complainedRecipients"] = [
        {"emailAddress": "jane@example.com"},
        {"emailAddress": "Jane <JANE@example.com>"},
    ]
    assert [e.shared for e in events(message)] == [False, False]
    message["complaint"]["complainedRecipients"] += [{"emailAddress": "mary@example.com"}]
    assert [e.shared for e in events(message)] == [True] * 3


def test_a_delivery_gives_the_event_of_its_recipient() -> None:
    (event,) = events(said(Scenario.SUCCESS))
    assert event.effect is Effect.DELIVERED
    assert event.diagnostic == "250 2.6.0 Message received"


@pytest.mark.parametrize("scenario", Scenario)
def test_both_schemas_give_the_same_event(scenario: Scenario) -> None:
    keys = {e.dedupe_key for schema in SCHEMAS for e in events(said(scenario, schema=schema))}
    assert len(keys) == 1


def test_events_differ_by_mail_kind_address_and_subtype() -> None:
    messages = [
        said(),
        said(about=mail(message_id="mail-2")),
        said(about=mail("mary@example.com")),
        said(Scenario.COMPLAINT),
        said(Scenario.SUCCESS),
        bounce("Transient", "General"),
        bounce("Transient", "MailboxFull"),
    ]
    assert len({e.dedupe_key for message in messages for e in events(message)}) == len(messages)


def test_without_a_mail_id_the_feedback_id_or_the_time_distinguishes_events() -> None:
    first, second, third = said(), said(), said()
    for message in (first, second, third):
        del message["mail"]["messageId"]
    second["bounce"]["feedbackId"] = "another"
    del third["bounce"]["feedbackId"]
    keys = {e.dedupe_key for message in (first, second, third) for e in events(message)}
    assert len(keys) == 3


def test_a_missing_time_falls_back_in_order() -> None:
    message = said(at=AT.replace(hour=13))
    (event,) = events(message)
    assert event.occurred_at == AT.replace(hour=13)
    del message["bounce"]["timestamp"]
    (event,) = events(message, AT.replace(hour=15))
    assert event.occurred_at == AT
    del message["mail"]["timestamp"]
    (event,) = events(message, AT.replace(hour=15))
    assert event.occurred_at == AT.replace(hour=15)
    (event,) = events(message, AT.replace(hour=16))
    assert event.occurred_at == AT.replace(hour=16)
    with pytest.raises(NotificationError, match="no time"):
        events(message)


def test_a_complaint_without_a_timestamp_has_its_arrival_date() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"] |= {"timestamp": None, "arrivalDate": "2026-11-20T10:00:00.000-05:00"}
    (event,) = events(message)
    assert event.occurred_at == AT.replace(hour=15)


@pytest.mark.parametrize(
    "text",
    [
        "2018-10-08T14:05:45Z",
        "2018-10-08T14:05:45.000Z",
        "2018-10-08T07:05:45.000-07:00",
        "2018-10-08T14:05:45 +0000",
        "2018-10-08T14:05:45",
        "2018-10-08 14:05:45+00:00",
    ],
)
def test_times_are_read_in_utc(text: str) -> None:
    assert parse_time(text) == datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"],
)
def test_a_text_that_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(NotificationError):
        parse_time(text)
