import json
from datetime import datetime, timedelta

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.reason import Reason
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy, Verdict, judge
from tests.support import AT, mail, said

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
JANE = "jane@gmail.com"
OUTAGE = Incident(provider="google", begins=AT, ends=AT + 2 * HOUR)


def event(
    scenario: Scenario, at: datetime, mail_id: str, address: str = JANE, reply: str | None = None
) -> Event:
    message = said(scenario, mail(address, message_id=mail_id), at=at)
    if reply:
        message["bounce"]["bouncedRecipients"][0]["diagnosticCode"] = reply
    return decode(json.dumps(message)).events[-1]


def verdict(*events: Event, incidents: tuple[Incident, ...] = (OUTAGE,)) -> Verdict:
    state = State()
    for each in events:
        state = merge(state, learn(each))
    return judge(state, Policy(), incidents, events[0].address)


DELIVERED = event(Scenario.SUCCESS, AT - 30 * DAY, "mail-0")
BOUNCED = event(Scenario.BOUNCE, AT + HOUR, "mail-1")


def test_a_hard_bounce_inside_an_incident_is_a_strike_after_a_delivery() -> None:
    assert verdict(DELIVERED, BOUNCED, incidents=()).for_good
    result = verdict(DELIVERED, BOUNCED)
    assert result.since is None
    assert result.why == (
        "1 of 3 strikes in 75 days, last: no such mailbox (5.1.1), 2026-11-20, "
        "during an incident of its provider"
    )


def test_an_address_without_an_earlier_delivery_is_suppressed_for_good() -> None:
    assert verdict(BOUNCED).for_good
    later = event(Scenario.SUCCESS, AT + DAY, "mail-2")
    assert verdict(BOUNCED, later).for_good
    # Some hosts accept a mail and send it back: that is no delivery.
    returned = event(Scenario.SUCCESS, AT, BOUNCED.mail_id or "")
    assert verdict(returned, BOUNCED).for_good


@pytest.mark.parametrize("hours", [-1, 2, 24])
def test_a_hard_bounce_outside_of_the_incident_counts_in_full(hours: int) -> None:
    outside = event(Scenario.BOUNCE, AT + hours * HOUR, "mail-2")
    assert verdict(DELIVERED, BOUNCED, outside).since == outside.occurred_at


@pytest.mark.parametrize(
    ("provider", "address", "covered"),
    [
        ("google", "jane@googlemail.com", True),
        ("gmail.com", "jane@gmail.com", True),
        ("gmail.com", "jane@googlemail.com", False),
        ("example.com", "jane@example.com", True),
        ("google", "jane@example.com", False),
        ("microsoft", "jane@gmail.com", False),
    ],
)
def test_an_incident_is_of_a_provider_or_of_a_domain(
    provider: str, address: str, covered: bool
) -> None:
    incident = Incident(provider=provider, begins=AT)
    delivered = event(Scenario.SUCCESS, AT - DAY, "mail-0", address)
    bounced = event(Scenario.BOUNCE, AT + HOUR, "mail-1", address)
    result = verdict(delivered, bounced, incidents=(incident,))
    assert result.for_good is not covered


def test_the_reply_shows_that_a_provider_hosts_the_domain() -> None:
    reply = "smtp; 550-5.1.1 The email account does not exist. k12si6 - gsmtp"
    delivered = event(Scenario.SUCCESS, AT - DAY, "mail-0", "jane@example.com")
    bounced = event(Scenario.BOUNCE, AT + HOUR, "mail-1", "jane@example.com", reply)
    assert verdict(delivered, bounced).since is None


def test_the_bounces_of_an_incident_are_strikes_as_others_are() -> None:
    full = [event(Scenario.MAILBOX_FULL, AT - day * DAY, f"full-{day}") for day in (1, 2)]
    result = verdict(DELIVERED, BOUNCED, *full)
    assert (result.reason, result.since) == (Reason.NO_SUCH_MAILBOX, BOUNCED.occurred_at)
    assert result.until == BOUNCED.occurred_at + 14 * DAY


def test_a_complaint_counts_inside_an_incident() -> None:
    complaint = event(Scenario.COMPLAINT, AT + HOUR, "mail-2")
    assert verdict(DELIVERED, BOUNCED, complaint).reason is Reason.COMPLAINT_ABUSE


def test_an_incident_that_has_not_ended_covers_all_that_comes() -> None:
    open_one = Incident(provider="google", begins=AT)
    late = event(Scenario.BOUNCE, AT + 300 * DAY, "mail-2")
    assert verdict(DELIVERED, late, incidents=(open_one,)).since is None
    assert verdict(DELIVERED, late).for_good
