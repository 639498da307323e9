"""What is limited to one stream, and what counts for all."""

from datetime import timedelta

import msgspec

from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.operations.reclassify import unlearned
from sesbounce.policy.merge import in_stream, learn, merge
from sesbounce.policy.state import (
    NEWEST_HELD,
    STREAM_STRIKES_HELD,
    STREAMS_HELD,
    State,
    StreamState,
)
from sesbounce.policy.verdict import Policy, judge, judge_streams
from tests.support import AT

DAY = timedelta(days=1)
POLICY = Policy()


def event(reason: Reason, stream: str | None = "news", day: float = 0, **more: object) -> Event:
    key = f"{reason}-{stream}-{day}"
    one = Event(
        kind=Kind.COMPLAINT,
        reason=reason,
        effect=reason.effect,
        address="jane@example.com",
        original="jane@example.com",
        occurred_at=AT + day * DAY,
        basis="",
        dedupe_key=key,
        stream=stream,
    )
    return msgspec.structs.replace(one, **more)


def state_of(*events: Event) -> State:
    state = State()
    for one in events:
        state = merge(state, learn(one))
    return state


def test_complaints_and_opt_outs_are_limited_to_their_stream() -> None:
    for reason in (Reason.COMPLAINT_ABUSE, Reason.UNSUBSCRIBED):
        state = state_of(event(reason))
        assert not judge(state, POLICY).since
        assert set(judge_streams(state, POLICY)) == {"news"}
        assert judge_streams(state, POLICY)["news"].reason is reason


def test_all_else_counts_for_all_streams() -> None:
    for reason in Reason:
        if reason.effect.is_evidence and reason.effect not in {"complaint", "consent"}:
            limited, unlimited = (learn(event(reason, name)) for name in ("news", None))
            assert not limited.streams
            assert judge(limited, POLICY).suppressed_at(AT) == judge(
                unlimited, POLICY
            ).suppressed_at(AT)


def test_without_a_stream_everything_is_as_it_was() -> None:
    for reason in Reason:
        state = learn(event(reason, None))
        assert state.streams == {}
        assert b"streams" not in msgspec.json.encode(state)
        assert judge_streams(state, POLICY) == {}


def test_a_complaint_for_all_streams_takes_in_earlier_ones() -> None:
    early, late = event(Reason.COMPLAINT_ABUSE), event(Reason.COMPLAINT_ABUSE, "offers", 2)
    for_all = event(Reason.COMPLAINT_ABUSE, None, 1)
    state = state_of(early, late, for_all)
    assert set(state.streams) == {"offers"}
    assert judge_streams(state, POLICY) == {}
    allowed = event(Reason.ALLOWED_BY_HAND, None, 1.5)
    assert set(judge_streams(merge(state, learn(allowed)), POLICY)) == {"offers"}


def test_whoever_complains_in_too_many_streams_complains_in_all() -> None:
    streams = [event(Reason.COMPLAINT_ABUSE, f"s{n}", n) for n in range(STREAMS_HELD + 2)]
    state = state_of(*streams[:STREAMS_HELD])
    assert not judge(state, POLICY).since
    assert len(judge_streams(state, POLICY)) == STREAMS_HELD
    state = state_of(*streams)
    assert judge(state, POLICY).since == AT + DAY
    assert set(state.streams) == {f"s{n}" for n in range(2, STREAMS_HELD + 2)}
    assert judge_streams(state, POLICY) == {}


def test_no_strike_of_a_stream_is_lost() -> None:
    number = STREAM_STRIKES_HELD + 3
    state = state_of(
        *(event(Reason.COMPLAINT_ABUSE, f"s{n % 5}", n, shared=True) for n in range(number))
    )
    limited = [strike for known in state.streams.values() for strike in known.strikes]
    assert len(limited) == STREAM_STRIKES_HELD
    assert sorted(strike.at for strike in (*limited, *state.strikes)) == [
        AT + n * DAY for n in range(number)
    ]


def test_strikes_beyond_the_limit_are_the_same_however_they_are_split() -> None:
    number = STREAM_STRIKES_HELD + NEWEST_HELD + 5
    complaints = [
        event(Reason.COMPLAINT_ABUSE, f"s{n % 3}", n / 1000, shared=True) for n in range(number)
    ]
    one_by_one = state_of(*complaints)
    in_halves = merge(state_of(*complaints[::2]), state_of(*complaints[1::2]))
    assert one_by_one == in_halves == merge(in_halves, in_halves)
    assert len(in_halves.strikes) == NEWEST_HELD  # all of them are of one day


def test_the_verdict_of_a_stream_rests_on_all_that_counts_for_it() -> None:
    soft = [event(Reason.MAILBOX_FULL, "offers", day) for day in (0, 1)]
    shared = event(Reason.COMPLAINT_ABUSE, "news", 2, shared=True)
    state = state_of(*soft, shared)
    assert not judge(state, POLICY).since
    verdicts = judge_streams(state, POLICY)
    assert {name: verdict.until for name, verdict in verdicts.items()} == {"news": AT + 16 * DAY}
    # A suppression of all streams that lasts as long leaves the stream nothing to add.
    full = state_of(*soft, shared, event(Reason.MAILBOX_FULL, "offers", 2.1))
    assert judge(full, POLICY).until == AT + 16.1 * DAY
    assert judge_streams(full, POLICY) == {}


def test_a_stream_goes_beyond_a_suppression_that_ends() -> None:
    state = state_of(
        event(Reason.SUPPRESSED_BY_ACCOUNT, None, 1), event(Reason.COMPLAINT_ABUSE, "news")
    )
    assert judge(state, POLICY).until == AT + 31 * DAY
    assert judge_streams(state, POLICY)["news"].for_good


def test_an_event_that_was_classified_wrongly_is_removed_from_its_stream() -> None:
    wrong, right = event(Reason.COMPLAINT_ABUSE), event(Reason.UNSUBSCRIBED, "offers")
    shared = event(Reason.COMPLAINT_FRAUD, "news", 1, shared=True)
    state = state_of(wrong, right, shared)
    without = unlearned(unlearned(state, learn(wrong)), learn(shared))
    assert without == state_of(right)


def test_a_stream_s_own_evidence_joins_that_of_all() -> None:
    for_all, limited = event(Reason.UNSUBSCRIBED, None), event(Reason.COMPLAINT_ABUSE)
    state = state_of(for_all, limited)
    joined = in_stream(state, "news")
    assert joined == state_of(for_all, msgspec.structs.replace(limited, stream=None))
    assert state.streams["news"] == StreamState(complaint=joined.complaint)
