import threading
import time

from sesbounce.aws.received import Received
from sesbounce.worker.in_flight import InFlight
from tests.support import AT

LONG = 60.0


def received(*names: int) -> list[Received]:
    return [Received(f"{n}", f"{n}", "", 1, AT) for n in names]


def filled(room: int, count: int) -> InFlight:
    in_flight = InFlight(room)
    assert in_flight.reserve(count, 0)
    in_flight.add(received(*range(count)), visible_at=100.0)
    return in_flight


def test_no_more_is_reserved_than_there_is_room() -> None:
    in_flight = InFlight(15)
    assert in_flight.reserve(10, 0)
    assert not in_flight.reserve(10, 0)
    in_flight.release(5)
    assert in_flight.reserve(10, 0)


def test_messages_that_are_taken_stay_in_flight_until_they_are_removed() -> None:
    in_flight = filled(10, 10)
    batch = in_flight.take(10, 0, 0)
    assert (len(in_flight), in_flight.buffered) == (10, 0)
    assert not in_flight.reserve(1, 0)
    in_flight.remove(batch[:3])
    assert len(in_flight) == 7
    assert in_flight.reserve(3, 0)
    assert not in_flight.reserve(1, 0)


def test_a_message_that_is_removed_twice_makes_room_once() -> None:
    in_flight = filled(2, 1)
    (message,) = in_flight.take(10, 0, 0)
    in_flight.remove([message])
    in_flight.remove([message])
    assert in_flight.reserve(2, 0)
    assert not in_flight.reserve(1, 0)


def test_the_oldest_are_taken_first_and_no_more_than_asked_for() -> None:
    in_flight = filled(10, 5)
    assert [message.received.id for message in in_flight.take(3, 0, 0)] == ["0", "1", "2"]
    assert [message.received.id for message in in_flight.take(3, 0, 0)] == ["3", "4"]
    assert in_flight.take(3, 0, 0) == []


def test_reserve_waits_for_room() -> None:
    in_flight = filled(10, 10)
    batch = in_flight.take(10, 0, 0)
    got = threading.Event()

    def wait() -> None:
        if in_flight.reserve(10, LONG):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    for message in batch:
        assert not got.is_set()
        in_flight.remove([message])
    waiting.join()
    assert got.is_set()


def test_take_returns_a_full_batch_before_the_time_is_over() -> None:
    in_flight = InFlight(100)
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.append(len(in_flight.take(20, LONG, LONG))))
    waiting.start()
    for start in (0, 10):
        assert in_flight.reserve(10, 0)
        in_flight.add(received(*range(start, start + 10)), visible_at=100.0)
    waiting.join(timeout=LONG / 2)
    assert taken == [20]


def test_a_first_message_does_not_wait_for_ever() -> None:
    assert len(filled(100, 1).take(100, 0.01, LONG)) == 1


def test_an_interruption_ends_one_wait_for_the_first_message() -> None:
    in_flight = InFlight(10)
    taken: list[list[object]] = []
    thread = threading.Thread(target=lambda: taken.append(list(in_flight.take(10, 0, 3600))))
    thread.start()
    in_flight.interrupt()
    thread.join()
    assert taken == [[]]
    in_flight.interrupt()
    assert in_flight.take(10, 0, 3600) == []
    assert in_flight.take(10, 0, 0.001) == []


def test_messages_are_due_before_others_get_them() -> None:
    in_flight = filled(10, 2)
    first, second = in_flight.take(2, 0, 0)
    second.visible_at = 200.0
    assert in_flight.visible_before(150.0) == [first]
    assert in_flight.visible_before(250.0) in ([first, second], [second, first])
    first.expired = True
    assert in_flight.visible_before(150.0) == []
    in_flight.remove([first, second])
    assert in_flight.visible_before(250.0) == []
    assert first not in in_flight


def test_many_threads_at_once_lose_nothing_and_never_exceed_the_room() -> None:
    in_flight, total = InFlight(50), 2000
    numbers = iter(range(0, total, 10))
    lock = threading.Lock()
    seen: list[str] = []

    def fill() -> None:
        while True:
            with lock:
                start = next(numbers, None)
            if start is None:
                return
            while not in_flight.reserve(10, 0.1):
                pass
            in_flight.add(received(*range(start, start + 10)), visible_at=time.monotonic() + LONG)

    fillers = [threading.Thread(target=fill) for _ in range(8)]
    for filler in fillers:
        filler.start()
    while len(seen) < total:
        batch = in_flight.take(30, 0.001, LONG)
        assert len(in_flight) <= 50
        seen += [message.received.id for message in batch]
        threading.Thread(target=in_flight.remove, args=(batch,)).start()
    for filler in fillers:
        filler.join()
    assert sorted(map(int, seen)) == list(range(total))
