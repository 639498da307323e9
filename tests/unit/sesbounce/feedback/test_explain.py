import json
from typing import Any

from sesbounce.feedback.decode import decode
from sesbounce.feedback.explain import Explanation, explain
from sesbounce.feedback.reason import Effect, Reason
from tests.support import bounce


def explained(message: dict[str, Any]) -> list[Explanation]:
    return [explain(event) for event in decode(json.dumps(message)).events]


def test_every_claim_is_shown_with_the_one_that_decided() -> None:
    message = bounce(
        "Permanent", "General", status="5.2.1", diagnosticCode="smtp; 550 5.2.1 User unknown"
    )
    (found,) = explained(message)
    assert (found.reason, found.effect) == (Reason.NO_SUCH_MAILBOX, Effect.HARD)
    assert [(c.text, c.reason, c.decided) for c in found.claims] == [
        ('words "user … unknown"', Reason.NO_SUCH_MAILBOX, True),
        ("status 5.2.1", Reason.MAILBOX_DISABLED, False),
        ("type Permanent/General", Reason.PERMANENT_FAILURE, False),
    ]
    assert all(c.source.startswith("https://") and c.match and c.host for c in found.claims)


def test_no_claim_decides_where_a_rule_does() -> None:
    message = bounce("Permanent", "General", status="4.1.1", diagnosticCode="smtp; 450 4.1.1")
    (found,) = explained(message)
    assert found.reason is Reason.TEMPORARY_FAILURE
    assert found.basis == "status 4.1.1; overruled: type Permanent/General (permanent_failure)"
    assert [c.text for c in found.claims if c.decided] == []


def test_an_automatic_reply_is_decided_by_no_claim() -> None:
    message = bounce("Transient", "General")
    for recipient in message["bounce"]["bouncedRecipients"]:
        for name in ("status", "action", "diagnosticCode"):
            recipient.pop(name, None)
    message["bounce"].pop("reportingMTA", None)
    (found,) = explained(message)
    assert found.reason is Reason.AUTO_REPLY
    assert [c.text for c in found.claims] == ["type Transient/General"]
    assert not found.claims[0].decided


def test_a_complaint_has_no_claims() -> None:
    message = {
        "notificationType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": "jane@example.com"}],
            "complaintFeedbackType": "abuse",
            "timestamp": "2026-11-20T12:00:00Z",
        },
        "mail": {"messageId": "m", "destination": ["jane@example.com"]},
    }
    (found,) = explained(message)
    assert (found.reason, found.claims) == (Reason.COMPLAINT_ABUSE, [])


def test_a_delay_is_explained_by_its_own_types() -> None:
    message = {
        "eventType": "DeliveryDelay",
        "deliveryDelay": {
            "delayType": "IPFailure",
            "delayedRecipients": [{"emailAddress": "jane@example.com", "status": "4.0.0"}],
            "timestamp": "2026-11-20T12:00:00Z",
        },
        "mail": {"messageId": "m", "destination": ["jane@example.com"]},
    }
    (found,) = explained(message)
    assert (found.reason, found.effect) == (Reason.SENDER_BLOCKED, Effect.NONE)
    assert [(c.text, c.decided) for c in found.claims] == [("type IPFailure", True)]
