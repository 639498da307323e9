"""Judges facts of the log again: what a newer version reads out of the same words of a host.

Only what SES told is judged again, and only from what was kept. Decisions of people, lists that
were imported and facts about forgotten addresses stay as they are.
"""

import msgspec

from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.extract import Feedback
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay, Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import Evidence, State
from sesbounce.privacy.keyed_hash import is_forgotten

JUDGED = (Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY_DELAY)
# Stands for the name of a host that is not kept.
_SOME_HOST = "some host"


def judged_again(fact: Feedback, told: Bounce | None = None) -> Feedback:
    """The fact with the reason, effect and basis that it would get today.

    Args:
        fact: a fact that SES told.
        told: the bounce as SES published it, where that is still there. The log does not keep
            which host reported it, by which an automatic reply is told from a delivery status;
            where nobody knows, what was found then stands.
    """
    if fact.kind not in JUDGED or is_forgotten(fact.address):
        return fact
    found = _classified(fact, told)
    effect = Effect.NONE if fact.kind is Kind.DELIVERY_DELAY else found.reason.effect
    again = (found.reason, effect, found.basis)
    if again == (fact.reason, fact.effect, fact.basis):
        return fact
    return msgspec.structs.replace(fact, reason=found.reason, effect=effect, basis=found.basis)


def _classified(fact: Feedback, told: Bounce | None) -> Classified:
    recipient = BouncedRecipient(
        email_address=fact.original,
        action=fact.action,
        status=fact.status,
        diagnostic_code=fact.diagnostic,
    )
    if fact.kind is Kind.DELIVERY_DELAY:
        return classify_delay(DeliveryDelay([], delay_type=fact.type), recipient)
    if fact.kind is Kind.COMPLAINT:
        complaint = Complaint(
            [], complaint_feedback_type=fact.type, complaint_sub_type=fact.sub_type
        )
        return classify_complaint(complaint)
    then = None if fact.reason is Reason.AUTO_REPLY else _SOME_HOST
    bounce = Bounce(
        [],
        bounce_type=fact.type,
        bounce_sub_type=fact.sub_type,
        reporting_mta=told.reporting_mta if told else then,
    )
    return classify_bounce(bounce, recipient)


def taken_back(state: State, learned: State) -> State:
    """A state without what a fact had taught it, before the fact was judged again.

    States only ever grow, so that a wrong hard bounce would stay for good. Evidence is the
    fact's where its time, mail and reason are: what else the state holds is not touched.
    """
    left = {
        name: None
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
        and _same(value, getattr(learned, name))
    }
    strikes = tuple(s for s in state.strikes if not any(_same(s, old) for old in learned.strikes))
    return msgspec.structs.replace(state, strikes=strikes, **left)


def _same(evidence: Evidence, other: Evidence | None) -> bool:
    what = (evidence.at, evidence.mail_id, evidence.reason)
    return other is not None and what == (other.at, other.mail_id, other.reason)
