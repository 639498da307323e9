"""The messages in flight: received, and neither acknowledged nor returned to the queue yet.

The worker holds a bounded number of them. Pollers add messages, the writer takes them out of the
buffer; a message stays in flight until it is removed, and only then is there room for another.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from sesbounce.aws.received import Received


class InFlightMessage(msgspec.Struct, eq=False):
    """One message in flight.

    Attributes:
        received: the message as SQS delivered it.
        visible_at: when others can receive it, by `time.monotonic`.
        expired: whether others can receive it by now, or soon will: its next receiver handles it.
    """

    received: Received
    visible_at: float
    expired: bool = False


class InFlight:
    """Holds at most `room` messages. Every method may be called by any thread."""

    def __init__(self, room: int) -> None:
        """Begin without messages, and with room for that many."""
        self._free = room
        self._messages: set[InFlightMessage] = set()
        self._buffer: deque[InFlightMessage] = deque()
        self._first_at = 0.0
        self._lock = threading.Lock()
        self._has_room = threading.Condition(self._lock)
        self._has_enough = threading.Condition(self._lock)
        self._wanted = 1
        self._interrupted = False
        self._reserved = 1

    def reserve(self, count: int, timeout: float) -> bool:
        """Reserve room for `count` messages; false where there is none after `timeout` seconds.

        Every caller reserves the same number.
        """
        with self._has_room:
            self._reserved = count
            if not self._has_room.wait_for(lambda: self._free >= count, timeout):
                return False
            self._free -= count
            return True

    def release(self, count: int) -> None:
        """Release room for `count` messages that was reserved."""
        with self._lock:
            self._make_room(count)

    def add(self, received: Sequence[Received], visible_at: float) -> None:
        """Add messages for which room is reserved; others can receive them at `visible_at`."""
        messages = [InFlightMessage(one, visible_at) for one in received]
        with self._lock:
            self._messages.update(messages)
            self._append(messages)

    def put_back(self, messages: Sequence[InFlightMessage]) -> None:
        """Put messages that were taken, and are still in flight, back into the buffer."""
        with self._lock:
            self._append(messages)

    def take(self, most: int, wait: float, timeout: float) -> list[InFlightMessage]:
        """Take the next messages out of the buffer, the oldest first; they stay in flight.

        Returns none after `timeout` seconds without a message, or after `interrupt`.

        Args:
            most: the number of messages to take at most.
            wait: how long the first message waits for more messages, in seconds.
            timeout: how long to wait for the first message, in seconds.
        """
        with self._has_enough:
            self._wanted = 1
            self._has_enough.wait_for(lambda: self._buffer or self._interrupted, timeout)
            self._interrupted = False
            if not self._buffer:
                return []
            self._wanted = most
            left = self._first_at + wait - time.monotonic()
            self._has_enough.wait_for(lambda: len(self._buffer) >= most, max(left, 0.0))
            taken = [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]
            self._first_at = time.monotonic()
            return taken

    def interrupt(self) -> None:
        """Make the `take` that waits for its first message, or the next one, wait no longer."""
        with self._lock:
            self._interrupted = True
            self._has_enough.notify()

    def remove(self, messages: Iterable[InFlightMessage]) -> None:
        """Take messages out of flight, which makes room for others."""
        with self._lock:
            gone = self._messages.intersection(messages)
            self._messages -= gone
            self._make_room(len(gone))

    def visible_before(self, time: float) -> list[InFlightMessage]:
        """The messages that others can receive before a time, unless they have expired."""
        with self._lock:
            return [m for m in self._messages if m.visible_at < time and not m.expired]

    @property
    def first_visible_at(self) -> float:
        """When others can receive the first of the messages that have not expired."""
        with self._lock:
            return min((m.visible_at for m in self._messages if not m.expired), default=math.inf)

    @property
    def buffered(self) -> int:
        """How many messages the writer has not taken yet."""
        with self._lock:
            return len(self._buffer)

    def __contains__(self, message: InFlightMessage) -> bool:
        """Whether a message is in flight."""
        with self._lock:
            return message in self._messages

    def __len__(self) -> int:
        """How many messages are in flight."""
        with self._lock:
            return len(self._messages)

    def _append(self, messages: Sequence[InFlightMessage]) -> None:
        if not self._buffer:
            self._first_at = time.monotonic()
        was_short = len(self._buffer) < self._wanted
        self._buffer.extend(messages)
        # The writer waits for the first message, or for a full batch: it needs no other notice.
        if was_short and len(self._buffer) >= self._wanted:
            self._has_enough.notify()

    def _make_room(self, count: int) -> None:
        self._free += count
        # One more waiting thread would wake for nothing.
        self._has_room.notify(self._free // self._reserved)
