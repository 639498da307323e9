"""Keeps answers for some seconds."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

# With its answer, an address takes about 0.5 kB.
_CACHE_SIZE = 10_000


class Cache(Generic[T]):
    """Keeps answers for some seconds. Beyond its size, the oldest ones go first."""

    def __init__(
        self,
        seconds: float,
        size: int = _CACHE_SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._kept: dict[str, tuple[float, T]] = {}
        self._lock = threading.Lock()

    def get(self, keys: Iterable[str]) -> dict[str, T]:
        """The answers that still count, by key."""
        now = self._clock()
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        return {key: answer for key, (until, answer) in found.items() if now < until}

    def put(self, answers: Mapping[str, T]) -> None:
        """Keep answers that were just given."""
        if self._seconds <= 0:
            return
        until = self._clock() + self._seconds
        with self._lock:
            for key, answer in answers.items():
                self._kept.pop(key, None)  # so that the order is that of the times
                self._kept[key] = (until, answer)
            for key in list(self._kept)[: max(0, len(self._kept) - self._size)]:
                del self._kept[key]
