"""The depth of the queue is only shown: whatever SQS or an emulator answers, the worker goes on."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sesbounce.aws.depth import Depth
from sesbounce.aws.sqs import MOST_IN_FLIGHT
from sesbounce.errors import QueueError
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.worker.gauge import Gauge
from sesbounce.worker.loop import LoopSettings
from tests.support import until
from tests.unit.sesbounce.worker.working import Shelf, body, make, run

UNKNOWN = Depth()
DENIED = QueueError("can't read: request 1", lasting=True, code="AccessDenied")


def answers(*given: Depth | Exception) -> tuple[Gauge, Callable[[], list[Depth]]]:
    """A gauge of a queue that gives these answers, and the function that reads them all."""
    left = list(given)
    shelf = Shelf()

    def depth() -> Depth:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shelf.depth = depth  # type: ignore[method-assign]
    gauge = Gauge(shelf, lambda _: None, lambda _: False)
    return gauge, lambda: [gauge.read() for _ in given]


@pytest.mark.parametrize(
    "error", [DENIED, QueueError("timeout"), AttributeError("no dict"), RuntimeError("odd")]
)
def test_a_depth_that_can_t_be_read_is_unknown(error: Exception) -> None:
    _, read = answers(error, Depth(1, 2, 3))
    assert read() == [UNKNOWN, Depth(1, 2, 3)]


def test_the_same_cause_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    again = QueueError("can't read: request 2", lasting=True, code="AccessDenied")
    _, read = answers(DENIED, again, Depth(1, None, 3), Depth(2, None, 3), DENIED)
    read()
    logged = capsys.readouterr().err.splitlines()
    assert [("request 1" in line, "in_flight" in line) for line in logged] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_the_end_of_it_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    _, read = answers(DENIED, Depth(1, 2, 3), Depth(1, 2, 3))
    read()
    logged = capsys.readouterr().err
    assert (logged.count("queue depth unknown"), logged.count("queue depth known")) == (1, 1)


def test_an_unknown_depth_is_reported_so_that_no_old_number_is_shown() -> None:
    reports: list[object] = []
    stopping = threading.Event()
    shelf = Shelf()
    shelf.depth = lambda: UNKNOWN  # type: ignore[method-assign]
    stopping.set()
    Gauge(shelf, reports.append, lambda _: True).run(stopping)
    assert reports == [UNKNOWN]


class Intervals(threading.Event):
    """Between two looks of the gauge, polls find messages or not, as the test says."""

    def __init__(self, *found_nothing: bool) -> None:
        super().__init__()
        self._left = list(found_nothing)
        self.found_nothing = False

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == 30
        if self._left:
            self.found_nothing = self._left.pop(0)
            return False
        return True


EMPTY, FULL = Depth(0, 0, 0), Depth(0, MOST_IN_FLIGHT, 0)


@pytest.mark.parametrize(
    ("found_nothing", "readings", "reported"),
    [
        ([True] * 5, [EMPTY], [EMPTY] * 6),
        (
            [True, False, True],
            [EMPTY, Depth(0, 3, 0), EMPTY],
            [EMPTY, EMPTY, Depth(0, 3, 0), EMPTY],
        ),
        ([True, True], [FULL] * 3, [FULL] * 3),
        ([True, True], [UNKNOWN, Depth(0, None, 0), EMPTY], [UNKNOWN, Depth(0, None, 0), EMPTY]),
        ([False, True, True], [EMPTY, EMPTY], [EMPTY] * 4),
    ],
    ids=["idle", "a message came", "too many in flight", "unknown", "nobody polled"],
)
def test_the_depth_is_read_unless_it_was_zero_and_polls_find_nothing_since(
    found_nothing: list[bool], readings: list[Depth], reported: list[Depth]
) -> None:
    shelf, intervals, left = Shelf(), Intervals(*found_nothing), list(readings)
    reports: list[object] = []
    shelf.depth = lambda: left.pop(0)  # type: ignore[method-assign]
    Gauge(shelf, reports.append, lambda _: intervals.found_nothing).run(intervals)
    assert (reports, left) == (reported, [])


def test_too_many_messages_in_flight_are_logged_at_each_reading(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("json")
    shelf, intervals = Shelf(), Intervals(True, True)
    shelf.depth = lambda: FULL  # type: ignore[method-assign]
    Gauge(shelf, lambda _: None, lambda _: True).run(intervals)
    assert capsys.readouterr().err.count("too many messages in flight") == 3


def test_the_log_says_which_queue_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    shelf = Shelf()
    shelf.depth = lambda: UNKNOWN  # type: ignore[method-assign]
    Gauge(shelf, lambda _: None, lambda _: False, 300, "dead-letter queue").read()
    assert '"queue": "dead-letter queue"' in capsys.readouterr().err


@pytest.mark.parametrize("answer", [DENIED, RuntimeError("odd"), UNKNOWN, Depth(None, 0, 0)])
def test_the_worker_goes_on_without_it(engine: sa.Engine, answer: Depth | Exception) -> None:
    shelf = Shelf([body()])

    def depth() -> Depth:
        if isinstance(answer, Exception):
            raise answer
        return answer

    shelf.depth = depth  # type: ignore[method-assign]
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    thread = run(working)
    until(lambda: working.of(Depth) and shelf.deleted)
    assert thread.is_alive()
    working.worker.stop()
    thread.join()
    working.worker._threads.check()


@pytest.mark.parametrize("answer", [DENIED, UNKNOWN, Depth(None, 0, None)])
def test_a_queue_of_unknown_depth_is_empty_after_several_empty_polls(
    engine: sa.Engine, answer: Depth | Exception
) -> None:
    shelf = Shelf([], [], [], [body()])

    def depth() -> Depth:
        if isinstance(answer, Exception):
            raise answer
        return answer

    shelf.depth = depth  # type: ignore[method-assign]
    assert make(engine, shelf).run().deleted == 1


def test_a_number_that_is_known_keeps_the_worker_draining(engine: sa.Engine) -> None:
    shelf = Shelf([body()])
    depths = [Depth(None, 1, None)] * 3 + [Depth(None, 0, None)] * 99
    shelf.depth = lambda: depths.pop(0)  # type: ignore[method-assign]
    assert make(engine, shelf).run().deleted == 1
    assert len(depths) < 99
