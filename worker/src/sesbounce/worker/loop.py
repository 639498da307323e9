"""The loop: receive, decode, record, and only after the commit delete.

Pollers fill a bounded hand, the main thread commits what has come, deleters delete what is
committed, and a heartbeat keeps what is in hand invisible to others.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from queue import SimpleQueue

import msgspec
import structlog

from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import MOST_AT_ONCE, MOST_IN_FLIGHT, Queue
from sesbounce.backoff import pause
from sesbounce.errors import QueueError, StoreError
from sesbounce.outbound.relay import Courier
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.telemetry.events import Report, Stalled, Swept
from sesbounce.worker.acknowledge import Settler
from sesbounce.worker.batch import Handler
from sesbounce.worker.heartbeat import Heartbeat
from sesbounce.worker.in_flight import Hand, Held
from sesbounce.worker.poller import Poller
from sesbounce.worker.threads import Crew

_SWEEP_SECONDS = 60.0
_SWEEP_AGAIN_SECONDS = 5.0
_DEPTH_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 30.0
# How often the main thread looks up from an empty queue.
_PATIENCE_SECONDS = 0.5
# What the end of the drain leaves for giving back and deleting.
_LAST_SECONDS = 3.0
# How many times in a row a queue must look empty to be taken for empty.
_EMPTY_POLLS = 2

log = structlog.get_logger()


class Pace(msgspec.Struct, frozen=True):
    """How the loop works.

    Attributes:
        batch_size: most messages that are committed at once.
        batch_wait: how long a batch that is not full waits for more, in seconds.
        pollers: how many receives, and how many deletes, may run at once.
        wait_seconds: how long one receive waits for messages.
        visibility_seconds: how long a message stays invisible to others unless extended.
        shutdown_seconds: by when the loop ends after `stop`.
        until_empty: end when the queue is empty, and at the first failure of queue or database.
    """

    batch_size: int = 200
    batch_wait: float = 0.05
    pollers: int = 8
    wait_seconds: int = 20
    visibility_seconds: int = 60
    shutdown_seconds: float = 25.0
    until_empty: bool = False

    @property
    def room(self) -> int:
        """Most messages in hand: a batch in the making, one at work, and one to be deleted."""
        return 3 * self.batch_size + self.pollers * MOST_AT_ONCE

    @property
    def connections(self) -> int:
        """How many calls of SQS may run at once: polls, deletes, and three more."""
        return 2 * self.pollers + 3


def _now() -> datetime:
    return datetime.now(UTC)


class Worker:
    """Drains one queue into one store, until it is told to stop."""

    def __init__(  # noqa: PLR0913  all that it is made of
        self,
        queue: Queue,
        store: Store,
        trust: Trust,
        courier: Courier,
        report: Callable[[Report], None],
        pace: Pace,
        *,
        overdue: Callable[[], None],
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Make one.

        Args:
            queue: to drain.
            store: to record into.
            trust: whom to believe.
            courier: delivers the outbox beside it.
            report: told of all that is done; called by several threads.
            pace: how to work.
            overdue: called when it has not stopped in time: nothing else can end it then.
            now: the clock.
        """
        self._queue = queue
        self._store = store
        self._courier = courier
        self._report = report
        self._pace = pace
        self._overdue = overdue
        self._now = now
        self._orders: SimpleQueue[None] = SimpleQueue()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._deadline = float("inf")
        self._sweep_at = 0.0
        self._crew = Crew()
        self._pollers = Crew()
        self._hand = Hand(pace.room)
        self._poller = Poller(
            queue,
            self._hand,
            report,
            1 if pace.until_empty else pace.wait_seconds,
            pace.visibility_seconds,
            patient=not pace.until_empty,
        )
        self._settler = Settler(queue, self._hand, report)
        self._heartbeat = Heartbeat(queue, self._hand, report, pace.visibility_seconds)
        self._handler = Handler(store, trust, now, self._wait_out)

    def stop(self) -> None:
        """Receive no more, finish what is in hand, and return from `run`.

        Safe in a signal handler: SimpleQueue's put is reentrant, an Event's set is not.
        """
        self._orders.put(None)

    def run(self) -> None:
        """Drain the queue.

        Raises:
            QueueError: SQS refuses for good; or, with `until_empty`, can't be reached.
            StoreError: with `until_empty`: the database can't be used.
        """
        self._start()
        try:
            while not self._drained():
                self._crew.check()
                self._pollers.check()
                self._sweep()
                self._step()
        finally:
            self._end()
        self._crew.check()

    def _start(self) -> None:
        self._crew.start("stopper", self._obey)
        self._crew.start("heartbeat", self._heartbeat.run)
        self._crew.start("gauge", self._gauge)
        self._crew.start("courier", self._courier.run)
        self._settler.start(self._crew, self._pace.pollers)
        self._poller.start(self._pollers, self._pace.pollers)

    def _step(self) -> None:
        """Handle the next batch, or see that there is none."""
        pace = self._pace
        batch = self._hand.take(pace.batch_size, pace.batch_wait, _PATIENCE_SECONDS)
        if batch:
            self._handle(batch)
        elif pace.until_empty and self._is_empty():
            self.stop()
            self._stopping.wait()

    def _handle(self, batch: Sequence[Held]) -> None:
        outcome, done = self._handler.handle(batch)
        self._settler.delete(outcome.done)
        self._settler.give_back(outcome.back)
        settled = {id(held) for held in (*outcome.done, *(held for held, _ in outcome.back))}
        self._hand.let_go(held for held in batch if id(held) not in settled)
        if outcome.error is None:
            self._report(done)
            log.info(
                "batch",
                messages=done.messages,
                undecodable=sum(done.undecodable.values()),
                failed=done.failed,
                seconds=round(done.seconds, 3),
                **_numbers(done.recorded),
            )
        elif not self._stopping.is_set():
            raise outcome.error
        else:
            log.warning("given back", messages=len(outcome.back), problem=str(outcome.error))

    def _wait_out(self, error: StoreError, failures: int) -> bool:
        """Wait before the database is tried again; false where that is not to be."""
        if self._pace.until_empty:
            return False
        self._stalled("not recorded yet", error)
        seconds = pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS)
        return not self._stopping.wait(seconds)

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        try:
            swept = self._store.sweep(self._now())
        except StoreError as error:
            if self._pace.until_empty:
                raise
            self._sweep_at = time.monotonic() + _SWEEP_AGAIN_SECONDS
            self._stalled("not swept", error)
            return
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        self._report(Swept(swept))
        if swept != Recorded():
            log.info("sweep", **_numbers(swept))

    def _stalled(self, what: str, error: StoreError) -> None:
        log.error(what, problem=str(error))
        self._report(Stalled("database", str(error)))

    def _is_empty(self) -> bool:
        # What is in flight or delayed comes back by itself. The counts of SQS are approximate:
        # a queue that says empty has to be found empty as well.
        found = self._poller.empty_in_a_row >= _EMPTY_POLLS and not len(self._hand)
        return found and self._queue.depth().total == 0

    def _drained(self) -> bool:
        if not self._stopping.is_set():
            return False
        if time.monotonic() >= self._deadline:
            return True
        # In this order: a poll puts what it brings in hand before it ends.
        return not self._pollers.at_work and not self._hand.waiting

    def _obey(self) -> None:
        """Wait for the order to stop, and see that it is carried out."""
        self._orders.get()
        left = self._pace.shutdown_seconds
        self._deadline = time.monotonic() + max(left - _LAST_SECONDS, 0)
        self._stopping.set()
        self._poller.stop()
        log.info("stopping", in_hand=len(self._hand))
        if not self._ended.wait(left):
            log.critical("not stopped in time", in_hand=len(self._hand), after_seconds=left)
            self._overdue()

    def _end(self) -> None:
        """Give back what is not begun, settle the rest, and let the threads end."""
        self.stop()
        self._stopping.wait()
        rest = self._hand.take(self._pace.room, 0, 0)
        self._settler.give_back([(held, 0) for held in rest])
        self._settler.close()
        self._courier.stop()
        self._heartbeat.stop()
        self._ended.set()
        if not self._crew.join(_LAST_SECONDS):
            log.warning("some threads are left behind", in_hand=len(self._hand))

    def _gauge(self) -> None:
        """Tell every now and then how much there is to do."""
        while True:
            try:
                depth = self._queue.depth()
                self._report(depth)
                if depth.in_flight >= MOST_IN_FLIGHT:
                    # A long poll says nothing of it, and brings nothing.
                    log.warning("too many in flight: SQS gives no more", messages=depth.in_flight)
            except QueueError as error:
                log.warning("depth unknown", problem=str(error))
            if self._stopping.wait(_DEPTH_SECONDS):
                return


def _numbers(recorded: Recorded) -> dict[str, int]:
    """What was done, for a line of the log; what was refused has a line of its own."""
    for problem, addresses in recorded.refused.items():
        log.error("statement refused", problem=problem, addresses=addresses)
    numbers = msgspec.structs.asdict(recorded)
    refused = sum(recorded.refused.values())
    return {n: v for n, v in numbers.items() if isinstance(v, int)} | {"refused": refused}
