import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import Mock

import pytest

from sesbounce.aws.sqs import Queue, Received, Unsettled
from sesbounce.errors import QueueError
from sesbounce.telemetry.events import Report, Settled
from sesbounce.worker.acknowledge import Settler
from sesbounce.worker.heartbeat import Heartbeat
from sesbounce.worker.in_flight import Hand
from tests.support import AT, until


class Clock(Queue):
    """A queue that notes whose visibility is extended, by how much, and fails as told."""

    def __init__(self, *answers: Unsettled | Exception) -> None:
        self.answers = list(answers)
        self.extended: list[list[tuple[str, int]]] = []

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> Unsettled:
        self.extended.append([(m.receipt, seconds) for m, seconds in messages])
        answer = self.answers.pop(0) if self.answers else Unsettled()
        if isinstance(answer, Exception):
            raise answer
        return answer


def in_hand(count: int, left: float) -> Hand:
    hand = Hand(count)
    hand.reserve(count, 0)
    messages = [Received(f"{n}", f"{n}", "", 1, AT) for n in range(count)]
    hand.put(messages, until=time.monotonic() + left)
    return hand


@contextmanager
def beating(clock: Clock, hand: Hand, reports: list[Report]) -> Iterator[threading.Thread]:
    heartbeat = Heartbeat(clock, hand, reports.append, 60)
    thread = threading.Thread(target=heartbeat.run)
    thread.start()
    yield thread
    heartbeat.stop()
    thread.join()


def test_what_has_half_of_its_time_left_is_extended_by_tens() -> None:
    clock, hand = Clock(), in_hand(25, left=29)
    with beating(clock, hand, []):
        until(lambda: len(clock.extended) == 3)
    assert sorted(len(entries) for entries in clock.extended) == [5, 10, 10]
    assert {seconds for entries in clock.extended for _, seconds in entries} == {60}
    assert hand.due(time.monotonic() + 50) == []


def test_what_has_more_time_left_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, hand = Clock(), in_hand(1, left=600)
    asked = Mock(side_effect=hand.due)
    monkeypatch.setattr(hand, "due", asked)
    with beating(clock, hand, []):
        until(lambda: asked.call_count == 3)
    assert clock.extended == []


def test_failures_do_not_end_it() -> None:
    clock, hand = Clock(QueueError("throttled"), ZeroDivisionError()), in_hand(1, left=10)
    with beating(clock, hand, []):
        until(lambda: len(clock.extended) == 3)
    assert hand.due(time.monotonic() + 50) == []


def test_what_sqs_fails_to_extend_is_tried_again() -> None:
    clock, hand = Clock(Unsettled(failed=frozenset(["0"]))), in_hand(2, left=10)
    with beating(clock, hand, []):
        until(lambda: len(clock.extended) == 2)
    assert clock.extended[1] == [("0", 60)]


def test_what_others_have_by_now_is_lost_and_counted() -> None:
    clock, hand = Clock(Unsettled(expired=frozenset(["0"]))), in_hand(2, left=10)
    reports: list[Report] = []
    with beating(clock, hand, reports):
        until(lambda: reports)
    assert reports == [Settled(expired=1)]
    assert [held.lost for held in hand.take(2, 0, 0)] == [True, False]
    assert len(clock.extended) == 1


def test_what_is_to_be_given_back_is_not_extended() -> None:
    clock, hand = Clock(), in_hand(2, left=10)
    one, other = hand.take(2, 0, 0)
    Settler(clock, hand, lambda _: None).give_back([(one, 0)])
    with beating(clock, hand, []):
        until(lambda: clock.extended)
    assert clock.extended == [[(other.message.receipt, 60)]]
