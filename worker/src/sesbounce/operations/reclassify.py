"""Judges events of the log again: what a newer version reads out of the same words of a host.

Only what SES told is judged again, and only from what was kept. Decisions of people, lists that
were imported and events about forgotten addresses stay as they are.
"""

import msgspec

from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay, Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import Evidence, State
from sesbounce.privacy.keyed_hash import is_forgotten

JUDGED = (Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY_DELAY)
# Stands for the name of a host that is not kept.
_SOME_HOST = "some host"


def judged_again(event: Event, told: Bounce | None = None) -> Event:
    """The event with the reason, effect and basis that it would get today.

    Args:
        event: a event that SES told.
        told: the bounce as SES published it, where that is still there. The log does not keep
            which host reported it, by which an automatic reply is told from a delivery status;
            where nobody knows, what was found then stands.
    """
    if event.kind not in JUDGED or is_forgotten(event.address):
        return event
    found = _classified(event, told)
    effect = Effect.NONE if event.kind is Kind.DELIVERY_DELAY else found.reason.effect
    again = (found.reason, effect, found.basis)
    if again == (event.reason, event.effect, event.basis):
        return event
    return msgspec.structs.replace(event, reason=found.reason, effect=effect, basis=found.basis)


def _classified(event: Event, told: Bounce | None) -> Classified:
    recipient = BouncedRecipient(
        email_address=event.original,
        action=event.action,
        status=event.status,
        diagnostic_code=event.diagnostic,
    )
    if event.kind is Kind.DELIVERY_DELAY:
        return classify_delay(DeliveryDelay([], delay_type=event.type), recipient)
    if event.kind is Kind.COMPLAINT:
        complaint = Complaint(
            [], complaint_feedback_type=event.type, complaint_sub_type=event.sub_type
        )
        return classify_complaint(complaint)
    then = None if event.reason is Reason.AUTO_REPLY else _SOME_HOST
    bounce = Bounce(
        [],
        bounce_type=event.type,
        bounce_sub_type=event.sub_type,
        reporting_mta=told.reporting_mta if told else then,
    )
    return classify_bounce(bounce, recipient)


def taken_back(state: State, learned: State) -> State:
    """A state without what a event had taught it, before the event was judged again.

    States only ever grow, so that a wrong hard bounce would stay for good. Evidence is the
    event's where its time, mail and reason are: what else the state holds is not touched.
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
