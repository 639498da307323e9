"""Reads the depth of a queue. No failure here hinders the worker: the number is only shown."""

import threading
import time
from collections.abc import Callable

import structlog

from sesbounce.aws.depth import Depth
from sesbounce.aws.sqs import MOST_IN_FLIGHT, Queue
from sesbounce.errors import QueueError

_PERIOD_SECONDS = 30.0
# Dead letters are few, and come rarely.
DEAD_LETTERS_PERIOD_SECONDS = 300.0
_UNKNOWN = Depth()

log = structlog.get_logger()


class Gauge:
    """Reports the depth of the queue, and logs a warning when it becomes unknown.

    While the last reading was zero and polls find nothing since, the depth is still zero: the
    gauge reports it without a call, so that an idle worker pays for its polls alone.

    It logs no second warning for the same cause: the role may lack sqs:GetQueueAttributes, an
    emulator may leave an attribute out, for as long as the worker runs.
    """

    def __init__(
        self,
        queue: Queue,
        report: Callable[[Depth], None],
        found_nothing_since: Callable[[float], bool],
        period_seconds: float = _PERIOD_SECONDS,
        name: str = "queue",
    ) -> None:
        """Make a gauge of the queue.

        Args:
            queue: the queue.
            report: takes a report of each depth, of an unknown one as well.
            found_nothing_since: returns whether SQS has answered polls since a moment of
                `time.monotonic`, each of them without messages.
            period_seconds: the seconds between two readings.
            name: what the log calls the queue.
        """
        self._queue = queue
        self._report = report
        self._found_nothing_since = found_nothing_since
        self._period_seconds = period_seconds
        self._name = name
        self._cause = ""

    def run(self, stopping: threading.Event) -> None:
        """Report the depth at intervals, until `stopping` is set."""
        depth, looked_at = _UNKNOWN, 0.0
        while True:
            still_empty = depth.total == 0 and self._found_nothing_since(looked_at)
            looked_at = time.monotonic()
            if not still_empty:
                depth = self.read()
            self._report(depth)
            if (depth.in_flight or 0) >= MOST_IN_FLIGHT:
                # A long poll then returns no message, and no error.
                log.warning(
                    "too many messages in flight: SQS delivers no more", messages=depth.in_flight
                )
            if stopping.wait(self._period_seconds):
                return

    def read(self) -> Depth:
        """The depth of the queue; its numbers are None where they can't be read."""
        try:
            depth = self._queue.depth()
        except QueueError as error:
            # The text of an error may differ at each call: it may hold the id of a request.
            self._unknown(error.code, str(error))
            return _UNKNOWN
        except Exception as error:  # noqa: BLE001  whatever a proxy or an emulator answers
            self._unknown(type(error).__name__, repr(error))
            return _UNKNOWN
        missing = [name for name in depth.__struct_fields__ if getattr(depth, name) is None]
        if missing:
            names = ", ".join(missing)
            self._unknown(names, f"the queue's attributes lack these numbers: {names}")
        elif self._cause:
            self._cause = ""
            log.info("queue depth known", queue=self._name)
        return depth

    def _unknown(self, cause: str, problem: str) -> None:
        if cause != self._cause:
            self._cause = cause
            log.warning("queue depth unknown", queue=self._name, problem=problem)
