import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema
from sesbounce.errors import NotificationError
from sesbounce.feedback.extract import Event, events_of
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reading import decode_notification
from sesbounce.feedback.reason import Effect, Reason
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
    assert event.basis == 'words "user … unknown"'


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


def test_a_complaint_counts_by_the_first_of_the_recipients_that_it_names() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"]["complainedRecipients"] = [
        {"emailAddress": name} for name in ("mary@example.com", "Jane@example.com", "jo@gmail.com")
    ]
    assert [e.counted for e in events(message)] == [False, True, False]
    assert [e.counted for e in events(said())] == [None]


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


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("scenario", Scenario)
def test_an_event_from_the_future_counts_as_of_its_receipt(
    scenario: Scenario, schema: Schema
) -> None:
    received = AT + timedelta(hours=1)
    for days in (0, 0.5, 1.5, 60_000):
        told = said(scenario, schema=schema, at=AT + timedelta(days=days))
        told["mail"]["timestamp"] = told["mail"]["timestamp"].replace("2026", "2199")
        (claimed,), (counted,) = events(told), events(told, received)
        assert counted.occurred_at == (claimed.occurred_at if days < 1 else received)
        assert counted.dedupe_key == claimed.dedupe_key


def test_the_key_of_an_event_does_not_depend_on_its_receipt() -> None:
    message = {"eventType": "Open", "mail": said()["mail"], "open": {"timestamp": "2199-01-01"}}
    one, other = (events(message, AT + timedelta(days=days))[0] for days in (0, 9))
    assert one.occurred_at < other.occurred_at
    assert one.dedupe_key == other.dedupe_key


@pytest.mark.parametrize("broken", ["not a time", 5, {}, ["x"], "", "1970-01-01T00:00:00Z", "9999"])
def test_where_a_time_can_t_be_read_another_one_stands_in(broken: object) -> None:
    message = said(Scenario.COMPLAINT, at=AT.replace(hour=13))
    arrival = {"arrivalDate": "2026-11-20T11:00:00Z"}
    message["complaint"] |= {"timestamp": broken} | arrival
    (event,) = events(message, AT.replace(hour=15))
    assert event.occurred_at == AT.replace(hour=11)
    message["complaint"]["arrivalDate"] = broken
    (event,) = events(message, AT.replace(hour=15))
    assert event.occurred_at == AT
    message["mail"]["timestamp"] = broken
    (event,) = events(message, AT.replace(hour=15))
    assert event.occurred_at == AT.replace(hour=15)
    with pytest.raises(NotificationError, match="no time that can be read"):
        events(message)


def test_a_recipient_that_can_t_be_read_costs_the_others_nothing() -> None:
    for scenario, place in (
        (Scenario.BOUNCE, ("bounce", "bouncedRecipients")),
        (Scenario.COMPLAINT, ("complaint", "complainedRecipients")),
    ):
        message = said(scenario)
        recipients = message[place[0]][place[1]]
        recipients[:0] = [None, "x", {}, {"emailAddress": None}, {"emailAddress": ["x"]}]
        assert [event.address for event in events(message)] == ["jane@example.com"]
        del recipients[-1]
        with pytest.raises(NotificationError) as caught:
            events(message)
        assert caught.value.place == f"$.{place[0]}.{place[1]}[0]"
    delivery = said(Scenario.SUCCESS)
    delivery["delivery"]["recipients"] += [None, 5]
    assert [event.address for event in events(delivery)] == ["jane@example.com"]
