"""Makes states of events, and merges states.

SQS repeats and reorders messages, several workers write at once, and a dead-letter queue may be
redriven weeks later. The result must not depend on any of this. So states form a join-
semilattice: `learn` makes a state of one event, and `merge`, the join, is commutative,
associative and idempotent. The same events, in any order, any number of times and in any split
over workers, give the same state. No clock takes part.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, TypeVar

import msgspec

from sesbounce.feedback.address import without_display_name
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.provider import provider_in
from sesbounce.feedback.reason import LIMITED_TO_STREAM, Effect
from sesbounce.policy.state import (
    FAILING_DAYS_HELD,
    HARD_HOURS_HELD,
    LATEST_IN_STREAM,
    NEWEST_HELD,
    STREAM_STRIKES_HELD,
    STREAMS_HELD,
    Delivered,
    Evidence,
    Spelling,
    State,
    StreamState,
    hard_bounces,
)

_T = TypeVar("_T", Evidence, Spelling)
_DAY = len("2026-11-20")
_HOUR = len("2026-11-20T12")


def learn(event: Event) -> State:
    """The state of an address of which this event is the only one."""
    if event.stream and event.effect in LIMITED_TO_STREAM:
        return _limited(_learned(event), event.stream)
    return _learned(event)


def _learned(event: Event) -> State:
    """The state that an event gives which counts for all streams."""
    at, evidence, spelling = event.occurred_at, _evidence(event), _spelling(event)
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
            delivered = Delivered(at, evidence.mail_id)
            return State(first_delivery=delivered, deliveries=(delivered,), spelling=spelling)
        case Effect.MANUAL:
            return State(manual=evidence, spelling=spelling)
        case Effect.SENDER | Effect.NONE:
            return State()


def _spelling(event: Event) -> Spelling | None:
    """The spelling of the address, if it differs from its key."""
    if event.original == event.address:
        return None
    bare = _without_nul(without_display_name(event.original))
    differs = bare != event.address and (event.parsed or bare.lower() == event.address)
    return Spelling(event.occurred_at, bare) if differs else None


def _evidence(event: Event) -> Evidence:
    return Evidence(
        at=event.occurred_at,
        reason=event.reason,
        mail_id=_without_nul(event.mail_id or event.dedupe_key),
        status=_without_nul(event.status or ""),
        kind=event.kind,
        note=_without_nul(event.diagnostic or "") if event.kind is Kind.MANUAL else "",
        provider=provider_in(event.diagnostic) if event.effect is Effect.HARD else "",
    )


def _limited(state: State, stream: str) -> State:
    """Limit the complaint or the opt-out of a state to a stream."""
    limited = StreamState(
        complaint=state.complaint,
        possible_complaint=state.possible_complaint,
        unsubscribed=state.unsubscribed,
        strikes=state.strikes,
    )
    return State(spelling=state.spelling, streams={stream: limited})


def _without_nul(text: str) -> str:
    """The text as the event log stores it, so that a replay of the log gives the same state."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def merge(a: State, b: State) -> State:
    """Join two states of one address: the state that the events of both give together."""
    if a == _NOTHING:  # as of most addresses, before their first event
        return b
    hard = _merged_hard(a, b)
    merged = State(
        hard=hard[0] if hard else None,
        earlier_hard=tuple(hard[1:]),
        complaint=_latest(a.complaint, b.complaint),
        possible_complaint=_latest(a.possible_complaint, b.possible_complaint),
        not_attempted=_latest(a.not_attempted, b.not_attempted),
        unsubscribed=_latest(a.unsubscribed, b.unsubscribed),
        first_delivery=_earliest(a.first_delivery, b.first_delivery),
        deliveries=_newest_by_mail(a.deliveries + b.deliveries),
        strikes=_merged_strikes(a.strikes, b.strikes),
        manual=_latest(a.manual, b.manual),
        spelling=_latest(a.spelling, b.spelling),
    )
    return _with_streams(merged, a, b) if a.streams or b.streams else merged


_NOTHING = State()


def _latest(a: _T | None, b: _T | None) -> _T | None:
    return max(a, b) if a and b else a or b


def _earliest(a: Delivered | None, b: Delivered | None) -> Delivered | None:
    return min(a, b) if a and b else a or b


# The cuts keep the merge associative: what is cut from a part is older than what stays of the
# part, and is so cut from the whole as well.


def _newest_by_mail(deliveries: tuple[Delivered, ...]) -> tuple[Delivered, ...]:
    """The newest deliveries, at most one a mail and at most `NEWEST_HELD` in all, newest first."""
    if len(deliveries) <= 1:
        return deliveries
    by_mail: dict[str, Delivered] = {}
    for one in deliveries:
        by_mail[one.mail_id] = max(one, by_mail.get(one.mail_id, one))
    return tuple(sorted(by_mail.values(), reverse=True)[:NEWEST_HELD])


def _merged_strikes(a: tuple[Evidence, ...], b: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return _newest_and_by_day((*a, *b)) if a and b else a or b


def _newest_and_by_day(strikes: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The newest strikes, and the newest one of each of the newest days, newest first."""
    newest_first = sorted({*strikes}, reverse=True)
    if len(newest_first) <= NEWEST_HELD:
        return tuple(newest_first)
    days = _newest_of_each(newest_first, _DAY)[:FAILING_DAYS_HELD]
    return tuple(sorted({*newest_first[:NEWEST_HELD], *days}, reverse=True))


def _merged_hard(a: State, b: State) -> Sequence[Evidence]:
    """The newest hard bounce of each hour that either state holds, newest first."""
    mine, others = hard_bounces(a), hard_bounces(b)
    if not (mine and others):
        return mine or others
    return _newest_of_each(sorted({*mine, *others}, reverse=True), _HOUR)[:HARD_HOURS_HELD]


def _newest_of_each(newest_first: Iterable[Evidence], precision: int) -> list[Evidence]:
    """The newest evidence of each day or hour (UTC), newest first.

    Args:
        newest_first: the evidence.
        precision: how many characters of the ISO 8601 time are the same within one.
    """
    held: dict[str, Evidence] = {}
    for evidence in newest_first:
        held.setdefault(evidence.at.astimezone(UTC).isoformat()[:precision], evidence)
    return list(held.values())


def _with_streams(merged: State, a: State, b: State) -> State:
    """Add the streams of two states to what they hold for all streams.

    Of each kind of evidence, the streams' latest are sorted. From the 33rd on they count for all
    streams, and so does each that is not later than what counts for all: a decision that lifts the
    latter lifts it, too. A cut keeps the merge associative, as above: evidence that is cut from a
    part has so many later ones in the whole as well.
    """
    for_all: dict[str, Evidence | None] = {}
    streams: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in LATEST_IN_STREAM:
        for_all[name], latest = _latest_by_stream(name, merged, (a, b))
        for stream, evidence in latest.items():
            streams[stream][name] = evidence
    held, rest = _newest_strikes(a, b)
    for evidence, stream in held:
        streams[stream]["strikes"] = (*streams[stream].get("strikes", ()), evidence)
    return msgspec.structs.replace(
        merged,
        **for_all,
        strikes=_newest_and_by_day((*merged.strikes, *rest)),
        streams={stream: StreamState(**streams[stream]) for stream in sorted(streams)},
    )


def _latest_by_stream(
    name: str, merged: State, states: Iterable[State]
) -> tuple[Evidence | None, Mapping[str, Evidence]]:
    """The latest evidence of a kind that counts for all streams, and the later one of each stream.

    Args:
        name: the attribute that holds the kind of evidence, of a state and of a stream.
        merged: the states together, without streams.
        states: the states.
    """
    latest: dict[str, Evidence] = {}
    for state in states:
        for stream, known in state.streams.items():
            if evidence := getattr(known, name):
                latest[stream] = max(evidence, latest.get(stream, evidence))
    newest_first = sorted(latest.values(), reverse=True)
    for_all: Evidence | None = getattr(merged, name)
    if newest_first[STREAMS_HELD:]:
        for_all = _latest(for_all, newest_first[STREAMS_HELD])
    return for_all, {s: e for s, e in latest.items() if for_all is None or e > for_all}


def _newest_strikes(
    a: State, b: State
) -> tuple[Sequence[tuple[Evidence, str]], tuple[Evidence, ...]]:
    """The newest strikes of all streams with the stream, newest first; and the other strikes."""
    strikes = {
        (evidence, stream)
        for state in (a, b)
        for stream, known in state.streams.items()
        for evidence in known.strikes
    }
    newest_first = sorted(strikes, reverse=True)
    held, rest = newest_first[:STREAM_STRIKES_HELD], newest_first[STREAM_STRIKES_HELD:]
    return held, tuple(evidence for evidence, _ in rest)


def in_stream(state: State, stream: str) -> State:
    """The state of all that counts for one stream: what counts for all, and the stream's own."""
    known = state.streams[stream]
    own = State(**{name: getattr(known, name) for name in LATEST_IN_STREAM}, strikes=known.strikes)
    return merge(msgspec.structs.replace(state, streams={}), own)


def map_evidence(state: State, change: Callable[[Evidence], Evidence]) -> State:
    """Replace each piece of evidence in a state, and sort them again."""
    changed = {
        name: change(value)
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
    }
    several = {name: tuple(map(change, getattr(state, name))) for name in _SEVERAL}
    streams = {name: _changed(known, change) for name, known in state.streams.items()}
    replaced = msgspec.structs.replace(state, **changed, **several, streams=streams)
    return merge(replaced, replaced)


def _changed(known: StreamState, change: Callable[[Evidence], Evidence]) -> StreamState:
    changed = {n: change(one) for n in LATEST_IN_STREAM if (one := getattr(known, n))}
    return msgspec.structs.replace(known, **changed, strikes=tuple(map(change, known.strikes)))


# The attributes of a state that hold several pieces of evidence.
_SEVERAL = ("earlier_hard", "strikes")
