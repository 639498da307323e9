import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.errors import NotificationError
from sesbounce.feedback.extract import Feedback, feedback_of, parse_time
from sesbounce.feedback.notification import Kind, decode_notification
from sesbounce.feedback.reason import Effect, Reason
from tests.support import AT, bounce, mail, said


def feedback(message: dict[str, Any], fallback: str | datetime | None = None) -> list[Feedback]:
    return feedback_of(decode_notification(json.dumps(message).encode()), fallback)


def test_a_bounce_tells_of_its_recipient() -> None:
    (fact,) = feedback(said(about=mail("Jane Doe <Jane@Example.com>")))
    assert fact.kind is Kind.BOUNCE
    assert fact.reason is Reason.NO_SUCH_MAILBOX
    assert fact.effect is Effect.HARD
    assert fact.address == "jane@example.com"
    assert fact.original == "Jane Doe <Jane@Example.com>"
    assert fact.occurred_at == AT
    assert fact.mail_id == "mail-1"
    assert fact.source == "sender@example.com"
    assert (fact.type, fact.sub_type) == ("Permanent", "General")
    assert fact.diagnostic == "smtp; 550 5.1.1 user unknown"
    assert fact.basis == "status 5.1.1"


def test_each_recipient_is_told_of_apart() -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": "jane@example.com", "status": "5.1.1", "action": "failed"},
        {"emailAddress": "richard@example.com", "status": "4.0.0", "action": "delayed"},
    ]
    jane, richard = feedback(message)
    assert (jane.effect, richard.effect) == (Effect.HARD, Effect.SOFT)
    assert jane.dedupe_key != richard.dedupe_key


def test_nobody_is_blamed_for_being_in_the_destination() -> None:
    message = said()
    message["mail"]["destination"] += ["mary@example.com"]
    assert [f.address for f in feedback(message)] == ["jane@example.com"]
    message["bounce"]["bouncedRecipients"] = []
    assert feedback(message) == []


def test_a_complaint_of_several_is_shared() -> None:
    message = said(Scenario.COMPLAINT)
    assert [f.shared for f in feedback(message)] == [False]
    message["complaint"]["complainedRecipients"] = [
        {"emailAddress": "jane@example.com"},
        {"emailAddress": "Jane <JANE@example.com>"},
    ]
    assert [f.shared for f in feedback(message)] == [False, False]
    message["complaint"]["complainedRecipients"] += [{"emailAddress": "mary@example.com"}]
    assert [f.shared for f in feedback(message)] == [True] * 3


def test_a_delivery_tells_of_each_recipient() -> None:
    (fact,) = feedback(said(Scenario.SUCCESS))
    assert fact.effect is Effect.DELIVERED
    assert fact.diagnostic == "250 2.6.0 Message received"


@pytest.mark.parametrize("scenario", Scenario)
def test_both_schemas_tell_the_same_fact(scenario: Scenario) -> None:
    keys = {f.dedupe_key for schema in SCHEMAS for f in feedback(said(scenario, schema=schema))}
    assert len(keys) == 1


def test_facts_differ_by_mail_kind_address_and_subtype() -> None:
    facts = [
        said(),
        said(about=mail(message_id="mail-2")),
        said(about=mail("mary@example.com")),
        said(Scenario.COMPLAINT),
        said(Scenario.SUCCESS),
        bounce("Transient", "General"),
        bounce("Transient", "MailboxFull"),
    ]
    assert len({f.dedupe_key for message in facts for f in feedback(message)}) == len(facts)


def test_without_a_mail_id_the_feedback_id_and_then_the_time_tell_facts_apart() -> None:
    first, second, third = said(), said(), said()
    for message in (first, second, third):
        del message["mail"]["messageId"]
    second["bounce"]["feedbackId"] = "another"
    del third["bounce"]["feedbackId"]
    keys = {f.dedupe_key for message in (first, second, third) for f in feedback(message)}
    assert len(keys) == 3


def test_a_missing_time_falls_back_in_order() -> None:
    message = said(at=AT.replace(hour=13))
    (fact,) = feedback(message)
    assert fact.occurred_at == AT.replace(hour=13)
    del message["bounce"]["timestamp"]
    (fact,) = feedback(message, "2026-11-20T15:00:00Z")
    assert fact.occurred_at == AT
    del message["mail"]["timestamp"]
    (fact,) = feedback(message, "2026-11-20T15:00:00Z")
    assert fact.occurred_at == AT.replace(hour=15)
    (fact,) = feedback(message, AT.replace(hour=16))
    assert fact.occurred_at == AT.replace(hour=16)
    with pytest.raises(NotificationError, match="no time"):
        feedback(message)


def test_a_complaint_without_a_timestamp_has_its_arrival_date() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"] |= {"timestamp": None, "arrivalDate": "2026-11-20T10:00:00.000-05:00"}
    (fact,) = feedback(message)
    assert fact.occurred_at == AT.replace(hour=15)


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
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NotificationError):
        parse_time(text)
