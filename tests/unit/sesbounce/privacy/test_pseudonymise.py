import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.state import State, learn, merge
from sesbounce.privacy.keyed_hash import HashKeys, is_forgotten
from sesbounce.privacy.mentions import Mentions, addresses_in
from sesbounce.privacy.pseudonymise import hidden_event, hidden_recording, hidden_state
from tests.support import AT, bounce, in_sns, mail, said

NEW, OLD = "n" * 32, "o" * 32
KEYS = HashKeys([NEW, OLD])
JANE = "jane@example.com"


def test_the_name_is_the_hmac_that_others_can_compute_too() -> None:
    names = [hashed.name for hashed in KEYS.hashes(JANE)]
    by_hand = [hmac.new(k.encode(), JANE.encode(), hashlib.sha256).hexdigest() for k in (NEW, OLD)]
    assert names == [f"HMAC-SHA256:{digest}" for digest in by_hand]
    assert HashKeys().hashes(JANE) == []
    assert (bool(KEYS), bool(HashKeys())) == (True, False)


@pytest.mark.parametrize("suffix", ["", "@example.com", "\0", " <x>"])
def test_no_address_is_called_like_a_forgotten_one(suffix: str) -> None:
    (name, _) = [hashed.name for hashed in KEYS.hashes(JANE)]
    assert is_forgotten(name)
    assert not is_forgotten(parse(name + suffix).key)


def test_a_key_that_is_missing_is_told() -> None:
    new, old = KEYS.checks
    KEYS.demand("")
    KEYS.demand(f"{old},{new}")
    HashKeys().demand("")
    for keys in (HashKeys([NEW]), HashKeys(), HashKeys(["x" * 32])):
        with pytest.raises(ConfigurationError, match="SESBOUNCE_HASH_KEY does not hold"):
            keys.demand(f"{old},{new}")
    assert not {NEW, OLD} & {new, old}


def told() -> list[dict[str, Any]]:
    hours = [AT + timedelta(hours=n) for n in range(len(Scenario))]
    messages = [said(s, mail(JANE, f"m-{s}"), at=at) for s, at in zip(Scenario, hours, strict=True)]
    messages.append(bounce("Transient", "General", status="5.1.1 (jane@example.com)"))
    return [*messages, bounce("jane's own", "Jane <jane@example.com>", action="of jane")]


def test_a_hidden_event_names_nobody_and_teaches_what_the_hidden_state_says() -> None:
    hashed = KEYS.hashes(JANE)[0]
    state, hidden = State(), State()
    events = [event for message in told() for event in decode(json.dumps(message)).events]
    events += decide(JANE, Reason.SUPPRESSED_BY_HAND, AT, by="ann", note="jane rang").events
    for event in events:
        without = hidden_event(event, hashed)
        text = msgspec.json.encode(without).decode().lower()
        assert not [w for w in ("jane", "example", "ann", event.dedupe_key, "m-") if w in text]
        assert (without.occurred_at, without.reason) == (event.occurred_at, event.reason)
        state, hidden = merge(state, learn(event)), merge(hidden, learn(without))
    assert hidden_state(state, hashed) == hidden
    assert hidden.manual
    assert hidden.strikes
    assert "jane" not in msgspec.json.encode(hidden).decode()


def test_nothing_links_the_events_of_two_addresses() -> None:
    jane, mary = (KEYS.hashes(address)[0] for address in (JANE, "mary@example.com"))
    assert jane.of("mail-1") == jane.of("mail-1")
    assert jane.of("mail-1") != mary.of("mail-1")


MENTIONS = [
    "jane@example.com",
    "Jane Doe <JANE@Example.COM>, mary@example.com",
    "550 5.1.1 <jane@example.com>: user unknown",
    "write to jane@example.com.",
    '"jane"@example.com',
    "https://example.com/?to=jane%40example.com&x=1",
    "bounces+jane=example.com@lists.example",
    "mailto:jane@example.com",
]
OTHERS = [
    "mary.jane@example.com",
    "mary+jane@example.com",
    "xjane@example.com",
    "jane@example.com.au",
    "jane@example.community",
    "jane@example-com",
    "janeexample.com",
    "jane at example.com",
]


@pytest.mark.parametrize("text", MENTIONS)
def test_mentions_are_found_however_they_are_written(text: str) -> None:
    mentions = Mentions([JANE])
    assert mentions.within(text)
    assert not mentions.within(mentions.cut(text))
    assert "jane" not in mentions.cut(text).replace("Jane Doe", "").lower()
    assert mentions.within_payload(json.dumps({"a": [{"b": text}]}))
    assert mentions.within_payload(json.dumps({text: 1}))
    assert mentions.tokens == ["jane"]


@pytest.mark.parametrize("text", OTHERS)
def test_others_are_not_mentions(text: str) -> None:
    assert not Mentions([JANE]).within(text)
    assert Mentions([JANE]).cut(text) == text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("Jösé@bücher.example", "to jo\u0308se\u0301@BÜCHER.example now"),
        ("jösé@bücher.example", "jösé@xn--bcher-kva.example"),
        ("a+b@example.com", "?u=a%2Bb%40example.com"),
        ('"jane doe"@example.com', '<"jane doe"@example.com>'),
        ("no address at all", "he wrote: no address at all"),
        ("😀@example.com", "😀@example.com"),
    ],
)
def test_odd_addresses_are_found_too(address: str, text: str) -> None:
    mentions = Mentions([parse(address).key])
    assert mentions.within(text)
    assert mentions.within_payload(json.dumps({"x": text}))
    for token in mentions.tokens or []:
        assert token in text.lower()


def test_addresses_are_found_in_a_message() -> None:
    message = said(about=mail("Jösé@bücher.example", "m"))
    message["click"] = {"link": "https://x.example/?a=b&to=Mary%40example.com"}
    found = addresses_in(json.dumps(message))
    assert {"jösé@xn--bcher-kva.example", "mary@example.com", "sender@example.com"} <= found
    assert addresses_in("not json: jane@example.com, <X@y.z>") >= {JANE, "x@y.z"}
    assert addresses_in("") == set()


def test_a_message_about_several_keeps_what_it_says_of_the_others() -> None:
    message = said()
    message["mail"]["destination"] = [JANE, "mary@example.com"]
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": JANE, "status": "5.1.1"},
        {"emailAddress": "mary@example.com", "diagnosticCode": "forwarded to jane@example.com"},
    ]
    decoded = decode(in_sns(message))
    hidden = hidden_recording(decoded, {JANE: KEYS.hashes(JANE)[0]})
    jane, mary = hidden.events
    assert is_forgotten(jane.address)
    assert mary == msgspec.structs.replace(decoded.events[1], diagnostic="forwarded to [forgotten]")
    assert hidden.message
    assert decoded.message
    assert (hidden.message.payload, hidden.message.mail_id) == (b"[forgotten]", None)
    assert hidden.message.digest == decoded.message.digest
