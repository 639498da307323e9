"""The messages in hand: received, and neither deleted nor given back yet.

The hand holds a bounded number of them. Pollers put messages in, the writer takes them out of its
buffer; a message stays in hand until it is let go of, and only then there is room for another.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from sesbounce.aws.sqs import Received


class Held(msgspec.Struct, eq=False):
    """One message in hand.

    Attributes:
        message: as it was received.
        until: when it becomes visible to others, by `time.monotonic`.
        lost: it is visible to others, or will be: whoever gets it next handles it.
    """

    message: Received
    until: float
    lost: bool = False


class Hand:
    """Holds at most `room` messages. Every method may be called by any thread."""

    def __init__(self, room: int) -> None:
        self._free = room
        self._held: set[Held] = set()
        self._buffer: deque[Held] = deque()
        self._first_at = 0.0
        self._lock = threading.Lock()
        self._has_room = threading.Condition(self._lock)
        self._has_enough = threading.Condition(self._lock)
        self._wanted = 1

    def reserve(self, count: int, patience: float) -> bool:
        """Keep room for so many messages; false where there is none after `patience` seconds."""
        with self._has_room:
            if not self._has_room.wait_for(lambda: self._free >= count, patience):
                return False
            self._free -= count
            return True

    def release(self, count: int) -> None:
        """Give up room that was reserved."""
        with self._lock:
            self._make_room(count)

    def put(self, messages: Sequence[Received], until: float) -> None:
        """Take messages in hand, for which room has been reserved."""
        held = [Held(message, until) for message in messages]
        with self._lock:
            if not self._buffer:
                self._first_at = time.monotonic()
            was_short = len(self._buffer) < self._wanted
            self._buffer.extend(held)
            self._held.update(held)
            # Not for each few messages: the writer waits for the first, or for a full batch.
            if was_short and len(self._buffer) >= self._wanted:
                self._has_enough.notify()

    def take(self, most: int, wait: float, patience: float) -> list[Held]:
        """The next messages, the oldest first; they stay in hand.

        Args:
            most: how many at most.
            wait: how long the first one waits for more to come, in seconds.
            patience: how long to wait for the first one, in seconds.
        """
        with self._has_enough:
            self._wanted = 1
            if not self._has_enough.wait_for(lambda: self._buffer, patience):
                return []
            self._wanted = most
            left = self._first_at + wait - time.monotonic()
            self._has_enough.wait_for(lambda: len(self._buffer) >= most, max(left, 0.0))
            taken = [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]
            self._first_at = time.monotonic()
            return taken

    def let_go(self, held: Iterable[Held]) -> None:
        """These are no longer in hand."""
        with self._lock:
            gone = self._held.intersection(held)
            self._held -= gone
            self._make_room(len(gone))

    def due(self, before: float) -> list[Held]:
        """The messages that become visible to others before a time."""
        with self._lock:
            return [held for held in self._held if held.until < before and not held.lost]

    @property
    def waiting(self) -> int:
        """How many messages have not been taken out of the buffer yet."""
        with self._lock:
            return len(self._buffer)

    def __contains__(self, held: Held) -> bool:
        """Whether a message is in hand."""
        with self._lock:
            return held in self._held

    def __len__(self) -> int:
        """How many messages are in hand."""
        with self._lock:
            return len(self._held)

    def _make_room(self, count: int) -> None:
        self._free += count
        self._has_room.notify(count)
