"""Collects items into tens, because one call of SQS takes ten messages."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from sesbounce.aws.sqs import MOST_AT_ONCE

_T = TypeVar("_T")


class Batcher(Generic[_T]):
    """A queue that yields ten items at once; fewer after a time, or when it is closed.

    Every method may be called by any thread.
    """

    def __init__(self, wait: float) -> None:
        """Make an empty queue, in which an item waits at most `wait` seconds for nine others."""
        self._wait = wait
        self._items: deque[tuple[float, _T]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, items: Sequence[_T]) -> None:
        """Add items."""
        if not items:
            return  # no thread need wake for that
        with self._changed:
            now = time.monotonic()
            before = len(self._items)
            self._items.extend((now, item) for item in items)
            full = len(self._items) // MOST_AT_ONCE - before // MOST_AT_ONCE
            # One thread for each full ten, and one that waits with the items that are left.
            self._changed.notify(full + 1)

    def close(self) -> None:
        """Let `take` return the items that are left without waiting, and then nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> list[_T]:
        """Wait for ten items, or fewer once the first has waited long enough.

        Returns nothing when the queue is closed and empty.
        """
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
