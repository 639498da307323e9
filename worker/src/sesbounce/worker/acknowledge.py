"""Acknowledges messages or returns them to the queue, ten at a time."""

from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError
from sesbounce.telemetry.reports import Acknowledged, Report
from sesbounce.worker.batching import Batcher
from sesbounce.worker.in_flight import InFlight, InFlightMessage
from sesbounce.worker.threads import Threads

# How long fewer than ten messages wait for more.
_FLUSH_SECONDS = 0.2

log = structlog.get_logger()


class Acknowledger:
    """Deletes and returns messages in threads of its own, and takes them out of flight."""

    def __init__(self, queue: Queue, in_flight: InFlight, report: Callable[[Report], None]) -> None:
        """Make an acknowledger, whose threads `start` starts.

        Args:
            queue: the queue to delete from and to return to.
            in_flight: the messages in flight, from which it removes the ones that are done.
            report: takes a report of each call; called by several threads.
        """
        self._queue = queue
        self._in_flight = in_flight
        self._report = report
        self._handled: Batcher[InFlightMessage] = Batcher(_FLUSH_SECONDS)
        self._returned: Batcher[tuple[InFlightMessage, int]] = Batcher(_FLUSH_SECONDS)

    def start(self, threads: Threads, deleters: int) -> None:
        """Start the threads: `deleters` that delete, and one that returns messages."""
        for number in range(deleters):
            threads.start(f"deleter-{number}", self._delete)
        threads.start("returner", self._return)

    def acknowledge(self, messages: Sequence[InFlightMessage]) -> None:
        """Delete messages whose effect is committed."""
        self._handled.put(messages)

    def return_to_queue(self, messages: Sequence[tuple[InFlightMessage, int]]) -> None:
        """Make SQS deliver messages again, each after its number of seconds."""
        for message, _ in messages:
            message.expired = True  # so that the heartbeat does not extend its visibility
        self._returned.put(messages)

    def close(self) -> None:
        """Let the threads delete and return the messages that they have, and end."""
        self._handled.close()
        self._returned.close()

    def _delete(self) -> None:
        while messages := self._handled.take():
            received = [message.received for message in messages]
            failures = self._call(
                "messages not deleted",
                messages,
                lambda r=received: self._queue.delete(r),  # type: ignore[misc]
            )
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
            failures = self._call(
                "messages not returned to the queue",
                messages,
                lambda r=received: self._queue.set_visibility(r),  # type: ignore[misc]
            )
            self._report(
                Acknowledged(
                    returned=len(messages) - failures.count,
                    expired=len(failures.expired),
                    failed=len(failures.failed),
                )
            )

    def _call(
        self, problem: str, messages: Sequence[InFlightMessage], call: Callable[[], BatchFailures]
    ) -> BatchFailures:
        """Make one call, or log the problem; SQS then delivers the messages again by itself."""
        try:
            failures = call()
        except QueueError as error:
            if error.lasting:
                raise
            log.warning(problem, messages=len(messages), problem=str(error))
            failures = BatchFailures(failed=frozenset(m.received.receipt for m in messages))
        finally:
            self._in_flight.remove(messages)
        return failures
