import json
from datetime import timedelta

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.policy.state import STRIKES_HELD, State, learn, merge
from tests.support import AT, mail, said

DAY = timedelta(days=1)


def learned(scenario: Scenario, day: int, recipient: str = "jane@example.com") -> State:
    about = mail(recipient, message_id=f"mail-{day}")
    message = said(scenario, about, at=AT + day * DAY)
    return learn(decode(json.dumps(message)).events[-1])


def test_a_state_stays_small() -> None:
    state = State()
    for day in range(STRIKES_HELD + 10):
        state = merge(state, learned(Scenario.MAILBOX_FULL, day))
    assert len(state.strikes) == STRIKES_HELD
    assert state.strikes[0].at == AT + (STRIKES_HELD + 9) * DAY


def test_a_state_keeps_the_latest_spelling_of_the_address() -> None:
    state = State()
    for day, spelling in enumerate(["JANE@example.com", "Jane@Example.com", "jane@example.com"]):
        state = merge(state, learned(Scenario.BOUNCE, day, spelling))
    assert state.spelling
    assert state.spelling.text == "Jane@Example.com"
