"""What is known of one address: a small state whose merge order can't change."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from sesbounce.feedback.address import without_display_name
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason

# How many strikes a state holds: enough that those in flight when a probation begins do not push
# out the ones that it rests on. A constant, not a setting: two workers that disagreed on it
# would not merge to the same state.
STRIKES_HELD = 64


DELIVERIES_HELD = 16


_T = TypeVar("_T", "Evidence", "Spelling")


_OfMail = TypeVar("_OfMail", "Evidence", "Delivered")


class Evidence(msgspec.Struct, frozen=True, gc=False, order=True, omit_defaults=True):
    """One event in a state. The order, by time and then by everything else, is total.

    Attributes:
        at: when it happened, UTC.
        reason: why.
        mail_id: the SES message id, or what else makes the event particular.
        status: the enhanced status code, where there was one.
        kind: what told of it.
        note: what somebody wrote beside a decision of theirs.
    """

    at: datetime
    reason: Reason
    mail_id: str = ""
    status: str = ""
    kind: Kind = Kind.BOUNCE
    note: str = ""

    def in_words(self) -> str:
        """`mailbox full (4.2.2), 2026-11-20`; a note stands where the status would."""
        detail = self.status or self.note
        return f"{self.reason.words}{f' ({detail})' if detail else ''}, {self.at:%Y-%m-%d}"


class Delivered(msgspec.Struct, frozen=True, gc=False, order=True):
    """One delivery: when, and of which mail."""

    at: datetime
    mail_id: str = ""


class Spelling(msgspec.Struct, frozen=True, gc=False, order=True):
    """How SES wrote an address whose key is not that, and when."""

    at: datetime
    text: str


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that is known of one address.

    Attributes:
        hard: the latest hard bounce.
        complaint: the latest complaint that can have come from nobody else.
        possible_complaint: the latest one that names other recipients too.
        not_attempted: the latest time that SES did not try.
        unsubscribed: the latest opt-out.
        deliveries: the newest deliveries, newest first.
        strikes: the newest soft bounces and possible complaints, newest first, one a mail.
        manual: the latest decision of a person.
        spelling: the latest way to write the address that is not the key.
    """

    hard: Evidence | None = None
    complaint: Evidence | None = None
    possible_complaint: Evidence | None = None
    not_attempted: Evidence | None = None
    unsubscribed: Evidence | None = None
    deliveries: tuple[Delivered, ...] = ()
    strikes: tuple[Evidence, ...] = ()
    manual: Evidence | None = None
    spelling: Spelling | None = None


def learn(event: Event) -> State:
    """What one event teaches about its address: the state in which nothing else is known."""
    at = event.occurred_at
    evidence = Evidence(
        at=at,
        reason=event.reason,
        mail_id=_as_kept(event.mail_id or event.dedupe_key),
        status=_as_kept(event.status or ""),
        kind=event.kind,
        note=_as_kept(event.diagnostic or "") if event.kind is Kind.MANUAL else "",
    )
    bare = _as_kept(without_display_name(event.original))
    written = Spelling(at, bare) if event.parsed and bare != event.address else None
    match event.effect:
        case Effect.HARD:
            return State(hard=evidence, spelling=written)
        case Effect.COMPLAINT if event.shared:
            return State(possible_complaint=evidence, strikes=(evidence,), spelling=written)
        case Effect.COMPLAINT:
            return State(complaint=evidence, spelling=written)
        case Effect.NOT_ATTEMPTED:
            return State(not_attempted=evidence, spelling=written)
        case Effect.CONSENT:
            return State(unsubscribed=evidence, spelling=written)
        case Effect.SOFT:
            return State(strikes=(evidence,), spelling=written)
        case Effect.DELIVERED:
            return State(deliveries=(Delivered(at, evidence.mail_id),), spelling=written)
        case Effect.MANUAL:
            return State(manual=evidence, spelling=written)
        case Effect.NONE:
            return State()


def _as_kept(text: str) -> str:
    """As the log of events has it, whose databases differ on NUL: replayed, it says the same."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def merge(a: State, b: State) -> State:
    """What is known from both; the join of the semilattice."""
    return State(
        hard=_latest(a.hard, b.hard),
        complaint=_latest(a.complaint, b.complaint),
        possible_complaint=_latest(a.possible_complaint, b.possible_complaint),
        not_attempted=_latest(a.not_attempted, b.not_attempted),
        unsubscribed=_latest(a.unsubscribed, b.unsubscribed),
        deliveries=_newest_by_mail(a.deliveries + b.deliveries, DELIVERIES_HELD),
        strikes=_newest_by_mail(a.strikes + b.strikes, STRIKES_HELD),
        manual=_latest(a.manual, b.manual),
        spelling=_latest(a.spelling, b.spelling),
    )


def _latest(a: _T | None, b: _T | None) -> _T | None:
    return max(a, b) if a and b else a or b


def _newest_by_mail(events: tuple[_OfMail, ...], most: int) -> tuple[_OfMail, ...]:
    """The newest events, at most one a mail.

    The cut keeps the merge associative: what it drops would be dropped from the whole as well,
    for newer events only ever add to the reasons.
    """
    if len(events) <= 1:
        return events
    by_mail: dict[str, _OfMail] = {}
    for event in events:
        by_mail[event.mail_id] = max(event, by_mail.get(event.mail_id, event))
    return tuple(sorted(by_mail.values(), reverse=True)[:most])


def map_evidence(state: State, change: Callable[[Evidence], Evidence]) -> State:
    """The state with each piece of evidence changed, and all in their order again."""
    changed = {
        name: change(value)
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
    }
    strikes = tuple(map(change, state.strikes))
    return merge(State(), msgspec.structs.replace(state, strikes=strikes, **changed))
