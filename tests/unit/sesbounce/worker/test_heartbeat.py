import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Acknowledged, Report
from sesbounce.worker.acknowledge import Acknowledger
from sesbounce.worker.heartbeat import Heartbeat
from sesbounce.worker.in_flight import InFlight
from tests.support import AT, until


class Clock(Queue):
    """A queue that records each extension of visibility, and fails as the test says."""

    def __init__(self, *answers: BatchFailures | Exception) -> None:
        self.answers = list(answers)
        self.extended: list[list[tuple[str, int]]] = []

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
        self.extended.append([(m.receipt, seconds) for m, seconds in messages])
        answer = self.answers.pop(0) if self.answers else BatchFailures()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Beats(threading.Event):
    """Lets the heartbeat beat a number of times at once, and records how long it would sleep."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._count = count

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        return len(self.waits) > self._count


def holding(count: int, left: float) -> InFlight:
    in_flight = InFlight(count)
    in_flight.reserve(count, 0)
    messages = [Received(f"{n}", f"{n}", "", 1, AT) for n in range(count)]
    in_flight.add(messages, visible_at=time.monotonic() + left)
    return in_flight


@contextmanager
def beating(clock: Clock, in_flight: InFlight, reports: list[Report]) -> Iterator[threading.Thread]:
    heartbeat = Heartbeat(clock, in_flight, reports.append, 60)
    thread = threading.Thread(target=heartbeat.run)
    thread.start()
    yield thread
    heartbeat.stop()
    thread.join()


def test_messages_with_half_of_their_time_left_are_extended_ten_at_a_time() -> None:
    clock, in_flight = Clock(), holding(25, left=29)
    with beating(clock, in_flight, []):
        until(lambda: len(clock.extended) == 3)
    assert sorted(len(entries) for entries in clock.extended) == [5, 10, 10]
    assert {seconds for entries in clock.extended for _, seconds in entries} == {60}
    assert in_flight.visible_before(time.monotonic() + 50) == []


@pytest.mark.parametrize(("left", "extended"), [(600, []), (29, [[("0", 60)]])])
def test_messages_with_more_time_left_are_not_extended(
    left: float, extended: list[list[tuple[str, int]]]
) -> None:
    clock = Clock()
    beats = Beats(3)
    heartbeat = Heartbeat(clock, holding(1, left), lambda _: None, 60)
    heartbeat._stopping = beats
    heartbeat.run()
    assert clock.extended == extended


@pytest.mark.parametrize(
    ("left", "waits"),
    [(None, 30), (600, 30), (59, 29), (45, 15), (30.5, 0.5), (29, 0.01), (-5, 0.01)],
)
def test_the_heartbeat_sleeps_until_a_message_may_be_due(
    left: float | None, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that comes later has half of its 60 seconds before it is due."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    in_flight, beats = InFlight(1) if left is None else holding(1, left), Beats(0)
    heartbeat = Heartbeat(Clock(), in_flight, lambda _: None, 60)
    heartbeat._stopping = beats
    heartbeat.run()
    assert beats.waits == [waits]


def test_the_heartbeat_does_not_wake_for_a_message_that_has_expired() -> None:
    in_flight, beats = holding(1, left=29), Beats(0)
    in_flight.take(1, 0, 0)[0].expired = True
    heartbeat = Heartbeat(Clock(), in_flight, lambda _: None, 60)
    heartbeat._stopping = beats
    heartbeat.run()
    assert beats.waits == [30]


def test_failures_do_not_end_the_heartbeat() -> None:
    clock, in_flight = Clock(QueueError("throttled"), ZeroDivisionError()), holding(1, left=10)
    with beating(clock, in_flight, []):
        until(lambda: len(clock.extended) == 3)
    assert in_flight.visible_before(time.monotonic() + 50) == []


def test_what_sqs_fails_to_extend_is_retried() -> None:
    clock, in_flight = Clock(BatchFailures(failed=frozenset(["0"]))), holding(2, left=10)
    with beating(clock, in_flight, []):
        until(lambda: len(clock.extended) == 2)
    assert clock.extended[1] == [("0", 60)]


def test_messages_that_others_have_received_are_expired_and_counted() -> None:
    clock, in_flight = Clock(BatchFailures(expired=frozenset(["0"]))), holding(2, left=10)
    reports: list[Report] = []
    with beating(clock, in_flight, reports):
        until(lambda: reports)
    assert reports == [Acknowledged(expired=1)]
    assert [message.expired for message in in_flight.take(2, 0, 0)] == [True, False]
    assert len(clock.extended) == 1


def test_messages_that_are_being_returned_are_not_extended() -> None:
    clock, in_flight = Clock(), holding(2, left=10)
    one, other = in_flight.take(2, 0, 0)
    Acknowledger(clock, in_flight, lambda _: None).return_to_queue([(one, 0)])
    with beating(clock, in_flight, []):
        until(lambda: clock.extended)
    assert clock.extended == [[(other.received.receipt, 60)]]
