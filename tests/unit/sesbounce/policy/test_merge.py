import json
from collections.abc import Iterable
from datetime import timedelta

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import (
    FAILING_DAYS_HELD,
    HARD_HOURS_HELD,
    NEWEST_HELD,
    State,
    hard_bounces,
)
from tests.support import AT, mail, said

DAY = timedelta(days=1)


def learned(scenario: Scenario, day: float, recipient: str = "jane@example.com") -> State:
    about = mail(recipient, message_id=f"mail-{day}")
    message = said(scenario, about, at=AT + day * DAY)
    return learn(decode(json.dumps(message)).events[-1])


def merged(scenario: Scenario, days: Iterable[float]) -> State:
    state = State()
    for day in days:
        state = merge(state, learned(scenario, day))
    return state


def test_a_state_holds_few_failing_days() -> None:
    state = merged(Scenario.MAILBOX_FULL, range(FAILING_DAYS_HELD + 10))
    assert len(state.strikes) == FAILING_DAYS_HELD
    assert state.strikes[0].at == AT + (FAILING_DAYS_HELD + 9) * DAY


def test_many_failing_mails_of_a_day_push_out_no_other_day() -> None:
    of_a_day = [2 + n / 1000 for n in range(200)]
    state = merged(Scenario.MAILBOX_FULL, [0, 1, *of_a_day])
    assert len(state.strikes) == NEWEST_HELD + 2
    assert [strike.at for strike in state.strikes[-2:]] == [AT + DAY, AT]
    assert state.strikes[0].at == AT + of_a_day[-1] * DAY


def test_a_state_holds_the_newest_hard_bounce_of_some_hours() -> None:
    hours = [n / 24 for n in range(HARD_HOURS_HELD + 5)]
    state = merged(Scenario.BOUNCE, [*hours, hours[-1] + 1 / 100])
    assert len(hard_bounces(state)) == HARD_HOURS_HELD
    assert state.hard
    assert state.hard.at == AT + (hours[-1] + 1 / 100) * DAY
    assert hard_bounces(state)[1].at == AT + hours[-2] * DAY


def test_a_state_holds_the_first_delivery_and_the_newest_ones() -> None:
    state = merged(Scenario.SUCCESS, range(NEWEST_HELD + 5))
    assert len(state.deliveries) == NEWEST_HELD
    assert state.first_delivery
    assert state.first_delivery.at == AT


def test_a_reply_tells_who_hosts_the_mail_of_a_domain() -> None:
    message = said()
    (recipient,) = message["bounce"]["bouncedRecipients"]
    recipient["diagnosticCode"] = "smtp; 550-5.1.1 … does not exist. x1-2si1.3 - gsmtp"
    state = learn(decode(json.dumps(message)).events[0])
    assert state.hard
    assert state.hard.provider == "google"


def test_a_state_keeps_the_latest_spelling_of_the_address() -> None:
    state = State()
    for day, spelling in enumerate(["JANE@example.com", "Jane@Example.com", "jane@example.com"]):
        state = merge(state, learned(Scenario.BOUNCE, day, spelling))
    assert state.spelling
    assert state.spelling.text == "Jane@Example.com"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Jane <Jane@Example.com/x>", "Jane@Example.com/x"),
        ("jane@example.com/x", None),
        ("No  address", None),
    ],
)
def test_what_is_no_address_is_kept_as_ses_wrote_it_too(written: str, kept: str | None) -> None:
    found = learned(Scenario.BOUNCE, 0, written).spelling
    assert (found and found.text) == kept
