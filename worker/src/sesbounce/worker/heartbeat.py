"""Keeps the messages in hand invisible to others until they are settled."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.sqs import MOST_AT_ONCE, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.events import Report, Settled
from sesbounce.worker.in_flight import Hand, Held

_PERIOD_SECONDS = 1.0

log = structlog.get_logger()


class Heartbeat:
    """Extends the visibility of what is in hand for long, from half of its time on.

    Where that can't be done it is tried again, and the message given up once others may have it:
    what is recorded twice is recognised. No failure here ends the process.
    """

    def __init__(
        self,
        queue: Queue,
        hand: Hand,
        report: Callable[[Report], None],
        visibility_seconds: int,
    ) -> None:
        self._queue = queue
        self._hand = hand
        self._report = report
        self._visibility_seconds = visibility_seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Extend, once a second, until it is stopped."""
        while not self._stopping.wait(_PERIOD_SECONDS):
            try:
                self._beat()
            except QueueError as error:
                log.warning("not extended", problem=str(error))
            except Exception:
                log.exception("heartbeat")

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def _beat(self) -> None:
        due = self._hand.due(time.monotonic() + self._visibility_seconds / 2)
        for start in range(0, len(due), MOST_AT_ONCE):
            self._extend(due[start : start + MOST_AT_ONCE])

    def _extend(self, held: Sequence[Held]) -> None:
        asked_at = time.monotonic()
        answer = self._queue.set_visibility(
            [(one.message, self._visibility_seconds) for one in held]
        )
        lost = 0
        for one in held:
            if one.message.receipt in answer.expired:
                one.lost = True
                lost += one in self._hand  # not one that has just been deleted
            elif one.message.receipt not in answer.failed:
                one.until = asked_at + self._visibility_seconds
        if lost:
            log.warning("visibility lost", messages=lost)
            self._report(Settled(expired=lost))
