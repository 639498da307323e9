from datetime import timedelta

import msgspec
import pytest

from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import Bounce
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.operations.reclassify import reclassified, unlearned
from sesbounce.policy.state import Delivered, Evidence, State
from sesbounce.privacy.keyed_hash import PREFIX
from tests.support import AT


def event(**changes: object) -> Event:
    """A bounce that an older version took for a permanent failure."""
    usual = {
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
    return msgspec.convert(usual | changes, Event)


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
        ({"kind": "delivery_delay", "type": "IPFailure"}, Reason.SENDER_BLOCKED, Effect.NONE),
    ],
)
def test_what_ses_published_is_classified_as_by_this_version(
    said: dict[str, str], reason: Reason, effect: Effect
) -> None:
    after = reclassified(event(**said))
    assert (after.reason, after.effect) == (reason, effect)
    assert after.basis != "guessed"
    kept = msgspec.structs.replace(
        after, reason=event().reason, effect=Effect.HARD, basis="guessed"
    )
    assert kept == event(**said)
    assert reclassified(after) is after


@pytest.mark.parametrize("kind", [k for k in Kind if k not in ("bounce", "complaint")])
def test_other_kinds_are_not_reclassified(kind: Kind) -> None:
    if kind is not Kind.DELIVERY_DELAY:
        assert reclassified(event(kind=kind)) == event(kind=kind)


def test_an_event_about_a_forgotten_address_is_not_reclassified() -> None:
    forgotten = event(address=PREFIX + "ab", status="5.2.2")
    assert reclassified(forgotten) is forgotten


def test_an_automatic_reply_is_recognised_only_if_the_reporting_host_is_known() -> None:
    unclear = event(type="Transient", reason=Reason.TEMPORARY_FAILURE, effect=Effect.SOFT)
    assert reclassified(unclear).reason is Reason.TEMPORARY_FAILURE
    assert reclassified(unclear, Bounce([])).reason is Reason.AUTO_REPLY
    by_a_host = Bounce([], reporting_mta="dns; mx.example.com")
    assert reclassified(unclear, by_a_host).reason is Reason.TEMPORARY_FAILURE
    answer = event(type="Transient", reason=Reason.AUTO_REPLY, effect=Effect.NONE)
    assert reclassified(answer).reason is Reason.AUTO_REPLY


def test_only_the_event_s_own_evidence_is_removed() -> None:
    wrong = Evidence(AT, Reason.PERMANENT_FAILURE, "m", "5.0.0")
    later = Evidence(AT + timedelta(days=1), Reason.PERMANENT_FAILURE, "m", "5.0.0")
    other_mail = Evidence(AT, Reason.PERMANENT_FAILURE, "n", "5.0.0")
    strike = Evidence(AT, Reason.MAILBOX_FULL, "m")
    rest = State(strikes=(later, other_mail), complaint=strike, deliveries=(Delivered(AT, "m"),))
    learned = State(hard=wrong)
    for hard in (later, other_mail, strike, None):
        state = msgspec.structs.replace(rest, hard=hard)
        assert unlearned(state, learned) == state
    # Other values that an older version has kept make no difference.
    kept = Evidence(AT, Reason.PERMANENT_FAILURE, "m")
    assert unlearned(msgspec.structs.replace(rest, hard=kept), learned) == rest
    assert unlearned(rest, State(strikes=(strike, later))).strikes == (other_mail,)
    # The event arrived with an earlier time as well, and the log has the later one.
    twice = msgspec.structs.replace(rest, hard=later, earlier_hard=(wrong,))
    assert unlearned(twice, State(hard=later)) == rest
