import threading

from sesbounce.worker.batching import Batcher

LONG = 60.0


def test_ten_are_taken_at_once_and_the_rest_when_it_is_closed() -> None:
    tens: Batcher[int] = Batcher(LONG)
    tens.put(range(23))
    assert tens.take() == list(range(10))
    assert tens.take() == list(range(10, 20))
    tens.close()
    assert tens.take() == [20, 21, 22]
    assert tens.take() == []


def test_fewer_are_taken_when_they_have_waited_long_enough() -> None:
    tens: Batcher[int] = Batcher(0.01)
    tens.put([1])
    assert tens.take() == [1]


def test_those_of_two_batches_are_taken_together() -> None:
    tens: Batcher[int] = Batcher(LONG)
    taken: list[list[int]] = []
    taker = threading.Thread(target=lambda: taken.append(tens.take()))
    taker.start()
    tens.put(range(4))
    tens.put(range(4, 12))
    taker.join(timeout=LONG / 2)
    assert taken == [list(range(10))]


def test_many_takers_take_each_thing_once() -> None:
    tens: Batcher[int] = Batcher(LONG)
    taken: list[int] = []

    def take() -> None:
        while things := tens.take():
            assert len(things) <= 10
            taken.extend(things)

    takers = [threading.Thread(target=take) for _ in range(8)]
    for taker in takers:
        taker.start()
    for start in range(0, 3000, 7):
        tens.put(range(start, min(start + 7, 3000)))
    tens.close()
    for taker in takers:
        taker.join(timeout=LONG)
    assert sorted(taken) == list(range(3000))
