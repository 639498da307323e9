import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from scripts.local.ses_messages import SIMULATOR_DOMAIN, Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.tally import OUTCOMES, ProviderDay, SenderHour, Tally
from tests.support import AT, bounce, mail, said

CELL = SenderHour(AT, "000000000000", "us-east-1", "sender@example.com")


def events(message: dict[str, Any]) -> list[Event]:
    return list(decode(json.dumps(message)).events)


def tally(*several: list[Event]) -> Tally:
    made = Tally()
    for some in several:
        made.add(some)
    return made


def counted(found: Tally) -> dict[str, int]:
    """The numbers of the only sender in the only hour."""
    ((cell, numbers),) = found.senders().items()
    assert cell == CELL
    return {name: n for name, n in zip(OUTCOMES, numbers, strict=True) if n}


def of_kind(kind: str) -> list[Event]:
    message: dict[str, Any] = {"eventType": kind, "mail": said(schema="event")["mail"]}
    details: dict[str, dict[str, Any]] = {
        "Reject": {"reject": {"reason": "Bad content"}},
        "Rendering Failure": {"failure": {"templateName": "t", "errorMessage": "e"}},
        "DeliveryDelay": {
            "deliveryDelay": {
                "delayType": "MailboxFull",
                "delayedRecipients": [{"emailAddress": "jane@example.com"}],
            }
        },
    }
    return events(message | details.get(kind, {}))


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("Send", "sent"),
        ("Reject", "rejected"),
        ("Rendering Failure", "rejected"),
        ("DeliveryDelay", "delays"),
    ],
)
def test_an_event_counts_for_its_sender(kind: str, outcome: str) -> None:
    assert counted(tally(of_kind(kind))) == {outcome: 1}


def test_what_a_person_does_with_a_mail_says_nothing_about_its_sender() -> None:
    assert tally(of_kind("Open"), of_kind("Click")).senders() == {}


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "outcome"),
    [
        ("Permanent", "General", "hard"),
        ("Permanent", "NoEmail", "hard"),
        ("Permanent", "Suppressed", "hard"),  # AWS counts its global list
        ("Permanent", "OnAccountSuppressionList", "not_attempted"),  # and not the account's own
        ("Permanent", "OnTenantSuppressionList", "not_attempted"),
        ("Permanent", "UnsubscribedRecipient", "not_attempted"),
        ("Transient", "General", "soft"),
        ("Transient", "MailboxFull", "soft"),
        ("Undetermined", "Undetermined", "soft"),
    ],
)
def test_bounces_count_as_aws_counts_them(bounce_type: str, sub_type: str, outcome: str) -> None:
    assert counted(tally(events(bounce(bounce_type, sub_type)))) == {outcome: 1}


def test_a_hard_bounce_of_aws_counts_whatever_the_host_says() -> None:
    (full,) = events(bounce("Permanent", "General", diagnosticCode="550 mailbox is full"))
    assert full.reason is Reason.MAILBOX_FULL
    assert counted(tally([full])) == {"hard": 1}


def test_mail_to_the_simulator_and_what_is_about_no_mail_do_not_count() -> None:
    simulated = events(said(about=mail(f"bounce+1@{SIMULATOR_DOMAIN}")))
    decision = decide("jane@example.com", Reason.SUPPRESSED_BY_HAND, AT).events
    imported = [msgspec.structs.replace(one, mail_id=None) for one in events(said())]
    found = tally(simulated, list(decision), imported)
    assert (found.senders(), found.providers()) == ({}, {})


def test_a_complaint_about_several_recipients_counts_once() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"]["complainedRecipients"] += [{"emailAddress": "mary@gmail.com"}]
    found = tally(events(message))
    assert counted(found) == {"complaints": 1}
    assert sum(found.providers().values()) == 2


def test_a_complaint_that_says_it_is_no_spam_does_not_count() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"]["complaintFeedbackType"] = "not-spam"
    assert tally(events(message)).senders() == {}


def test_answers_count_by_large_provider_day_and_reason() -> None:
    at = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    found = tally(
        *(
            events(said(Scenario.SUCCESS, mail(to, f"{to}{n}"), at=at + timedelta(seconds=n)))
            for n in range(2)
            for to in ("a@gmail.com", "b@googlemail.com", "c@small.example", "d@tiny.example")
        ),
        events(said(about=mail("e@gmail.com"), at=at)),
    )
    assert found.providers() == {
        ProviderDay(date(2026, 11, 20), "google", "delivery", "delivered"): 2,
        ProviderDay(date(2026, 11, 21), "google", "delivery", "delivered"): 2,
        ProviderDay(date(2026, 11, 20), "other", "delivery", "delivered"): 2,
        ProviderDay(date(2026, 11, 21), "other", "delivery", "delivered"): 2,
        ProviderDay(date(2026, 11, 20), "google", "bounce", "no_such_mailbox"): 1,
    }


def test_what_is_subtracted_leaves_nothing() -> None:
    found = tally(events(said()), events(said(Scenario.COMPLAINT)))
    found.add(events(said()) + events(said(Scenario.COMPLAINT)), -1)
    assert (found.senders(), found.providers()) == ({}, {})


def test_a_sender_that_is_not_known_has_no_name() -> None:
    message = said()
    del message["mail"]["sourceArn"], message["mail"]["sendingAccountId"]
    (cell,) = tally(events(message)).senders()
    assert cell == SenderHour(AT, "", "", "")


def test_names_fit_their_columns() -> None:
    (one,) = events(said())
    long = msgspec.structs.replace(one.attribution, identity="i" * 400, region="r" * 100)
    found = tally([msgspec.structs.replace(one, attribution=long)])
    (cell,) = found.senders()
    assert (cell.identity, cell.region) == ("i" * 320, "r" * 64)
