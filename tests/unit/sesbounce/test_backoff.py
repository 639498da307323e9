import pytest

from sesbounce.backoff import pause
from sesbounce.worker.batch import return_delay


@pytest.mark.parametrize(("times", "longest"), [(1, 1), (2, 2), (3, 4), (4, 8), (11, 900)])
def test_each_pause_is_up_to_twice_as_long(times: int, longest: float) -> None:
    pauses = {pause(times) for _ in range(200)}
    assert len(pauses) > 100  # chance spreads them
    assert longest / 2 <= min(pauses) < max(pauses) <= longest


def test_no_pause_is_longer_than_the_longest() -> None:
    assert 15 <= pause(10**9, longest_seconds=30) <= 30


def test_without_a_failure_the_pause_is_that_of_the_first() -> None:
    assert 0.5 <= pause(0) <= 1


def test_a_message_waits_for_at_least_a_second() -> None:
    assert {return_delay(1) for _ in range(100)} == {1}
    assert {return_delay(2) for _ in range(100)} <= {1, 2}
