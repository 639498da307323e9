import threading

from sesbounce.worker.batching import Batcher

LONG = 60.0


def test_ten_are_taken_at_once_and_the_rest_when_it_is_closed() -> None:
    batcher: Batcher[int] = Batcher(LONG)
    batcher.put(range(23))
    assert batcher.take() == list(range(10))
    assert batcher.take() == list(range(10, 20))
    batcher.close()
    assert batcher.take() == [20, 21, 22]
    assert batcher.take() == []


def test_fewer_are_taken_when_they_have_waited_long_enough() -> None:
    batcher: Batcher[int] = Batcher(0.01)
    batcher.put([1])
    assert batcher.take() == [1]


def test_items_of_two_batches_are_taken_together() -> None:
    batcher: Batcher[int] = Batcher(LONG)
    taken: list[list[int]] = []
    taker = threading.Thread(target=lambda: taken.append(batcher.take()))
    taker.start()
    batcher.put(range(4))
    batcher.put(range(4, 12))
    taker.join(timeout=LONG / 2)
    assert taken == [list(range(10))]


def test_many_threads_take_each_item_once() -> None:
    batcher: Batcher[int] = Batcher(LONG)
    taken: list[int] = []

    def take() -> None:
        while items := batcher.take():
            assert len(items) <= 10
            taken.extend(items)

    takers = [threading.Thread(target=take) for _ in range(8)]
    for taker in takers:
        taker.start()
    for start in range(0, 3000, 7):
        batcher.put(range(start, min(start + 7, 3000)))
    batcher.close()
    for taker in takers:
        taker.join(timeout=LONG)
    assert sorted(taken) == list(range(3000))
