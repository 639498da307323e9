import threading
import time

from sesbounce.aws.sqs import Received
from sesbounce.worker.in_flight import Hand
from tests.support import AT

LONG = 60.0


def received(*names: int) -> list[Received]:
    return [Received(f"{n}", f"{n}", "", 1, AT) for n in names]


def filled(room: int, count: int) -> Hand:
    hand = Hand(room)
    assert hand.reserve(count, 0)
    hand.put(received(*range(count)), until=100.0)
    return hand


def test_no_more_is_reserved_than_there_is_room() -> None:
    hand = Hand(15)
    assert hand.reserve(10, 0)
    assert not hand.reserve(10, 0)
    hand.release(5)
    assert hand.reserve(10, 0)


def test_what_is_taken_is_still_in_hand_until_it_is_let_go_of() -> None:
    hand = filled(10, 10)
    batch = hand.take(10, 0, 0)
    assert (len(hand), hand.waiting) == (10, 0)
    assert not hand.reserve(1, 0)
    hand.let_go(batch[:3])
    assert len(hand) == 7
    assert hand.reserve(3, 0)
    assert not hand.reserve(1, 0)


def test_what_is_let_go_of_twice_makes_room_once() -> None:
    hand = filled(2, 1)
    (held,) = hand.take(10, 0, 0)
    hand.let_go([held])
    hand.let_go([held])
    assert hand.reserve(2, 0)
    assert not hand.reserve(1, 0)


def test_the_oldest_are_taken_first_and_no_more_than_asked_for() -> None:
    hand = filled(10, 5)
    assert [held.message.id for held in hand.take(3, 0, 0)] == ["0", "1", "2"]
    assert [held.message.id for held in hand.take(3, 0, 0)] == ["3", "4"]
    assert hand.take(3, 0, 0) == []


def test_whoever_waits_for_room_gets_it() -> None:
    hand = filled(10, 10)
    batch = hand.take(10, 0, 0)
    got = threading.Event()

    def wait() -> None:
        if hand.reserve(10, LONG):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    for held in batch:
        assert not got.is_set()
        hand.let_go([held])
    waiting.join()
    assert got.is_set()


def test_whoever_waits_for_a_full_batch_gets_it_before_the_time_is_over() -> None:
    hand = Hand(100)
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.append(len(hand.take(20, LONG, LONG))))
    waiting.start()
    for start in (0, 10):
        assert hand.reserve(10, 0)
        hand.put(received(*range(start, start + 10)), until=100.0)
    waiting.join(timeout=LONG / 2)
    assert taken == [20]


def test_a_first_message_does_not_wait_for_ever() -> None:
    assert len(filled(100, 1).take(100, 0.01, LONG)) == 1


def test_messages_are_due_before_others_get_them() -> None:
    hand = filled(10, 2)
    first, second = hand.take(2, 0, 0)
    second.until = 200.0
    assert hand.due(150.0) == [first]
    assert hand.due(250.0) in ([first, second], [second, first])
    first.lost = True
    assert hand.due(150.0) == []
    hand.let_go([first, second])
    assert hand.due(250.0) == []
    assert first not in hand


def test_many_threads_at_once_lose_nothing_and_never_exceed_the_room() -> None:
    hand, total = Hand(50), 2000
    numbers = iter(range(0, total, 10))
    lock = threading.Lock()
    seen: list[str] = []

    def fill() -> None:
        while True:
            with lock:
                start = next(numbers, None)
            if start is None:
                return
            while not hand.reserve(10, 0.1):
                pass
            hand.put(received(*range(start, start + 10)), until=time.monotonic() + LONG)

    fillers = [threading.Thread(target=fill) for _ in range(8)]
    for filler in fillers:
        filler.start()
    while len(seen) < total:
        batch = hand.take(30, 0.001, LONG)
        assert len(hand) <= 50
        seen += [held.message.id for held in batch]
        threading.Thread(target=hand.let_go, args=(batch,)).start()
    for filler in fillers:
        filler.join()
    assert sorted(map(int, seen)) == list(range(total))
