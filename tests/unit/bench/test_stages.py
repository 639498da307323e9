import time
from types import SimpleNamespace

import pytest

from tests.bench.stages import Clock, Replay, Stage

_TICK = 1000


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An outer function that takes 1 tick and calls an inner one, which takes 10, twice."""
    work = SimpleNamespace()
    now = [0]
    monkeypatch.setattr(time, "thread_time_ns", lambda: now[0])

    def inner(text: str) -> str:
        now[0] += 10 * _TICK
        return text

    def outer() -> list[str]:
        now[0] += _TICK
        return [work.inner("a"), work.inner("b")]

    work.inner, work.outer = inner, outer
    return work


def test_each_moment_counts_for_the_innermost_function(work: SimpleNamespace) -> None:
    clock = Clock()
    with clock.watching([Stage("outer", work, "outer"), Stage("inner", work, "inner")]):
        assert work.outer() == ["a", "b"]
    assert clock.own == {"outer": _TICK, "inner": 20 * _TICK}


def test_a_replay_makes_the_same_calls_and_counts_each_once(work: SimpleNamespace) -> None:
    replay = Replay([Stage("outer", work, "outer"), Stage("inner", work, "inner", "outer")])
    with replay.keeping():
        assert work.outer() == ["a", "b"]
    work.outer()  # which is not kept
    assert replay.own() == {"outer": _TICK, "inner": 20 * _TICK}
