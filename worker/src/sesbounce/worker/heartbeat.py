"""Keeps the messages in flight invisible to others."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.sqs import MOST_AT_ONCE, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Acknowledged, Report
from sesbounce.worker.in_flight import InFlight, InFlightMessage

# The shortest wait between two beats: that of a message which SQS fails to extend.
_PERIOD_SECONDS = 1.0

log = structlog.get_logger()


class Heartbeat:
    """Extends the visibility timeout of messages that are in flight for more than half of it.

    The heartbeat retries where SQS fails to extend. It marks a message as expired once others may
    have received it: the store recognises an event that is recorded twice. No failure here ends
    the process.
    """

    def __init__(
        self,
        queue: Queue,
        in_flight: InFlight,
        report: Callable[[Report], None],
        visibility_seconds: int,
    ) -> None:
        """Make a heartbeat.

        Args:
            queue: the queue of the messages.
            in_flight: the messages in flight.
            report: takes a report of messages that have expired.
            visibility_seconds: the new visibility timeout, from the moment of each extension.
        """
        self._queue = queue
        self._in_flight = in_flight
        self._report = report
        self._visibility_seconds = visibility_seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Extend visibility timeouts, each when half of it has passed, until `stop`."""
        while not self._stopping.wait(self._wait()):
            try:
                self._beat()
            except QueueError as error:
                log.warning("visibility not extended", problem=str(error))
            except Exception:
                log.exception("heartbeat failed")

    def stop(self) -> None:
        """Make `run` return at once, or within the time of one call."""
        self._stopping.set()

    def _wait(self) -> float:
        """Seconds until the first message may be due.

        A message that comes into flight meanwhile is not due before half of its timeout.
        """
        half = self._visibility_seconds / 2
        due = self._in_flight.first_visible_at - half - time.monotonic()
        return max(_PERIOD_SECONDS, min(due, half))

    def _beat(self) -> None:
        due = self._in_flight.visible_before(time.monotonic() + self._visibility_seconds / 2)
        for start in range(0, len(due), MOST_AT_ONCE):
            self._extend(due[start : start + MOST_AT_ONCE])

    def _extend(self, messages: Sequence[InFlightMessage]) -> None:
        asked_at = time.monotonic()
        answer = self._queue.set_visibility(
            [(message.received, self._visibility_seconds) for message in messages]
        )
        expired = 0
        for message in messages:
            receipt = message.received.receipt
            if receipt in answer.expired:
                message.expired = True
                expired += message in self._in_flight  # not one that has just been deleted
            elif receipt not in answer.failed:
                message.visible_at = asked_at + self._visibility_seconds
        if expired:
            log.warning("visibility expired", messages=expired)
            self._report(Acknowledged(expired=expired))
