import json

import pytest

from sesbounce.feedback.address import parse
from sesbounce.feedback.attribution import Attribution
from sesbounce.feedback.decode import decode
from sesbounce.privacy.mentions import Mentions, addresses_in
from tests.support import AT, mail, said

JANE = "jane@example.com"
MENTIONS = [
    "jane@example.com",
    "Jane Doe <JANE@Example.COM>, mary@example.com",
    "550 5.1.1 <jane@example.com>: user unknown",
    "write to jane@example.com.",
    '"jane"@example.com',
    "https://example.com/?to=jane%40example.com&x=1",
    "bounces+jane=example.com@lists.example",
    "mailto:jane@example.com",
    "\ufeffja\u200bne@exam\u00adple.com\u202c",
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
    "x\u200bjane@example.com \u200b",
]


@pytest.mark.parametrize("text", MENTIONS)
def test_mentions_are_found_in_any_spelling(text: str) -> None:
    mentions = Mentions([JANE])
    assert mentions.within(text)
    assert not mentions.within(mentions.cut(text))
    assert "jane" not in mentions.cut(text).replace("Jane Doe", "").lower()
    assert mentions.within_payload(json.dumps({"a": [{"b": text}]}))
    assert mentions.within_payload(json.dumps({text: 1}))
    assert mentions.tokens == ["jane"]


@pytest.mark.parametrize("text", OTHERS)
def test_other_addresses_are_not_mentions(text: str) -> None:
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
def test_unusual_addresses_are_found(address: str, text: str) -> None:
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


def test_mentions_are_cut_out_of_the_attribution_of_others() -> None:
    message = said(schema="event", about=mail("mary@example.com"))
    message["mail"]["sourceArn"] = f"arn:aws:ses:us-east-1:1:identity/{JANE}"
    message["mail"]["tags"] = {"asked-by": ['"jane"@example.com, \\'], "kind": ["jane"]}
    (event,) = decode(json.dumps(message), AT, tags=("asked-by", "kind")).events
    assert Mentions([JANE]).cut_event(event).attribution == Attribution(
        identity="[forgotten]",
        region="us-east-1",
        tags='{"asked-by":"[forgotten], \\\\","kind":"jane"}',
        account_id="000000000000",
    )
    assert Mentions(["joe@example.com"]).cut_event(event) is event


def test_no_address_makes_tags_unreadable() -> None:
    event = Mentions(['":"']).cut_field("tags", '{"kind":"x"}')
    assert json.loads(event) == {"kind": "x"}
