"""Reclassifies events of the log: a newer version may understand the same reply of a host better.

It reclassifies only events that SES published, from the columns of the log. Decisions of people,
imported events and events about forgotten addresses stay as they are.
"""

from typing import Any

import msgspec

from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.merge import merge
from sesbounce.policy.state import LATEST_IN_STREAM, Evidence, State, StreamState, hard_bounces
from sesbounce.privacy.keyed_hash import is_forgotten

RECLASSIFIED_KINDS = (Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY_DELAY)
# Stands for the name of a host, which the log does not keep.
_SOME_HOST = "some host"


def reclassified(event: Event, bounce: Bounce | None = None) -> Event:
    """The event with the reason, effect and basis that this version gives it.

    Args:
        event: an event that SES published.
        bounce: the bounce as SES published it, if its message is still in the database. Only it
            names the reporting host, which a delivery status has and an automatic reply has not.
            Without it, an event stays an automatic reply if it was classified as one.
    """
    if event.kind not in RECLASSIFIED_KINDS or is_forgotten(event.address):
        return event
    found = _classified(event, bounce)
    effect = Effect.NONE if event.kind is Kind.DELIVERY_DELAY else found.reason.effect
    if (found.reason, effect, found.basis) == (event.reason, event.effect, event.basis):
        return event
    return msgspec.structs.replace(event, reason=found.reason, effect=effect, basis=found.basis)


def _classified(event: Event, published: Bounce | None) -> Classified:
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
    assumed_host = None if event.reason is Reason.AUTO_REPLY else _SOME_HOST
    bounce = Bounce(
        [],
        bounce_type=event.type,
        bounce_sub_type=event.sub_type,
        reporting_mta=published.reporting_mta if published else assumed_host,
    )
    return classify_bounce(bounce, recipient)


def unlearned(state: State, learned: State) -> State:
    """Remove from a state what it has learned from an event that was classified wrongly.

    Merging only ever adds evidence, so a wrong hard bounce would stay for good. Evidence with the
    same mail and reason, and no later time, is the event's own; all other evidence stays.

    Args:
        state: the state of the address.
        learned: what a state learns from the event as it was classified.
    """
    removed: dict[str, Any] = {
        name: None
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
        and _same(value, getattr(learned, name))
    }
    strikes = tuple(s for s in state.strikes if not any(_same(s, old) for old in learned.strikes))
    hard = tuple(e for e in hard_bounces(state) if not _same(e, learned.hard))
    removed |= {"hard": hard[0] if hard else None, "earlier_hard": hard[1:]}
    streams = {
        name: _unlearned_in_stream(known, learned.streams.get(name))
        for name, known in state.streams.items()
    }
    without = msgspec.structs.replace(state, strikes=strikes, streams=streams, **removed)
    return merge(without, without)  # without streams that hold nothing any more


def _unlearned_in_stream(known: StreamState, learned: StreamState | None) -> StreamState:
    if learned is None:
        return known
    removed = {
        name: None
        for name in LATEST_IN_STREAM
        if (own := getattr(known, name)) and _same(own, getattr(learned, name))
    }
    strikes = tuple(s for s in known.strikes if not any(_same(s, old) for old in learned.strikes))
    return msgspec.structs.replace(known, strikes=strikes, **removed)


def _same(evidence: Evidence, other: Evidence | None) -> bool:
    """Whether the evidence is that of an event, or of its arrival with an earlier time.

    The log keeps only the latest time of an event, and a state may hold several.
    """
    if other is None or evidence.at > other.at:
        return False
    return (evidence.mail_id, evidence.reason) == (other.mail_id, other.reason)
