"""The loop: receive, decode, record, and only after the commit delete.

Pollers add messages up to a bound, the main thread commits what has come, deleters delete what is
committed, and a heartbeat keeps the messages in flight invisible to others.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue

import msgspec
import structlog

from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import MOST_AT_ONCE, Queue
from sesbounce.backoff import pause
from sesbounce.errors import StoreError
from sesbounce.feedback.decode import decode_all
from sesbounce.feedback.stream import ONE_STREAM, StreamBy
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound.relay import Relay
from sesbounce.store.store import Store
from sesbounce.telemetry.reports import Report, Stalled
from sesbounce.worker.acknowledge import Acknowledger
from sesbounce.worker.batch import Handler, log_batch
from sesbounce.worker.gauge import Gauge
from sesbounce.worker.heartbeat import Heartbeat
from sesbounce.worker.in_flight import InFlight, InFlightMessage
from sesbounce.worker.poller import Poller
from sesbounce.worker.presence import Presence
from sesbounce.worker.sweep import Sweeper
from sesbounce.worker.threads import Threads
from sesbounce.worker.unverified import Unverified

_SWEEP_SECONDS = 60.0
_SWEEP_RETRY_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 30.0
# How long the main thread waits for a message before it looks whether it may end.
_TAKE_SECONDS = 0.5
# The part of the shutdown time in which messages are returned and deleted.
_LAST_SECONDS = 3.0
# A queue counts as empty after this many empty answers in a row.
_EMPTY_POLLS = 2
# The same, where SQS does not say how many messages are left.
_EMPTY_POLLS_ALONE = 5

log = structlog.get_logger()


class LoopSettings(msgspec.Struct, frozen=True):
    """The settings of the loop.

    Attributes:
        batch_size: the most messages that the worker commits at once.
        batch_wait: how long a batch that is not full waits for more messages, in seconds.
        pollers: how many receives, and how many deletes, may run at once.
        wait_seconds: how long one receive waits for messages.
        visibility_seconds: how long a message stays invisible to others unless extended.
        shutdown_seconds: the seconds from `stop` to the end of the loop, at most.
        until_empty: whether the loop ends when the queue is empty, the sweep is done and each
            due entry of the outbox was tried; and at the first failure of the queue or the
            database.
        tags: the names of the tags of mails that events keep.
        stream_by: what the stream of a mail is.
    """

    batch_size: int = 200
    batch_wait: float = 0.05
    pollers: int = 12
    wait_seconds: int = 20
    visibility_seconds: int = 60
    shutdown_seconds: float = 25.0
    until_empty: bool = False
    tags: tuple[str, ...] = ()
    stream_by: StreamBy = ONE_STREAM

    @property
    def room(self) -> int:
        """The most messages in flight: a batch to come, one at work, one to delete, and polls."""
        return 3 * self.batch_size + self.pollers * MOST_AT_ONCE

    @property
    def connections(self) -> int:
        """How many calls of SQS may run at once: polls, deletes, and four others."""
        return 2 * self.pollers + 4


def _now() -> datetime:
    return datetime.now(UTC)


class Worker:
    """Drains one queue into one store, until `stop`."""

    def __init__(  # noqa: PLR0913  all the parts that work together
        self,
        queue: Queue,
        store: Store,
        trust: Trust,
        relay: Relay,
        report: Callable[[Report], None],
        loop_settings: LoopSettings,
        *,
        incidents: Incidents,
        presence: Presence,
        overdue: Callable[[], None],
        dead_letters: Gauge | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Make a worker.

        Args:
            queue: the queue to drain.
            store: the store to record into.
            trust: verifies that messages come from the allowed SNS topics.
            relay: delivers the outbox, in a thread for each target.
            report: takes the worker's reports; called by several threads.
            loop_settings: batch size, times and limits.
            incidents: detects incidents, after each sweep of the store.
            presence: writes into the database that the worker lives, and what it sees.
            overdue: called when the worker has not stopped in time; it has to end the process,
                because the main thread hangs in a call.
            dead_letters: reports the depth of the dead-letter queue, if the worker may read it.
            now: returns the time, UTC.
        """
        report = presence.watching(report)
        self._queue = queue
        self._store = store
        self._presence = presence
        self._dead_letters = dead_letters
        self._sweeper = Sweeper(store, incidents, report, now, presence)
        self._relay = relay
        self._report = report
        self._loop_settings = loop_settings
        self._overdue = overdue
        self._stops: SimpleQueue[None] = SimpleQueue()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._deadline = float("inf")
        self._sweep_at = 0.0
        self._unswept = True
        # When the latest commit ended that may have added entries to the outbox.
        self._committed_at = 0.0
        self._in_flight = InFlight(loop_settings.room)
        self._threads, self._pollers, self._fetchers = (
            Threads(self._in_flight.interrupt) for _ in range(3)
        )
        self._poller = Poller(
            queue,
            self._in_flight,
            report,
            1 if loop_settings.until_empty else loop_settings.wait_seconds,
            loop_settings.visibility_seconds,
            patient=not loop_settings.until_empty,
        )
        self._acknowledger = Acknowledger(queue, self._in_flight, report)
        self._gauge = Gauge(queue, report, self._poller.found_nothing_since)
        self._unverified = Unverified(
            trust,
            self._in_flight,
            report,
            patient=not loop_settings.until_empty,
        )
        self._heartbeat = Heartbeat(
            queue, self._in_flight, report, loop_settings.visibility_seconds
        )
        decode_body = partial(
            decode_all, tags=loop_settings.tags, stream_by=loop_settings.stream_by
        )
        self._handler = Handler(store, trust, now, self._wait_out, decode_body)

    def stop(self) -> None:
        """Make `run` receive no more, finish the messages in flight, and return.

        Safe in a signal handler: SimpleQueue's put is reentrant, an Event's set is not.
        """
        self._stops.put(None)

    def run(self) -> None:
        """Drain the queue.

        Raises:
            QueueError: SQS rejects a call, and a retry would not help; or, with `until_empty`,
                SQS can't be reached.
            StoreError: with `until_empty`, the database can't be used.
            CertificateError: with `until_empty`, a certificate of SNS can't be fetched.
        """
        self._start()
        try:
            while not self._drained():
                self._threads.check()
                self._pollers.check()
                self._fetchers.check()
                self._sweep()
                self._step()
            self._threads.start("presence", self._presence.end)
        finally:
            self._end()
        self._threads.check()

    def _start(self) -> None:
        self._threads.start("stopper", self._wait_for_stop)
        self._threads.start("heartbeat", self._heartbeat.run)
        self._threads.start("gauge", lambda: self._gauge.run(self._stopping))
        if dead_letters := self._dead_letters:
            self._threads.start("dead letters", lambda: dead_letters.run(self._stopping))
        for target, loop in self._relay.loops.items():
            self._threads.start(f"relay to {target}", loop)
        self._acknowledger.start(self._threads, self._loop_settings.pollers)
        self._unverified.start(self._fetchers)
        self._poller.start(self._pollers, self._loop_settings.pollers)

    def _step(self) -> None:
        """Handle the next batch; where there is none, stop if the queue is empty and may be."""
        loop_settings = self._loop_settings
        batch = self._in_flight.take(
            loop_settings.batch_size, loop_settings.batch_wait, self._patience()
        )
        if batch:
            self._handle(batch)
        elif loop_settings.until_empty and self._is_empty():
            if self._unswept:
                self._sweep_at = 0.0
            elif self._relay.has_tried_since(self._committed_at):
                self.stop()
                self._stopping.wait()
            else:
                self._relay.wake()

    def _patience(self) -> float:
        """How long to wait for a message: until the sweep, unless the loop is about to end.

        A thread that fails, and `stop`, interrupt the wait.
        """
        if self._loop_settings.until_empty or self._stopping.is_set():
            return _TAKE_SECONDS
        return max(self._sweep_at - time.monotonic(), 0.0)

    def _handle(self, batch: Sequence[InFlightMessage]) -> None:
        outcome, done = self._handler.handle(batch)
        self._committed_at = time.monotonic()
        self._unswept = True
        if done.recorded.pending:
            self._sweep_at = 0.0
        if done.recorded.suppressed or done.recorded.released:
            self._relay.wake()
        self._acknowledger.acknowledge(outcome.handled)
        self._acknowledger.return_to_queue(outcome.returned)
        waiting = {id(m) for m, _ in (*outcome.returned, *outcome.unverified)}
        sorted_ = waiting.union(map(id, outcome.handled))
        self._in_flight.remove(message for message in batch if id(message) not in sorted_)
        self._unverified.add(outcome.unverified)
        if len(outcome.unverified) == len(batch):
            return
        if outcome.error is None:
            self._report(done)
            log_batch(done)
        elif not self._stopping.is_set():
            raise outcome.error
        else:
            log.warning(
                "messages returned to the queue",
                messages=len(outcome.returned),
                problem=str(outcome.error),
            )

    def _wait_out(self, error: StoreError, failures: int) -> bool:
        """Wait before the next attempt at the database; false where there must be none."""
        if self._loop_settings.until_empty:
            return False
        self._stalled("batch not recorded yet", error)
        seconds = pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS)
        return not self._stopping.wait(seconds)

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        try:
            ended = self._sweeper.sweep()
            # A sweep whose time is spent goes on after the next batch.
            self._committed_at = time.monotonic()
            self._sweep_at = self._committed_at + (_SWEEP_SECONDS if ended else 0.0)
            self._unswept = not ended
            self._relay.wake()
        except StoreError as error:
            if self._loop_settings.until_empty:
                raise
            self._sweep_at = time.monotonic() + _SWEEP_RETRY_SECONDS
            self._stalled("sweep not committed yet", error)

    def _stalled(self, event: str, error: StoreError) -> None:
        log.error(event, problem=str(error))
        self._report(Stalled("database", str(error)))

    def _is_empty(self) -> bool:
        # SQS delivers messages that are in flight or delayed later. Its counts are approximate:
        # polls have to find the queue empty as well.
        polls = self._poller.empty_in_a_row
        if polls < _EMPTY_POLLS or len(self._in_flight) or self._store.progress:
            return False
        depth = self._gauge.read()
        self._presence.add(depth)
        return depth.at_least == 0 and (depth.known or polls >= _EMPTY_POLLS_ALONE)

    def _drained(self) -> bool:
        if not self._stopping.is_set():
            return False
        if time.monotonic() >= self._deadline:
            return True
        # In this order: a poll adds its messages before its thread ends.
        return not self._pollers.running and not self._in_flight.buffered

    def _wait_for_stop(self) -> None:
        """Wait for `stop`, stop the other threads, and end the process if they take too long."""
        self._stops.get()
        left = self._loop_settings.shutdown_seconds
        self._deadline = time.monotonic() + max(left - _LAST_SECONDS, 0)
        self._poller.stop()
        self._stopping.set()
        self._in_flight.interrupt()
        polls = self._poller.under_way
        log.info(
            "stopping",
            in_flight=len(self._in_flight),
            receives_under_way=len(polls),
            up_to_seconds=math.ceil(max(polls, default=0.0)),
            advice="a second signal ends the worker at once; nothing is lost",
        )
        if not self._ended.wait(left):
            log.critical(
                "worker not stopped in time", in_flight=len(self._in_flight), after_seconds=left
            )
            self._overdue()

    def _end(self) -> None:
        """Return the messages that are not begun, acknowledge the others, and end the threads."""
        self.stop()
        self._stopping.wait()
        if len(self._in_flight):
            # A receive that is under way would get them at once, and use up one more receive.
            self._pollers.join(max(self._deadline - time.monotonic(), 0.0))
        rest = self._unverified.stop()
        rest += self._in_flight.take(self._loop_settings.room, 0, 0)
        self._acknowledger.return_to_queue([(message, 0) for message in rest])
        self._acknowledger.close()
        self._relay.stop()
        self._heartbeat.stop()
        self._ended.set()
        if not self._threads.join(_LAST_SECONDS):
            log.warning("threads still running", in_flight=len(self._in_flight))
