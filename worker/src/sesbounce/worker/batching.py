"""Collects items until there are ten of them, as many as one call of SQS takes."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from sesbounce.aws.sqs import MOST_AT_ONCE

_T = TypeVar("_T")


class Batcher(Generic[_T]):
    """A queue whose takers get ten items at once; fewer after a time, or when it is closed."""

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._items: deque[tuple[float, _T]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, items: Iterable[_T]) -> None:
        """Add items."""
        with self._changed:
            now = time.monotonic()
            before = len(self._items)
            self._items.extend((now, item) for item in items)
            full = len(self._items) // MOST_AT_ONCE - before // MOST_AT_ONCE
            # One taker for each ten, and one that waits for the rest of the next.
            self._changed.notify(full + 1)

    def close(self) -> None:
        """Let the takers have the rest at once, and then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> list[_T]:
        """Ten items; fewer when the first has waited long enough; none when all is taken."""
        with self._changed:
            while not self._ready():
                if self._closed and not self._items:
                    return []
                left = self._items[0][0] + self._wait - time.monotonic() if self._items else None
                self._changed.wait(left)
            most = min(MOST_AT_ONCE, len(self._items))
            return [self._items.popleft()[1] for _ in range(most)]

    def _ready(self) -> bool:
        if not self._items:
            return False
        full = len(self._items) >= MOST_AT_ONCE
        return full or self._closed or time.monotonic() >= self._items[0][0] + self._wait
