"""Reads the depth of the queue. No failure here hinders the worker: the number is only shown."""

import threading
from collections.abc import Callable

import structlog

from sesbounce.aws.depth import Depth
from sesbounce.aws.sqs import MOST_IN_FLIGHT, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Report

_PERIOD_SECONDS = 30.0
_UNKNOWN = Depth()

log = structlog.get_logger()


class Gauge:
    """Reports the depth of the queue, and logs a warning when it becomes unknown.

    It logs no second warning for the same cause: the role may lack sqs:GetQueueAttributes, an
    emulator may leave an attribute out, for as long as the worker runs.
    """

    def __init__(self, queue: Queue, report: Callable[[Report], None]) -> None:
        """Make a gauge of the queue.

        Args:
            queue: the queue.
            report: takes a report of each depth, of an unknown one as well.
        """
        self._queue = queue
        self._report = report
        self._cause = ""

    def run(self, stopping: threading.Event) -> None:
        """Report the depth every half minute, until `stopping` is set."""
        while True:
            depth = self.read()
            self._report(depth)
            if (depth.in_flight or 0) >= MOST_IN_FLIGHT:
                # A long poll then returns no message, and no error.
                log.warning(
                    "too many messages in flight: SQS delivers no more", messages=depth.in_flight
                )
            if stopping.wait(_PERIOD_SECONDS):
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
            log.info("queue depth known")
        return depth

    def _unknown(self, cause: str, problem: str) -> None:
        if cause != self._cause:
            self._cause = cause
            log.warning("queue depth unknown", problem=problem)
