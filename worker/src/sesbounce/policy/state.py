"""The state of one address: what all its events say together, in a small mergeable record.

SQS repeats and reorders messages, several workers write at once, and a dead-letter queue may be
redriven weeks later. The result must not depend on any of this. So states form a join-
semilattice: `learn` makes a state of one event, and `merge`, the join, is commutative,
associative and idempotent. The same events, in any order, any number of times and in any split
over workers, give the same state. No clock takes part.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from sesbounce.feedback.address import without_display_name
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason

# How many strikes a state holds: enough that strikes in flight when a probation begins do not
# push out the strikes that led to it. Constants, not settings: two workers with different limits
# would not merge to the same state.
STRIKES_HELD = 64
DELIVERIES_HELD = 16

_T = TypeVar("_T", "Evidence", "Spelling")
_OfMail = TypeVar("_OfMail", "Evidence", "Delivered")


class Evidence(msgspec.Struct, frozen=True, gc=False, order=True, omit_defaults=True):
    """One event as a state keeps it. The order, by time and then by all other fields, is total.

    Attributes:
        at: when the event happened, UTC.
        reason: the reason that the event was classified under.
        mail_id: the SES message id; the event's dedupe key where it has none.
        status: the enhanced status code (RFC 3463); empty where there is none.
        kind: the kind of the event.
        note: the note that a person wrote with a manual decision.
    """

    at: datetime
    reason: Reason
    mail_id: str = ""
    status: str = ""
    kind: Kind = Kind.BOUNCE
    note: str = ""

    def describe(self) -> str:
        """`mailbox full (4.2.2), 2026-11-20`; a manual decision shows its note for the status."""
        detail = self.status or self.note
        return f"{self.reason.label}{f' ({detail})' if detail else ''}, {self.at:%Y-%m-%d}"


class Delivered(msgspec.Struct, frozen=True, gc=False, order=True):
    """One delivery: its time and the SES message id of the mail."""

    at: datetime
    mail_id: str = ""


class Spelling(msgspec.Struct, frozen=True, gc=False, order=True):
    """A spelling of the address that differs from its key, and when SES used it."""

    at: datetime
    text: str


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that is known of one address.

    Attributes:
        hard: the latest hard bounce.
        complaint: the latest complaint that names this address alone.
        possible_complaint: the latest complaint that names other recipients too.
        not_attempted: the latest mail that SES did not try to deliver.
        unsubscribed: the latest opt-out.
        deliveries: the newest deliveries, newest first, one a mail, at most `DELIVERIES_HELD`.
        strikes: the newest soft bounces and possible complaints, newest first, one a mail, at
            most `STRIKES_HELD`.
        manual: the latest manual decision.
        spelling: the latest spelling of the address that differs from its key.
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
    """The state of an address of which this event is the only one."""
    at = event.occurred_at
    evidence = Evidence(
        at=at,
        reason=event.reason,
        mail_id=_without_nul(event.mail_id or event.dedupe_key),
        status=_without_nul(event.status or ""),
        kind=event.kind,
        note=_without_nul(event.diagnostic or "") if event.kind is Kind.MANUAL else "",
    )
    bare = _without_nul(without_display_name(event.original))
    spelling = Spelling(at, bare) if event.parsed and bare != event.address else None
    match event.effect:
        case Effect.HARD:
            return State(hard=evidence, spelling=spelling)
        case Effect.COMPLAINT if event.shared:
            return State(possible_complaint=evidence, strikes=(evidence,), spelling=spelling)
        case Effect.COMPLAINT:
            return State(complaint=evidence, spelling=spelling)
        case Effect.NOT_ATTEMPTED:
            return State(not_attempted=evidence, spelling=spelling)
        case Effect.CONSENT:
            return State(unsubscribed=evidence, spelling=spelling)
        case Effect.SOFT:
            return State(strikes=(evidence,), spelling=spelling)
        case Effect.DELIVERED:
            return State(deliveries=(Delivered(at, evidence.mail_id),), spelling=spelling)
        case Effect.MANUAL:
            return State(manual=evidence, spelling=spelling)
        case Effect.SENDER | Effect.NONE:
            return State()


def _without_nul(text: str) -> str:
    """The text as the event log stores it, so that a replay of the log gives the same state."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def merge(a: State, b: State) -> State:
    """Join two states of one address: the state that the events of both give together."""
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
    """The newest events, at most one a mail and at most `most` in all, newest first.

    The cut keeps the merge associative: an event that is cut from a part is older than `most`
    others, and they cut it from the whole as well.
    """
    if len(events) <= 1:
        return events
    by_mail: dict[str, _OfMail] = {}
    for event in events:
        by_mail[event.mail_id] = max(event, by_mail.get(event.mail_id, event))
    return tuple(sorted(by_mail.values(), reverse=True)[:most])


def map_evidence(state: State, change: Callable[[Evidence], Evidence]) -> State:
    """Replace each piece of evidence in a state, and sort the strikes again."""
    changed = {
        name: change(value)
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
    }
    strikes = tuple(map(change, state.strikes))
    return merge(State(), msgspec.structs.replace(state, strikes=strikes, **changed))
