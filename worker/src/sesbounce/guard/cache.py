"""Keeps answers for some seconds."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

# With its answer, an address takes about 0.5 kB.
_CACHE_SIZE = 10_000

Moment = tuple[float, ...]
"""A time by one clock or several, in seconds."""


def this_moment() -> Moment:
    """This moment, by two clocks.

    The first one may stand still while a machine sleeps, or a function of AWS Lambda is frozen; the
    second one may be set back.
    """
    return time.monotonic(), time.time()


class Cache(Generic[T]):
    """Keeps answers for some seconds. Beyond its size, the oldest ones go first."""

    def __init__(
        self,
        seconds: float,
        size: int = _CACHE_SIZE,
        clock: Callable[[], Moment] = this_moment,
    ) -> None:
        self.clock = clock
        self._seconds = seconds
        self._size = size
        self._kept: dict[str, tuple[Moment, T]] = {}
        self._lock = threading.Lock()

    def get(self, keys: Iterable[str]) -> dict[str, T]:
        """The answers that still count, by key."""
        now = self.clock()
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        return {key: answer for key, (asked, answer) in found.items() if self._counts(asked, now)}

    def put(self, answers: Mapping[str, T], asked: Moment) -> None:
        """Keep answers, beside the answers to later questions.

        Args:
            answers: the answers.
            asked: the moment just before the question: what has happened since is in no answer.
        """
        if not self._counts(asked, self.clock()):
            return
        with self._lock:
            for key, answer in answers.items():
                before, _ = self._kept.get(key, (asked, None))
                if before <= asked:
                    self._kept.pop(key, None)  # so that the order is that of the times
                    self._kept[key] = (asked, answer)
            for key in list(self._kept)[: max(0, len(self._kept) - self._size)]:
                del self._kept[key]

    def _counts(self, asked: Moment, now: Moment) -> bool:
        """Whether by no clock an answer is too old."""
        return all(then - before < self._seconds for before, then in zip(asked, now, strict=True))
