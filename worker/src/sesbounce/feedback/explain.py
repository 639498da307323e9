"""Explains how the reason of an event was found: every claim that applies, and which decided."""

import msgspec

from sesbounce.feedback.classify import decide
from sesbounce.feedback.extract import Event
from sesbounce.feedback.findings import Facts, Finding, find
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.reply import read_reply


class Claimed(msgspec.Struct, frozen=True):
    """One claim that applies to a recipient.

    Attributes:
        level: the kind of evidence: `an exact enhanced status code`.
        text: what the claim rests on: `status 5.1.1`.
        reason: the reason that it stands for.
        decided: whether this claim is believed.
        match: the row of the table that matches.
        host: the provider or the software that writes it, or the language.
        source: the URL that documents it.
    """

    level: str
    text: str
    reason: Reason
    decided: bool
    match: str
    host: str
    source: str


class Explanation(msgspec.Struct, frozen=True):
    """Why an event has its reason.

    Attributes:
        address: the recipient.
        reason: the reason.
        effect: the effect on the state of the address.
        basis: the evidence that the reason rests on.
        claims: the claims about a bounce or delay, the closest to the truth first.
    """

    address: str
    reason: Reason
    effect: Effect
    basis: str
    claims: list[Claimed]


def explain(event: Event) -> Explanation:
    """Explain the reason of an event. Only bounces and delays rest on the table of claims."""
    claims: list[Claimed] = []
    if event.kind in {Kind.BOUNCE, Kind.DELIVERY_DELAY}:
        facts = _facts_of(event)
        findings = list(find(facts))
        believed = decide(facts, findings).believed
        auto_reply = event.reason is Reason.AUTO_REPLY
        claims = [_claimed(f, decided=f is believed and not auto_reply) for f in findings]
    return Explanation(event.address, event.reason, event.effect, event.basis, claims)


def _facts_of(event: Event) -> Facts:
    reply = read_reply(event.diagnostic)
    if event.kind is Kind.DELIVERY_DELAY:
        return Facts(None, None, event.status, None, reply, event.type or "")
    return Facts(event.type, event.sub_type, event.status, event.action, reply)


def _claimed(finding: Finding, *, decided: bool) -> Claimed:
    claim = finding.claim
    return Claimed(
        level=claim.level.value,
        text=finding.text,
        reason=claim.reason,
        decided=decided,
        match=claim.match,
        host=claim.host,
        source=claim.source,
    )
