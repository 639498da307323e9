"""Acknowledges messages or returns them to the queue, ten at a time."""

from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Acknowledged, Report
from sesbounce.worker.batching import Batcher
from sesbounce.worker.in_flight import InFlight, InFlightMessage
from sesbounce.worker.threads import Threads

# How long fewer than ten messages wait for more; nothing else waits for them.
_FLUSH_SECONDS = 0.2

log = structlog.get_logger()


class Acknowledger:
    """Deletes and returns messages in threads of its own, and takes them out of flight."""

    def __init__(self, queue: Queue, in_flight: InFlight, report: Callable[[Report], None]) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._report = report
        self._handled: Batcher[InFlightMessage] = Batcher(_FLUSH_SECONDS)
        self._returned: Batcher[tuple[InFlightMessage, int]] = Batcher(_FLUSH_SECONDS)

    def start(self, threads: Threads, deleters: int) -> None:
        """Start the threads, of which `deleters` delete at the same time."""
        for number in range(deleters):
            threads.start(f"deleter-{number}", self._delete)
        threads.start("returner", self._return)

    def acknowledge(self, messages: Sequence[InFlightMessage]) -> None:
        """Delete messages whose effect is committed."""
        self._handled.put(messages)

    def return_to_queue(self, messages: Sequence[tuple[InFlightMessage, int]]) -> None:
        """Have SQS deliver messages again, each after so many seconds."""
        for message, _ in messages:
            message.expired = True  # or a heartbeat might hide it again
        self._returned.put(messages)

    def close(self) -> None:
        """Delete and return what is there, and let the threads end."""
        self._handled.close()
        self._returned.close()

    def _delete(self) -> None:
        while messages := self._handled.take():
            received = [message.received for message in messages]
            failures = self._call(messages, lambda r=received: self._queue.delete(r))  # type: ignore[misc]
            self._report(
                Acknowledged(
                    deleted=len(messages) - failures.count,
                    expired=len(failures.expired),
                    failed=len(failures.failed),
                )
            )

    def _return(self) -> None:
        while entries := self._returned.take():
            received = [(message.received, seconds) for message, seconds in entries]
            messages = [message for message, _ in entries]
            failures = self._call(messages, lambda r=received: self._queue.set_visibility(r))  # type: ignore[misc]
            self._report(
                Acknowledged(
                    returned=len(messages) - failures.count,
                    expired=len(failures.expired),
                    failed=len(failures.failed),
                )
            )

    def _call(
        self, messages: Sequence[InFlightMessage], call: Callable[[], BatchFailures]
    ) -> BatchFailures:
        """Make one call; SQS delivers again, after the visibility timeout, what it has not done."""
        try:
            failures = call()
        except QueueError as error:
            if error.lasting:
                raise
            log.warning("not acknowledged", messages=len(messages), problem=str(error))
            failures = BatchFailures(failed=frozenset(m.received.receipt for m in messages))
        finally:
            self._in_flight.remove(messages)
        return failures
