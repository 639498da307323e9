"""The laws of the merge: no order, no repetition and no split changes the state."""

from datetime import UTC, datetime
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.merge import merge
from sesbounce.policy.state import (
    NEWEST_HELD,
    STREAM_STRIKES_HELD,
    STREAMS_HELD,
    Delivered,
    Evidence,
    Spelling,
    State,
    StreamState,
)
from sesbounce.policy.verdict import Policy, judge, judge_streams

# Few moments and few mails, so that ties and repetitions are common.
MAILS = 60
moments = st.integers(0, 100 * 4).map(lambda n: datetime.fromtimestamp(n * 86_400 / 4, UTC))
# More hours than a state holds.
hours = st.integers(0, 120).map(lambda n: datetime.fromtimestamp(n * 1_800, UTC))


def evidence(
    effect: Effect, at: st.SearchStrategy[datetime] = moments
) -> st.SearchStrategy[Evidence]:
    return st.builds(
        Evidence,
        at=at,
        reason=st.sampled_from([r for r in Reason if r.effect is effect]),
        mail_id=st.sampled_from([f"mail-{i}" for i in range(MAILS)]),
        status=st.sampled_from(["", "4.2.2"]),
        kind=st.sampled_from([Kind.BOUNCE, Kind.COMPLAINT]),
    )


def merged(events: list[State]) -> State:
    state = State()
    for event in events:
        state = merge(state, event)
    return state


def in_streams(kind: str, effect: Effect) -> st.SearchStrategy[State]:
    """Evidence of one kind in one stream, in some, or in more than a state holds."""
    numbers = st.sampled_from([1, 3, STREAMS_HELD + 10, STREAM_STRIKES_HELD + 20])
    reasons = [reason for reason in Reason if reason.effect is effect]

    def some(number: int, seed: int) -> State:
        random = Random(seed)
        states = []
        for _ in range(number):
            at = datetime.fromtimestamp(random.randrange(400) * 86_400 / 4, UTC)
            mail_id = f"mail-{random.randrange(MAILS)}"
            one = Evidence(at, random.choice(reasons), mail_id, kind=Kind.COMPLAINT)
            strikes = (one,) if kind == "possible_complaint" else ()
            name = f"stream-{random.randrange(STREAMS_HELD * 3)}"
            states.append(State(streams={name: StreamState(**{kind: one}, strikes=strikes)}))
        return merged(states)

    return st.builds(some, numbers, st.integers(0, 2**32))


events = st.one_of(
    in_streams("complaint", Effect.COMPLAINT),
    in_streams("possible_complaint", Effect.COMPLAINT),
    in_streams("unsubscribed", Effect.CONSENT),
    *[evidence(Effect.HARD, hours).map(lambda e: State(hard=e))] * 2,
    evidence(Effect.COMPLAINT).map(lambda e: State(complaint=e)),
    evidence(Effect.COMPLAINT).map(lambda e: State(possible_complaint=e, strikes=(e,))),
    evidence(Effect.NOT_ATTEMPTED).map(lambda e: State(not_attempted=e)),
    evidence(Effect.CONSENT).map(lambda e: State(unsubscribed=e)),
    # strikes could break the laws most easily: most events are strikes
    *[evidence(Effect.SOFT).map(lambda e: State(strikes=(e,)))] * 8,
    st.builds(Delivered, moments, st.sampled_from([f"mail-{i}" for i in range(40)])).map(
        lambda delivered: State(first_delivery=delivered, deliveries=(delivered,))
    ),
    evidence(Effect.MANUAL).map(lambda e: State(manual=e)),
    st.builds(Spelling, moments, st.sampled_from(["Jane@x", "JANE@x"])).map(
        lambda written: State(spelling=written)
    ),
)


states = st.lists(events, max_size=NEWEST_HELD * 8).map(merged)


@given(states, states)
def test_merge_is_commutative(a: State, b: State) -> None:
    assert merge(a, b) == merge(b, a)


@given(states, states, states)
def test_merge_is_associative(a: State, b: State, c: State) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(states)
def test_merge_is_idempotent(a: State) -> None:
    assert merge(a, a) == a
    assert merge(a, State()) == a


@given(st.lists(events, max_size=60), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_repetition_and_split_gives_the_same_state(
    learned: list[State], random: Random, workers: int
) -> None:
    shuffled = learned + random.sample(learned, len(learned) // 2)
    random.shuffle(shuffled)
    parts = [merged(shuffled[i::workers]) for i in range(workers)]
    assert merged(parts) == merged(learned)


@given(states)
def test_a_verdict_has_all_its_fields_or_none(state: State) -> None:
    verdict = judge(state, Policy())
    assert (verdict.since is None) == (verdict.reason is None) == (verdict.kind is None)
    if verdict.until:
        assert verdict.since
        assert verdict.until > verdict.since


LATEST = Evidence(datetime(2026, 11, 20, tzinfo=UTC), Reason.NO_SUCH_MAILBOX)


@given(
    states,
    st.sampled_from([State(hard=LATEST), State(complaint=LATEST), State(unsubscribed=LATEST)]),
)
def test_the_latest_hard_bounce_complaint_or_opt_out_suppresses_whatever_came_before(
    state: State, latest: State
) -> None:
    verdict = judge(merge(state, latest), Policy())
    assert verdict.suppressed_at(datetime(2100, 1, 1, tzinfo=UTC))


@given(states)
def test_what_streams_hold_is_bounded_and_later_than_what_counts_for_all(state: State) -> None:
    for kind in ("complaint", "possible_complaint", "unsubscribed"):
        held = [e for known in state.streams.values() if (e := getattr(known, kind))]
        assert len(held) <= STREAMS_HELD
        for_all = getattr(state, kind)
        assert for_all is None or all(evidence > for_all for evidence in held)
    assert sum(len(known.strikes) for known in state.streams.values()) <= STREAM_STRIKES_HELD
    assert StreamState() not in state.streams.values()


@given(states)
def test_the_latest_complaint_or_opt_out_of_a_stream_suppresses_in_this_stream(
    state: State,
) -> None:
    decided_at = state.manual.at if state.manual else datetime.fromtimestamp(0, UTC)
    verdicts = judge_streams(state, Policy())
    for stream, known in state.streams.items():
        latest = [e.at for e in (known.complaint, known.unsubscribed) if e]
        if max(latest, default=decided_at) > decided_at:
            assert verdicts.get(stream, judge(state, Policy())).for_good


@given(states)
def test_streams_change_no_verdict_for_all_streams(state: State) -> None:
    without = msgspec.structs.replace(state, streams={})
    assert judge(state, Policy()) == judge(without, Policy())
    assert judge_streams(without, Policy()) == {}
