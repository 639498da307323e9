from hypothesis import given
from hypothesis import strategies as st

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded
from sesbounce.telemetry.health import (
    COMMIT_GRACE_SECONDS,
    POLL_GRACE_SECONDS,
    SWEEP_EVERY_SECONDS,
    Health,
    Status,
)
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Stalled, Swept

START = 1000.0
WAIT = 20
POLL_LIMIT = WAIT + POLL_GRACE_SECONDS
COMMIT_LIMIT = SWEEP_EVERY_SECONDS + COMMIT_GRACE_SECONDS
POLLED = Polled(0)
SWEPT = Swept(Recorded())


def batch(messages: int = 1, undecodable: int = 0, failed: int = 0) -> BatchDone:
    by_fingerprint = {"f00": undecodable} if undecodable else {}
    return BatchDone(messages, by_fingerprint, failed, Recorded(), 0.1, 0.05, 3.0)


def health(processes: int = 1) -> Health:
    return Health(START, WAIT, processes)


def test_a_fresh_worker_is_healthy_until_it_should_have_succeeded() -> None:
    fresh = health()
    assert fresh.judge(START) == Status(True, [], 0, 0)
    assert fresh.judge(START + POLL_LIMIT).healthy
    assert fresh.judge(START + POLL_LIMIT + 1).faults == [
        "SQS has not answered a receive for 51 seconds (at most 50 are in order)."
    ]


def test_a_worker_that_polls_and_never_commits_is_not_healthy() -> None:
    idle = health()
    idle.tell(POLLED, START + COMMIT_LIMIT)
    assert idle.judge(START + COMMIT_LIMIT).healthy
    assert idle.judge(START + COMMIT_LIMIT + 1).faults == [
        "Nothing was committed for 121 seconds (at most 120 are in order)."
    ]


def test_a_worker_that_commits_and_never_polls_is_not_healthy() -> None:
    deaf = health()
    for report in (SWEPT, batch()):
        deaf.tell(report, START + POLL_LIMIT + 1)
    judgement = deaf.judge(START + POLL_LIMIT + 1)
    assert len(judgement.faults) == 1
    assert judgement.last_poll_seconds == POLL_LIMIT + 1
    assert judgement.last_commit_seconds == 0


def test_a_stall_is_a_fault_at_once_until_the_same_thing_succeeds() -> None:
    stalled = health()
    stalled.tell(Stalled("database", "it is read-only.\nTry  again"), START)
    stalled.tell(Stalled("queue", "no route to host"), START)
    assert stalled.judge(START).faults == [
        "It waits for the database: it is read-only. Try again.",
        "It waits for the queue: no route to host.",
    ]
    stalled.tell(POLLED, START)
    assert len(stalled.judge(START).faults) == 1
    stalled.tell(batch(), START)
    assert stalled.judge(START).healthy


def test_a_sweep_ends_a_stall_of_the_database() -> None:
    stalled = health()
    stalled.tell(Stalled("database", "down"), START)
    stalled.tell(SWEPT, START)
    assert stalled.judge(START).healthy


def test_a_batch_of_which_nothing_was_recorded_is_no_commit() -> None:
    for empty in (batch(3, undecodable=3), batch(3, undecodable=1, failed=2)):
        stalled = health()
        stalled.tell(Stalled("database", "down"), START)
        stalled.tell(empty, START)
        assert not stalled.judge(START).healthy
    stalled.tell(batch(4, undecodable=1, failed=2), START)
    assert stalled.judge(START).healthy


def test_every_process_has_to_work() -> None:
    pair = health(2)
    late = START + COMMIT_LIMIT + 1
    for source in (7, 8):
        pair.tell(POLLED, late, source)
    pair.tell(SWEPT, late, 8)
    assert pair.judge(late).faults == [
        "Process 7: Nothing was committed for 121 seconds (at most 120 are in order)."
    ]
    pair.tell(SWEPT, late, 7)
    assert pair.judge(late).healthy


def test_a_process_that_says_nothing_is_missed() -> None:
    pair = health(3)
    late = START + POLL_LIMIT + 1
    pair.tell(POLLED, late, 1)
    pair.tell(SWEPT, late, 1)
    # Who counts the queue does not thereby work.
    pair.tell(Depth(1, 2, 3), late, 0)
    pair.tell(Acknowledged(deleted=1), late, 2)
    judgement = pair.judge(late)
    assert judgement.faults == [
        "2 of 3 processes: SQS has not answered a receive for 51 seconds (at most 50 are in order)."
    ]
    assert judgement.last_poll_seconds == POLL_LIMIT + 1


def test_faults_hold_no_address() -> None:
    stalled = health()
    stalled.tell(Stalled("database", "no row for jane@example.com"), START)
    assert stalled.judge(START).faults == ["It waits for the database: no row for …@example.com."]


REPORTS = st.one_of(
    st.builds(Polled, st.integers(0, 10)),
    st.builds(batch, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)),
    st.just(SWEPT),
    st.builds(Acknowledged, deleted=st.integers(0, 9)),
    st.builds(Depth, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.builds(Stalled, st.sampled_from(["database", "queue"]), st.text()),
)
TOLD = st.lists(st.tuples(REPORTS, st.floats(0, 300), st.integers(0, 2)))


@given(told=TOLD, processes=st.integers(1, 3))
def test_whatever_has_happened_a_worker_in_which_all_succeeds_is_healthy(
    told: list[tuple[Report, float, int]], processes: int
) -> None:
    worker = health(processes)
    at = START
    for report, pause, source in told:
        at += pause
        worker.tell(report, at, source)
    for source in range(3):
        worker.tell(POLLED, at, source)
        worker.tell(SWEPT, at, source)
    assert worker.judge(at) == Status(True, [], 0, 0)


@given(told=TOLD, processes=st.integers(1, 3))
def test_whatever_has_happened_a_worker_in_which_nothing_succeeds_turns_red(
    told: list[tuple[Report, float, int]], processes: int
) -> None:
    worker = health(processes)
    at = START
    for report, pause, source in told:
        at += pause
        worker.tell(report, at, source)
    judgement = worker.judge(at + COMMIT_LIMIT + 0.1)
    assert not judgement.healthy
    assert judgement.last_poll_seconds > POLL_LIMIT
    assert judgement.last_commit_seconds > COMMIT_LIMIT
    assert worker.judge(at).healthy is (worker.judge(at).faults == [])
