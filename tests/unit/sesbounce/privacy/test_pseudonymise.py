import json
from datetime import timedelta
from typing import Any

import msgspec

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.attribution import UNKNOWN, Attribution
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.privacy.keyed_hash import HashKeys, is_forgotten
from sesbounce.privacy.pseudonymise import (
    pseudonymise_event,
    pseudonymise_recording,
    pseudonymise_state,
)
from tests.support import AT, bounce, in_sns, mail, said

JANE = "jane@example.com"
HASH = HashKeys(["k" * 32]).hashes(JANE)[0]


def messages() -> list[dict[str, Any]]:
    hours = [AT + timedelta(hours=n) for n in range(len(Scenario))]
    scenarios = [
        said(s, mail(JANE, f"m-{s}"), at=at) for s, at in zip(Scenario, hours, strict=True)
    ]
    scenarios.append(bounce("Transient", "General", status="5.1.1 (jane@example.com)"))
    return [*scenarios, bounce("jane's own", "Jane <jane@example.com>", action="of jane")]


def test_a_pseudonymised_event_identifies_nobody_and_gives_the_pseudonymised_state() -> None:
    state, reduced = State(), State()
    events = [event for message in messages() for event in decode(json.dumps(message)).events]
    events += decide(JANE, Reason.SUPPRESSED_BY_HAND, AT, by="ann", note="jane rang").events
    for event in events:
        reduced_event = pseudonymise_event(event, HASH)
        # What is known of the sender's own set-up stays.
        assert reduced_event.attribution == event.attribution
        without = msgspec.structs.replace(reduced_event, attribution=UNKNOWN)
        text = msgspec.json.encode(without).decode().lower()
        assert not [w for w in ("jane", "example", "ann", event.dedupe_key, "m-") if w in text]
        assert (reduced_event.occurred_at, reduced_event.reason) == (
            event.occurred_at,
            event.reason,
        )
        state, reduced = merge(state, learn(event)), merge(reduced, learn(reduced_event))
    assert pseudonymise_state(state, HASH) == reduced
    assert reduced.manual
    assert reduced.strikes
    assert "jane" not in msgspec.json.encode(reduced).decode()


def test_the_tags_go_and_so_does_an_identity_that_is_the_address() -> None:
    message = said(schema="event")
    message["mail"]["sourceArn"] = f"arn:aws:ses:us-east-1:1:identity/{JANE}"
    message["mail"]["tags"] |= {"person": ["4711"], "ses:tenant-name": ["shop"]}
    reduced = pseudonymise_recording(decode(json.dumps(message), tags=("person",)), {JANE: HASH})
    assert reduced.events[0].attribution == Attribution(
        configuration_set="sesbounce",
        identity="[forgotten]",
        region="us-east-1",
        tenant="shop",
        account_id="000000000000",
    )


def test_a_message_about_several_addresses_keeps_the_events_of_the_others() -> None:
    message = said()
    message["mail"]["destination"] = [JANE, "mary@example.com"]
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": JANE, "status": "5.1.1"},
        {"emailAddress": "mary@example.com", "diagnosticCode": "forwarded to jane@example.com"},
    ]
    decoded = decode(in_sns(message))
    reduced = pseudonymise_recording(decoded, {JANE: HASH})
    jane, mary = reduced.events
    assert is_forgotten(jane.address)
    assert mary == msgspec.structs.replace(decoded.events[1], diagnostic="forwarded to [forgotten]")
    assert reduced.message
    assert decoded.message
    assert (reduced.message.payload, reduced.message.mail_id) == (b"[forgotten]", None)
    assert reduced.message.digest == decoded.message.digest
