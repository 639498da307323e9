"""Receives messages by long polls: more of them at once for a full queue than for an idle one."""

import math
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import MOST_AT_ONCE, Queue
from sesbounce.backoff import pause
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Polled, Report, Stalled
from sesbounce.worker.in_flight import InFlight
from sesbounce.worker.threads import Threads

_ROOM_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0

log = structlog.get_logger()


class Poller:
    """Polls in threads of its own.

    One thread polls while the queue is idle. A full answer lets one more thread poll, an empty
    answer one less: an idle queue costs three calls a minute, and a stopping worker waits for one.

    Attributes:
        empty_in_a_row: how many answers in a row were empty until now.
    """

    def __init__(
        self,
        queue: Queue,
        in_flight: InFlight,
        report: Callable[[Report], None],
        wait_seconds: int,
        visibility_seconds: int,
        *,
        patient: bool = True,
    ) -> None:
        """Make a poller, whose threads `start` starts.

        Args:
            queue: the queue to receive from.
            in_flight: the messages in flight, to which it adds what it receives.
            report: takes a report of each answer and each failure; called by several threads.
            wait_seconds: how long a poll may wait for messages.
            visibility_seconds: how long messages stay invisible to others.
            patient: whether the poller waits for a queue that can't be reached, and retries.
        """
        self._queue = queue
        self._in_flight = in_flight
        self._report = report
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        self._patient = patient
        self._stopping = False
        self._wanted = 1
        self._threads = 0
        self._ends: dict[int, float] = {}
        self._changed = threading.Condition()
        # When SQS last answered a poll, and when with messages.
        self._answered_at = self._found_at = -math.inf
        self.empty_in_a_row = 0

    def start(self, threads: Threads, pollers: int) -> None:
        """Start the threads, of which at most `pollers` poll at once."""
        self._threads = pollers
        for number in range(pollers):
            threads.start(f"poller-{number}", lambda n=number: self._run(n))  # type: ignore[misc]

    def stop(self) -> None:
        """Begin no further poll. The polls under way still add their messages.

        Their connections are not cut: SQS might already have sent a message, which would then stay
        invisible until its visibility timeout, at the cost of one receive.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def found_nothing_since(self, moment: float) -> bool:
        """Whether SQS has answered polls since a moment, each of them without messages.

        Args:
            moment: the time by `time.monotonic`.
        """
        return self._found_at < moment <= self._answered_at

    @property
    def under_way(self) -> list[float]:
        """The polls that are under way: for each, the seconds until SQS has to answer it."""
        now = time.monotonic()
        return [max(end - now, 0.0) for end in list(self._ends.values())]

    def _run(self, number: int) -> None:
        failures = 0
        while self._may_poll(number):
            if not self._in_flight.reserve(MOST_AT_ONCE, _ROOM_SECONDS):
                continue
            if self._stopping:
                return
            try:
                messages = self._receive(number)
            except QueueError as error:
                self._in_flight.release(MOST_AT_ONCE)
                failures += 1
                self._wait_out(error, failures)
            else:
                failures = 0
                self._add(messages)

    def _receive(self, number: int) -> list[Received]:
        self._ends[number] = time.monotonic() + self._wait_seconds
        try:
            return self._queue.receive(self._wait_seconds, self._visibility_seconds)
        finally:
            del self._ends[number]

    def _add(self, messages: Sequence[Received]) -> None:
        now = time.monotonic()
        visible_at = now + self._visibility_seconds
        if messages:
            self._found_at = now
        self._answered_at = now
        # First, so that the queue never looks empty while messages are on their way into flight.
        self.empty_in_a_row = 0 if messages else self.empty_in_a_row + 1
        self._in_flight.add(messages, visible_at)
        self._in_flight.release(MOST_AT_ONCE - len(messages))
        self._report(Polled(len(messages)))
        if not messages or len(messages) == MOST_AT_ONCE:
            self._adapt(1 if messages else -1)

    def _wait_out(self, error: QueueError, failures: int) -> None:
        if error.lasting or not self._patient:
            raise error
        log.warning("messages not received", problem=str(error), times=failures)
        self._report(Stalled("queue", str(error)))
        with self._changed:
            seconds = pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS)
            self._changed.wait_for(lambda: self._stopping, seconds)

    def _may_poll(self, number: int) -> bool:
        """Wait until this thread should poll; false when no thread should any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or number < self._wanted)
            return not self._stopping

    def _adapt(self, more: int) -> None:
        with self._changed:
            wanted = min(max(self._wanted + more, 1), self._threads)
            if wanted > self._wanted:
                self._changed.notify_all()
            self._wanted = wanted
