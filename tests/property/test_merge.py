"""The laws of the merge: no order, no repetition and no split changes the state."""

from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import NEWEST_HELD, Delivered, Evidence, Spelling, State, merge
from sesbounce.policy.verdict import Policy, judge

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


events = st.one_of(
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


def merged(events: list[State]) -> State:
    state = State()
    for event in events:
        state = merge(state, event)
    return state


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
