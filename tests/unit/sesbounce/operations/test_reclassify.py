from datetime import timedelta

import msgspec
import pytest

from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Bounce, Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.operations.reclassify import judged_again, taken_back
from sesbounce.policy.state import Delivered, Evidence, State
from sesbounce.privacy.keyed_hash import PREFIX
from tests.support import AT


def event(**said: object) -> Event:
    """A bounce that an older version took for a permanent failure."""
    told = {
        "kind": Kind.BOUNCE,
        "reason": Reason.PERMANENT_FAILURE,
        "effect": Effect.HARD,
        "address": "jane@example.com",
        "original": "jane@example.com",
        "occurred_at": AT,
        "mail_id": "m",
        "type": "Permanent",
        "sub_type": "General",
        "basis": "guessed",
        "dedupe_key": "k",
    }
    return msgspec.convert(told | said, Event)


@pytest.mark.parametrize(
    ("said", "reason", "effect"),
    [
        ({"status": "5.2.2"}, Reason.MAILBOX_FULL, Effect.SOFT),
        ({"diagnostic": "550 5.1.1 no such user"}, Reason.NO_SUCH_MAILBOX, Effect.HARD),
        ({"action": "delayed"}, Reason.TEMPORARY_FAILURE, Effect.SOFT),
        ({"sub_type": "Suppressed"}, Reason.SUPPRESSED_GLOBALLY, Effect.NOT_ATTEMPTED),
        ({"kind": "complaint", "type": "not-spam"}, Reason.COMPLAINT_NOT_SPAM, Effect.NONE),
        ({"kind": "complaint", "type": "abuse"}, Reason.COMPLAINT_ABUSE, Effect.COMPLAINT),
        ({"kind": "delivery_delay", "status": "4.2.2"}, Reason.MAILBOX_FULL, Effect.NONE),
        ({"kind": "delivery_delay", "type": "IPFailure"}, Reason.BLOCKED, Effect.NONE),
    ],
)
def test_what_ses_told_is_judged_as_today(
    said: dict[str, str], reason: Reason, effect: Effect
) -> None:
    again = judged_again(event(**said))
    assert (again.reason, again.effect) == (reason, effect)
    assert again.basis != "guessed"
    kept = msgspec.structs.replace(
        again, reason=event().reason, effect=Effect.HARD, basis="guessed"
    )
    assert kept == event(**said)
    assert judged_again(again) is again


@pytest.mark.parametrize("kind", [k for k in Kind if k not in ("bounce", "complaint")])
def test_the_rest_is_not_judged_again(kind: Kind) -> None:
    if kind is not Kind.DELIVERY_DELAY:
        assert judged_again(event(kind=kind)) == event(kind=kind)


def test_what_is_forgotten_is_not_judged_again_for_its_evidence_is_gone() -> None:
    forgotten = event(address=PREFIX + "ab", status="5.2.2")
    assert judged_again(forgotten) is forgotten


def test_an_answer_is_told_from_a_delivery_status_only_where_somebody_knows() -> None:
    unclear = event(type="Transient", reason=Reason.TEMPORARY_FAILURE, effect=Effect.SOFT)
    assert judged_again(unclear).reason is Reason.TEMPORARY_FAILURE
    assert judged_again(unclear, Bounce([])).reason is Reason.AUTO_REPLY
    by_a_host = Bounce([], reporting_mta="dns; mx.example.com")
    assert judged_again(unclear, by_a_host).reason is Reason.TEMPORARY_FAILURE
    answer = event(type="Transient", reason=Reason.AUTO_REPLY, effect=Effect.NONE)
    assert judged_again(answer).reason is Reason.AUTO_REPLY


def test_only_the_event_s_own_evidence_is_taken_back() -> None:
    wrong = Evidence(AT, Reason.PERMANENT_FAILURE, "m", "5.0.0")
    later = Evidence(AT + timedelta(days=1), Reason.PERMANENT_FAILURE, "m", "5.0.0")
    other_mail = Evidence(AT, Reason.PERMANENT_FAILURE, "n", "5.0.0")
    strike = Evidence(AT, Reason.MAILBOX_FULL, "m")
    rest = State(strikes=(later, other_mail), complaint=strike, deliveries=(Delivered(AT, "m"),))
    learned = State(hard=wrong)
    for hard in (later, other_mail, strike, None):
        state = msgspec.structs.replace(rest, hard=hard)
        assert taken_back(state, learned) == state
    # What an older version has kept beside it makes no difference.
    kept = Evidence(AT, Reason.PERMANENT_FAILURE, "m")
    assert taken_back(msgspec.structs.replace(rest, hard=kept), learned) == rest
    assert taken_back(rest, State(strikes=(strike, later))).strikes == (other_mail,)
