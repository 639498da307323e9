"""Classifies each recipient of a bounce, delay or complaint under one `Reason`.

SES gives several pieces of evidence, and they may contradict each other. The one that is closest
to the truth decides (`sesbounce.feedback.claims.claim.Level`): what SES did itself, then the words
of the receiving host, exact codes, and SES's type at last. Two rules go beyond the table of claims:

1. A Transient/General bounce without any field of a delivery status is an automatic reply.
2. A recipient whose status is of class 4, or whose action reports no failure (RFC 3464), never has
   a hard bounce, whatever the evidence. Where SES's type is not Permanent, neither has one with
   evidence that may pass, as a mailbox that is switched off may be switched on.
"""

from functools import lru_cache
from typing import NamedTuple

from sesbounce.feedback.claims.claim import ANY_HOST, Claim, Level
from sesbounce.feedback.findings import Facts, Finding, find, parse_status
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.reply import read_reply

_COMPLAINTS = {
    "abuse": Reason.COMPLAINT_ABUSE,
    "fraud": Reason.COMPLAINT_FRAUD,
    "virus": Reason.COMPLAINT_VIRUS,
    "not-spam": Reason.COMPLAINT_NOT_SPAM,
    "auth-failure": Reason.COMPLAINT_AUTH_FAILURE,
}

# RFC 3464, 2.3.3: actions that report no failure.
_NO_FAILURE = frozenset({"delayed", "delivered", "relayed", "expanded"})
# How SES labels a recipient is no contradiction where the effect is the same.
_OF_SES = frozenset({Level.SUB_TYPE, Level.TYPE})
_MOST_OVERRULED = 3
_LONGEST_FIELD = 80
_WORDS_OF_HOSTS = frozenset({Level.WORDS, Level.VAGUE_WORDS})


class Classified(NamedTuple):
    """A reason, and the evidence for it as text."""

    reason: Reason
    basis: str


class Decision(NamedTuple):
    """A reason, and how it was found.

    Attributes:
        reason: the reason.
        text: the evidence that decided.
        believed: the claim that decided; None where a rule beyond the table decided.
        overruled: the claims that say otherwise.
    """

    reason: Reason
    text: str
    believed: Finding | None
    overruled: list[Finding]


def classify_bounce(bounce: Bounce, recipient: BouncedRecipient) -> Classified:
    """Classify one recipient of a bounce."""
    if _is_auto_reply(bounce, recipient):
        return Classified(Reason.AUTO_REPLY, "an answer, no delivery status")
    return _classify(
        Facts(
            _bounded(bounce.bounce_type),
            _bounded(bounce.bounce_sub_type),
            _bounded(recipient.status),
            _bounded(recipient.action),
            read_reply(recipient.diagnostic_code),
        )
    )


def classify_delay(delay: DeliveryDelay, recipient: BouncedRecipient) -> Classified:
    """Classify one recipient of a delayed mail, which SES still tries to deliver."""
    reply = read_reply(recipient.diagnostic_code)
    delay_type = _bounded(delay.delay_type or "")
    return _classify(Facts(None, None, _bounded(recipient.status), None, reply, delay_type))


def classify_complaint(complaint: Complaint) -> Classified:
    """Classify a complaint by its feedback type (RFC 5965, section 7.3), which may be absent."""
    return _classify_complaint(
        _bounded(complaint.complaint_sub_type), _bounded(complaint.complaint_feedback_type)
    )


@lru_cache(maxsize=256)
def _classify_complaint(sub_type: str | None, feedback_type: str | None) -> Classified:
    first = next(find(Facts(None, sub_type, None, None, read_reply(None))))
    if first.claim.level is Level.ACTION:
        return Classified(first.claim.reason, first.text)
    reason = _COMPLAINTS.get((feedback_type or "").lower(), Reason.COMPLAINT_OTHER)
    return Classified(reason, f"feedback type {feedback_type or 'not given'}")


def decide(facts: Facts, findings: list[Finding]) -> Decision:
    """Decide which of the claims that apply to a recipient is believed.

    Args:
        facts: what SES reports about the recipient.
        findings: the claims, the closest to the truth first; at least one.
    """
    first, *others = findings
    reason = first.claim.reason
    if reason.effect is Effect.HARD and (objection := _objection(facts, first)):
        reason = Reason.TEMPORARY_FAILURE
        return Decision(reason, objection, None, _overruled(findings, reason, objection))
    text = first.text
    if first.claim.level in _WORDS_OF_HOSTS and first.claim.host != ANY_HOST:
        text = f"{text} ({first.claim.host})"
    return Decision(reason, text, first, _overruled(others, reason, text))


def _bounded(text: str | None) -> str | None:
    """A field of SES, which is a word or two, so that the cache stays small."""
    return text[:_LONGEST_FIELD] if text else text


def _is_auto_reply(bounce: Bounce, recipient: BouncedRecipient) -> bool:
    """Whether the bounce is an automatic reply: it has no field of a DSN (RFC 3464)."""
    dsn = (bounce.reporting_mta, recipient.status, recipient.action, recipient.diagnostic_code)
    kind = (bounce.bounce_type, bounce.bounce_sub_type)
    return kind == ("Transient", "General") and not any(dsn)


@lru_cache(maxsize=4096)  # without addresses, the replies of hosts are few
def _classify(facts: Facts) -> Classified:
    decision = decide(facts, list(find(facts, words=1)))
    overruled = dict.fromkeys(f"{f.text} ({f.claim.reason})" for f in decision.overruled)
    if not overruled:
        return Classified(decision.reason, decision.text)
    texts = ", ".join(list(overruled)[:_MOST_OVERRULED])
    return Classified(decision.reason, f"{decision.text}; overruled: {texts}")


def _objection(facts: Facts, finding: Finding) -> str | None:
    """What speaks against a hard bounce; None if nothing does."""
    if (facts.action or "").lower() in _NO_FAILURE:
        return f"action {facts.action}"
    for status in map(parse_status, (facts.status, *facts.reply.statuses[:1])):
        if status and status.is_temporary:
            return f"status {status}"
    if facts.reply.code.startswith("4"):
        return f"reply {facts.reply.code}"
    if facts.delay is not None:
        return f"type {facts.delay}"
    if facts.type != "Permanent" and not finding.claim.clear:
        return f"type {facts.type}/{facts.sub_type}"
    return None


def _overruled(findings: list[Finding], reason: Reason, text: str) -> list[Finding]:
    """The claims that contradict a reason; `text` is the evidence that decided."""
    return [f for f in findings if f.text != text and _contradicts(f.claim, reason)]


def _contradicts(claim: Claim, reason: Reason) -> bool:
    if claim.level in _OF_SES:
        return claim.reason.effect is not reason.effect
    return claim.reason is not reason
