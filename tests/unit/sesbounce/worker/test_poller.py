import threading
import time

import pytest

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Polled, Report, Stalled
from sesbounce.worker.in_flight import InFlight
from sesbounce.worker.poller import Poller
from sesbounce.worker.threads import Threads
from tests.support import AT, until


class Gate(Queue):
    """A queue whose receives wait until they are answered by the test."""

    def __init__(self) -> None:
        self.buffered = 0
        self.arguments: tuple[int, int] | None = None
        self._answers: list[int | QueueError] = []
        self._changed = threading.Condition()

    def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
        self.arguments = (wait_seconds, visibility_seconds)
        with self._changed:
            self.buffered += 1
            self._changed.wait_for(lambda: self._answers)
            self.buffered -= 1
            answer = self._answers.pop(0)
        if isinstance(answer, QueueError):
            raise answer
        return [Received(f"{n}", f"{n}", "", 1, AT) for n in range(answer)]

    def answer(self, answer: int | QueueError) -> None:
        with self._changed:
            self._answers.append(answer)
            self._changed.notify()


class Polling:
    def __init__(self, room: int = 1000, pollers: int = 4, *, patient: bool = True) -> None:
        self.gate, self.in_flight, self.threads = Gate(), InFlight(room), Threads()
        self.reports: list[Report] = []
        self.poller = Poller(
            self.gate, self.in_flight, self.reports.append, 20, 60, patient=patient
        )
        self.poller.start(self.threads, pollers)
        until(lambda: self.gate.buffered)

    def answer(self, *answers: int | QueueError) -> None:
        for answer in answers:
            before = len(self.reports)
            self.gate.answer(answer)
            until(lambda before=before: len(self.reports) > before)  # type: ignore[misc]

    def end(self) -> None:
        self.poller.stop()
        while self.threads.running:
            self.gate.answer(0)
            time.sleep(0.001)


@pytest.fixture
def polling() -> Polling:
    return Polling()


def polls(polling: Polling, count: int) -> bool:
    """Whether so many polls are under way, and no more a little later."""
    until(lambda: polling.gate.buffered >= count)
    time.sleep(0.05)
    return polling.gate.buffered == count


def test_one_polls_while_the_queue_is_idle(polling: Polling) -> None:
    assert polls(polling, 1)
    polling.answer(0, 0)
    assert polls(polling, 1)
    assert polling.gate.arguments == (20, 60)
    polling.end()


def test_polls_find_nothing_once_one_was_answered_and_none_with_messages(polling: Polling) -> None:
    found_nothing_since = polling.poller.found_nothing_since
    before = time.monotonic()
    assert not found_nothing_since(before)  # SQS may not be reached at all
    polling.answer(0)
    assert found_nothing_since(before)
    assert not found_nothing_since(time.monotonic())
    polling.answer(3)
    assert not found_nothing_since(before)
    after = time.monotonic()
    polling.answer(0)
    assert found_nothing_since(after)
    assert not found_nothing_since(before)
    polling.end()


def test_full_answers_let_more_threads_poll_and_empty_ones_fewer(polling: Polling) -> None:
    polling.answer(10)
    assert polls(polling, 2)
    polling.answer(10, 10, 10, 10)
    assert polls(polling, 4)
    polling.answer(3)
    assert polls(polling, 4)
    while not polls(polling, 1):
        polling.answer(0)
    polling.end()


def test_nothing_is_received_without_room() -> None:
    polling = Polling(room=25)
    polling.answer(10, 10)
    assert polls(polling, 0)
    batch = polling.in_flight.take(20, 0, 0)
    polling.in_flight.remove(batch[:5])
    assert polls(polling, 1)
    polling.end()


def test_room_that_a_poll_did_not_need_is_released() -> None:
    polling = Polling(room=10, pollers=1)
    polling.answer(0, 3)
    assert polls(polling, 0)
    polling.in_flight.remove(polling.in_flight.take(10, 0, 0))
    polling.answer(10)
    assert len(polling.in_flight) == 10
    polling.end()


def test_messages_that_a_poll_brings_after_the_end_are_added(polling: Polling) -> None:
    polling.poller.stop()
    polling.gate.answer(7)
    assert polling.threads.join(60)
    assert polling.in_flight.buffered == 7
    assert polling.reports == [Polled(7)]


def test_a_failure_is_reported_and_waited_out(polling: Polling) -> None:
    polling.answer(QueueError("throttled"))
    assert polling.reports == [Stalled("queue", "throttled")]
    until(lambda: polling.gate.buffered == 1)
    polling.answer(10)
    assert polling.in_flight.buffered == 10
    polling.threads.check()
    polling.end()


@pytest.mark.parametrize(
    ("error", "patient"), [(QueueError("gone", lasting=True), True), (QueueError("off"), False)]
)
def test_a_failure_that_is_not_waited_out_ends_the_thread(error: QueueError, patient: bool) -> None:
    polling = Polling(pollers=1, patient=patient)
    polling.gate.answer(error)
    assert polling.threads.join(60)
    with pytest.raises(QueueError, match=str(error)):
        polling.threads.check()


def test_the_polls_under_way_say_until_when_they_wait(polling: Polling) -> None:
    (seconds,) = polling.poller.under_way
    assert 0 < seconds <= 20
    polling.poller.stop()
    polling.gate.answer(0)
    assert polling.threads.join(60)
    assert polling.poller.under_way == []
