"""The loop: receive, decode, record, and only after the commit delete."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from sesbounce.courier import Courier
from sesbounce.decode import Decoded, decode
from sesbounce.errors import CertificateError, MessageError, QueueError, RowError
from sesbounce.notification import Kind
from sesbounce.queue import Queue, Received
from sesbounce.recorded import Recorded
from sesbounce.store import Store
from sesbounce.trust import Trust

_SWEEP_EVERY = timedelta(minutes=1)
# How many times in a row a queue must look empty to be taken for empty.
_EMPTY_ROUNDS = 2

log = structlog.get_logger()


class Totals(msgspec.Struct):
    """What a run did, in numbers of messages, and of facts, addresses and rows."""

    received: int = 0
    deleted: int = 0
    undecodable: int = 0
    failed: int = 0
    recorded: Recorded = msgspec.field(default_factory=Recorded)


class _Batch(msgspec.Struct):
    """What goes wrong in one batch.

    Attributes:
        undecodable: how many messages were not understood.
        failed: how many were, and could not be recorded or verified.
        refused: those to be given back.
    """

    undecodable: int = 0
    failed: int = 0
    refused: list[Received] = msgspec.field(default_factory=list)


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
        courier: Courier,
        wait_seconds: int,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._queue = queue
        self._store = store
        self._trust = trust
        self._courier = courier
        self._wait_seconds = wait_seconds
        self._now = now
        self._stopping = False
        self._swept_at: datetime | None = None
        self.totals = Totals()

    def stop(self) -> None:
        """Finish what is in hand, then return from `run`. Safe in a signal handler."""
        self._stopping = True

    def run(self, *, until_empty: bool = False) -> Totals:
        """Drain the queue; with `until_empty`, return when nothing is left in it.

        Raises:
            QueueError: SQS refuses or can't be reached, in spite of boto3's own retries.
            StoreError: the database can't be used; the messages in hand come again.
        """
        empty = 0
        while not self._stopping and empty < _EMPTY_ROUNDS:
            self._courier.check()
            self._sweep()
            messages = self._queue.receive(1 if until_empty else self._wait_seconds)
            if messages:
                self._handle(messages)
            if until_empty:
                # What is in flight or delayed comes back by itself. The counts of SQS are
                # approximate: one that says empty is asked again.
                empty = 0 if messages or self._queue.depth() else empty + 1
        return self.totals

    def _handle(self, messages: Sequence[Received]) -> None:
        """Record what is understood and delete it; only then give back the rest."""
        batch = _Batch()
        in_hand = [m for m in (self._decode(message, batch) for message in messages) if m]
        recorded, done = self._record(in_hand, batch)
        not_deleted = self._queue.delete([message.received for message in done])
        self._give_back(batch.refused)
        totals = self.totals
        totals.received += len(messages)
        totals.deleted += len(done) - not_deleted
        totals.undecodable += batch.undecodable
        totals.failed += batch.failed
        totals.recorded.add(recorded)
        log.info(
            "batch",
            received=len(messages),
            undecodable=batch.undecodable,
            failed=batch.failed,
            not_deleted=not_deleted,
            **_numbers(recorded),
        )

    def _decode(self, message: Received, batch: _Batch) -> _InHand | None:
        """The message and its meaning; one that has none is on its way to the DLQ."""
        try:
            decoded = decode(message.body, message.sent_at)
            self._trust.check(decoded.sns)
        except CertificateError as error:
            # It is not the message's fault: it comes again after the visibility timeout.
            batch.failed += 1
            log.warning("not verified", message_id=message.id, problem=str(error))
            return None
        except MessageError as error:
            batch.undecodable += 1
            batch.refused.append(message)
            log.warning(
                "undecodable",
                message_id=message.id,
                problem=error.problem,
                place=error.place,
                fingerprint=error.fingerprint,
                times=message.times,
            )
            return None
        if decoded.kind in (Kind.SETUP, Kind.UNKNOWN):
            # Nothing follows from it, and nobody should have to guess what it was.
            log.info(decoded.kind.value, message_id=message.id, type=decoded.type)
        return _InHand(message, decoded)

    def _record(self, messages: Sequence[_InHand], batch: _Batch) -> tuple[Recorded, list[_InHand]]:
        """Commit the messages; halve them around one that is refused, which costs only itself.

        Returns:
            What was recorded, and the messages that may be deleted.
        """
        if not messages:
            return Recorded(), []
        try:
            recorded = self._store.record([m.decoded for m in messages], self._now())
            return recorded, list(messages)
        except RowError as error:
            if len(messages) == 1:
                received = messages[0].received
                batch.failed += 1
                batch.refused.append(received)
                log.error(  # noqa: TRY400  a traceback could quote an address
                    "not recorded",
                    message_id=received.id,
                    problem=str(error),
                    times=received.times,
                )
                return Recorded(), []
        middle = len(messages) // 2
        recorded, done = self._record(messages[:middle], batch)
        more, rest = self._record(messages[middle:], batch)
        recorded.add(more)
        return recorded, done + rest

    def _give_back(self, messages: Sequence[Received]) -> None:
        for message in messages:
            try:
                delay = self._queue.give_back(message)
                log.info("given back", message_id=message.id, again_in_seconds=delay)
            except QueueError as error:
                # SQS brings it back by itself, after the visibility timeout.
                log.warning("not given back", message_id=message.id, problem=str(error))

    def _sweep(self) -> None:
        now = self._now()
        if self._swept_at is None or now - self._swept_at >= _SWEEP_EVERY:
            self._swept_at = now
            swept = self._store.sweep(now)
            self.totals.recorded.add(swept)
            if swept != Recorded():
                log.info("sweep", **_numbers(swept))


def _numbers(recorded: Recorded) -> dict[str, int]:
    """What was done, for a line of the log; what was refused has a line of its own."""
    for problem, addresses in recorded.refused.items():
        log.error("statement refused", problem=problem, addresses=addresses)
    numbers: dict[str, int] = msgspec.structs.asdict(recorded)
    return numbers | {"refused": sum(recorded.refused.values())}
