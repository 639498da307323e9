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
from sesbounce.telemetry.reports import (
    Acknowledged,
    BatchDone,
    Polled,
    Report,
    Resumed,
    Stalled,
    Swept,
)

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
    assert fresh.status(START) == Status(True, [], 0, 0)
    assert fresh.status(START + POLL_LIMIT).healthy
    assert fresh.status(START + POLL_LIMIT + 1).faults == [
        "SQS has not answered a receive for 51 seconds (the limit is 50)."
    ]


def test_a_worker_that_polls_and_never_commits_is_not_healthy() -> None:
    idle = health()
    idle.add(POLLED, START + COMMIT_LIMIT)
    assert idle.status(START + COMMIT_LIMIT).healthy
    assert idle.status(START + COMMIT_LIMIT + 1).faults == [
        "No commit has succeeded for 121 seconds (the limit is 120)."
    ]


def test_a_worker_that_commits_and_never_polls_is_not_healthy() -> None:
    deaf = health()
    for report in (SWEPT, batch()):
        deaf.add(report, START + POLL_LIMIT + 1)
    status = deaf.status(START + POLL_LIMIT + 1)
    assert len(status.faults) == 1
    assert status.last_poll_seconds == POLL_LIMIT + 1
    assert status.last_commit_seconds == 0


def test_a_stall_is_a_fault_at_once_until_the_same_thing_succeeds() -> None:
    stalled = health()
    stalled.add(Stalled("database", "it is read-only.\nTry  again"), START)
    stalled.add(Stalled("queue", "no route to host"), START)
    assert stalled.status(START).faults == [
        "The worker waits for the database; its log says why.",
        "The worker waits for the queue; its log says why.",
    ]
    stalled.add(POLLED, START)
    assert len(stalled.status(START).faults) == 1
    stalled.add(batch(), START)
    assert stalled.status(START).healthy


def test_a_sweep_ends_a_stall_of_the_database() -> None:
    stalled = health()
    stalled.add(Stalled("database", "down"), START)
    stalled.add(SWEPT, START)
    assert stalled.status(START).healthy


def test_a_wait_for_a_certificate_is_a_fault_until_its_end() -> None:
    stalled = health()
    stalled.add(Stalled("certificate", "no route to host."), START)
    for report in (POLLED, SWEPT, batch()):
        stalled.add(report, START)
    assert stalled.status(START).faults == [
        "The worker waits for the certificate; its log says why."
    ]
    stalled.add(Resumed("certificate"), START)
    assert stalled.status(START).healthy


def test_a_batch_of_which_nothing_was_recorded_is_no_commit() -> None:
    for empty in (batch(3, undecodable=3), batch(3, undecodable=1, failed=2)):
        stalled = health()
        stalled.add(Stalled("database", "down"), START)
        stalled.add(empty, START)
        assert not stalled.status(START).healthy
    stalled.add(batch(4, undecodable=1, failed=2), START)
    assert stalled.status(START).healthy


def test_every_process_has_to_work() -> None:
    pair = health(2)
    late = START + COMMIT_LIMIT + 1
    for source in (7, 8):
        pair.add(POLLED, late, source)
    pair.add(SWEPT, late, 8)
    assert pair.status(late).faults == [
        "Process 7: No commit has succeeded for 121 seconds (the limit is 120)."
    ]
    pair.add(SWEPT, late, 7)
    assert pair.status(late).healthy


def test_a_process_that_reports_nothing_is_a_fault() -> None:
    pair = health(3)
    late = START + POLL_LIMIT + 1
    pair.add(POLLED, late, 1)
    pair.add(SWEPT, late, 1)
    # These reports show neither a poll nor a commit.
    pair.add(Depth(1, 2, 3), late, 0)
    pair.add(Acknowledged(deleted=1), late, 2)
    status = pair.status(late)
    assert status.faults == [
        "2 of 3 processes: SQS has not answered a receive for 51 seconds (the limit is 50)."
    ]
    assert status.last_poll_seconds == POLL_LIMIT + 1


def test_faults_tell_strangers_nothing_of_the_database_or_the_queue() -> None:
    stalled = health()
    stalled.add(Stalled("database", "host db.internal: no row for jane@example.com"), START)
    stalled.add(Stalled("queue", "https://sqs.example/123456789012/q: denied"), START)
    assert stalled.status(START).faults == [
        "The worker waits for the database; its log says why.",
        "The worker waits for the queue; its log says why.",
    ]


REPORTS = st.one_of(
    st.builds(Polled, st.integers(0, 10)),
    st.builds(batch, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)),
    st.just(SWEPT),
    st.builds(Acknowledged, deleted=st.integers(0, 9)),
    st.builds(Depth, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.builds(Stalled, st.sampled_from(["database", "queue", "certificate"]), st.text()),
    st.just(Resumed("certificate")),
)
REPORTED = st.lists(st.tuples(REPORTS, st.floats(0, 300), st.integers(0, 2)))


@given(reported=REPORTED, processes=st.integers(1, 3))
def test_after_any_reports_a_worker_whose_calls_succeed_is_healthy(
    reported: list[tuple[Report, float, int]], processes: int
) -> None:
    worker = health(processes)
    at = START
    for report, pause, source in reported:
        at += pause
        worker.add(report, at, source)
    for source in range(3):
        worker.add(POLLED, at, source)
        worker.add(SWEPT, at, source)
        worker.add(Resumed("certificate"), at, source)
    assert worker.status(at) == Status(True, [], 0, 0)


@given(reported=REPORTED, processes=st.integers(1, 3))
def test_after_any_reports_a_worker_whose_calls_all_fail_turns_red(
    reported: list[tuple[Report, float, int]], processes: int
) -> None:
    worker = health(processes)
    at = START
    for report, pause, source in reported:
        at += pause
        worker.add(report, at, source)
    status = worker.status(at + COMMIT_LIMIT + 0.1)
    assert not status.healthy
    assert status.last_poll_seconds > POLL_LIMIT
    assert status.last_commit_seconds > COMMIT_LIMIT
    assert worker.status(at).healthy is (worker.status(at).faults == [])


def test_a_sweep_that_has_not_ended_is_told_and_is_no_fault() -> None:
    worker = health()
    worker.add(Swept(Recorded(struck_rows=3), 3, 5000), START)
    status = worker.status(START)
    assert (status.healthy, status.busy) == (True, ["Busy striking off, 3 of 5,000 addresses."])
    worker.add(batch(), START)
    assert worker.status(START).busy == status.busy
    worker.add(SWEPT, START)
    assert worker.status(START).busy == []


def test_each_process_tells_how_far_its_sweep_has_got() -> None:
    worker = health(2)
    worker.add(Swept(Recorded(), 1, 2), START, 7)
    worker.add(SWEPT, START, 8)
    assert worker.status(START).busy == ["Process 7: Busy striking off, 1 of 2 addresses."]
