"""The loop: receive, decode, record, and only after the commit delete."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from sesbounce.decode import Decoded, decode
from sesbounce.errors import CertificateError, MessageError, StoreError
from sesbounce.notification import Kind
from sesbounce.queue import Queue, Received
from sesbounce.store import Recorded, Store
from sesbounce.trust import Trust

_SWEEP_EVERY = timedelta(minutes=1)

log = structlog.get_logger()


class Totals(msgspec.Struct):
    """What a run did, in numbers of messages, and of facts, addresses and rows."""

    received: int = 0
    deleted: int = 0
    undecodable: int = 0
    failed: int = 0
    recorded: Recorded = msgspec.field(default_factory=Recorded)


class _InHand(msgspec.Struct, frozen=True):
    """A received message and its meaning."""

    received: Received
    decoded: Decoded


def _now() -> datetime:
    return datetime.now(UTC)


class Worker:
    """Drains one queue into one store, until it is told to stop."""

    def __init__(
        self,
        queue: Queue,
        store: Store,
        trust: Trust,
        wait_seconds: int,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._queue = queue
        self._store = store
        self._trust = trust
        self._wait_seconds = wait_seconds
        self._now = now
        self._stopping = threading.Event()
        self._swept_at: datetime | None = None
        self.totals = Totals()

    def stop(self) -> None:
        """Finish what is in hand, then return from `run`. Safe in a signal handler."""
        self._stopping.set()

    def run(self, *, until_empty: bool = False) -> Totals:
        """Drain the queue; with `until_empty`, return when nothing is left in it.

        Raises:
            QueueError: SQS refuses or can't be reached, in spite of boto3's own retries.
            StoreError: the database can't be reached.
        """
        while not self._stopping.is_set():
            self._sweep()
            messages = self._queue.receive(0 if until_empty else self._wait_seconds)
            if messages:
                self._handle(messages)
            elif until_empty:
                if self._queue.depth() == 0:
                    break
                # What is left is in flight or delayed: it comes back by itself.
                self._stopping.wait(timeout=0.5)
        return self.totals

    def _handle(self, messages: Sequence[Received]) -> None:
        self.totals.received += len(messages)
        in_hand = [m for m in map(self._decode, messages) if m]
        recorded, done = self._record(in_hand)
        not_deleted = self._queue.delete([message.received for message in done])
        self.totals.deleted += len(done) - not_deleted
        self.totals.recorded.add(recorded)
        log.info(
            "batch",
            received=len(messages),
            undecodable=len(messages) - len(in_hand),
            failed=len(in_hand) - len(done),
            not_deleted=not_deleted,
            **msgspec.structs.asdict(recorded),
        )

    def _decode(self, message: Received) -> _InHand | None:
        """The message and its meaning; one that has none goes back, on its way to the DLQ."""
        try:
            decoded = decode(message.body, message.sent_at)
            self._trust.check(decoded.sns)
            if decoded.kind in (Kind.SETUP, Kind.UNKNOWN):
                # Nothing follows from it, and nobody should have to guess what it was.
                log.info(decoded.kind.value, message_id=message.id, type=decoded.type)
            return _InHand(message, decoded)
        except CertificateError as error:
            self.totals.failed += 1
            log.warning("not verified", message_id=message.id, problem=str(error))
            self._queue.give_back(message)
            return None
        except MessageError as error:
            self.totals.undecodable += 1
            log.warning(
                "undecodable",
                message_id=message.id,
                problem=error.problem,
                place=error.place,
                fingerprint=error.fingerprint,
                times=message.times,
                again_in_seconds=self._queue.give_back(message),
            )
            return None

    def _record(self, batch: Sequence[_InHand]) -> tuple[Recorded, list[_InHand]]:
        """Commit the batch; halve it around a message that can't be, so that it costs only itself.

        Returns:
            What was recorded, and the messages that may be deleted.
        """
        if not batch:
            return Recorded(), []
        try:
            return self._store.record([m.decoded for m in batch], self._now()), list(batch)
        except StoreError as error:
            self._store.ping()  # a database that is gone is nobody's poison
            if len(batch) == 1:
                self.totals.failed += 1
                log.error(  # noqa: TRY400  a traceback could quote an address
                    "not recorded",
                    message_id=batch[0].received.id,
                    problem=str(error),
                    times=batch[0].received.times,
                    again_in_seconds=self._queue.give_back(batch[0].received),
                )
                return Recorded(), []
        middle = len(batch) // 2
        recorded, done = self._record(batch[:middle])
        more, rest = self._record(batch[middle:])
        recorded.add(more)
        return recorded, done + rest

    def _sweep(self) -> None:
        now = self._now()
        if self._swept_at is None or now - self._swept_at >= _SWEEP_EVERY:
            self._swept_at = now
            swept = self._store.sweep(now)
            self.totals.recorded.add(swept)
            if swept != Recorded():
                log.info("sweep", **msgspec.structs.asdict(swept))
