"""Handles one batch: decodes it, records it, and sorts its messages."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import structlog

from sesbounce.aws.sns_trust import Trust
from sesbounce.backoff import pause
from sesbounce.errors import CertificateError, MessageError, RowError, StoreError
from sesbounce.feedback.decode import Decoded, decode_all
from sesbounce.feedback.kind import Kind
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.telemetry.reports import BatchDone
from sesbounce.worker.in_flight import InFlightMessage

# A message whose certificate does not exist must not reach the DLQ within seconds.
_CERTIFICATE_PAUSE_SECONDS = 60.0

log = structlog.get_logger()


class Outcome(msgspec.Struct):
    """Sorts a batch into messages to acknowledge and messages to return to the queue.

    A message in no list has outlived its visibility timeout: its next receiver handles it.

    Attributes:
        handled: messages whose effect is committed, and which the worker can delete.
        returned: messages to return to the queue, each with the seconds until SQS delivers it.
        unverified: messages whose certificate has to be fetched first, each with its URL.
        undecodable: how many of these were not understood, by the fingerprint of the failure.
        failed: how many of these were understood, and could not be verified or recorded.
        unknown: how many messages are of a type that this version does not know; it keeps them.
        unreadable: how many recipients have no address that can be read.
        recorded: what recording did.
        commit_seconds: how long the database took.
        error: why the database can't be used, where messages are returned because of that.
    """

    handled: list[InFlightMessage] = msgspec.field(default_factory=list)
    returned: list[tuple[InFlightMessage, int]] = msgspec.field(default_factory=list)
    unverified: list[tuple[InFlightMessage, str]] = msgspec.field(default_factory=list)
    undecodable: dict[str, int] = msgspec.field(default_factory=dict)
    failed: int = 0
    unknown: int = 0
    unreadable: int = 0
    recorded: Recorded = msgspec.field(default_factory=Recorded)
    commit_seconds: float = 0.0
    error: StoreError | None = None


class _Understood(msgspec.Struct, frozen=True):
    """A queue message and what it means.

    Attributes:
        message: the queue message.
        decoded: the messages of SES in it that are understood: one, or several in a wrapper.
        whole: whether these are all. If not, the queue message is returned to the queue in any
            case, for what is not understood in it.
    """

    message: InFlightMessage
    decoded: Sequence[Decoded]
    whole: bool


class Handler:
    """Decodes, verifies and records batches."""

    def __init__(
        self,
        store: Store,
        trust: Trust,
        now: Callable[[], datetime],
        wait_out: Callable[[StoreError, int], bool],
        decode_body: Callable[..., list[Decoded | MessageError]] = decode_all,
    ) -> None:
        """Make a handler.

        Args:
            store: the store to record into.
            trust: verifies that messages come from the allowed SNS topics.
            now: returns the time, UTC.
            wait_out: called when the database can't be used, with the error and the number of
                failures in a row. It returns true when the handler should retry, and false
                when the handler should give up.
            decode_body: decodes the body of a queue message that was sent at a time.
        """
        self._store = store
        self._trust = trust
        self._now = now
        self._wait_out = wait_out
        self._decode_body = decode_body

    def handle(self, batch: Sequence[InFlightMessage]) -> tuple[Outcome, BatchDone]:
        """Handle a batch: when this returns, the effect of `handled` messages is committed."""
        began, now = time.monotonic(), self._now()
        outcome = Outcome()
        understood = [u for message in batch if (u := self._understand(message, outcome))]
        self._record(understood, outcome)
        sent_at = [at for message in batch if (at := message.received.sent_at) is not None]
        done = BatchDone(
            messages=len(batch) - len(outcome.unverified),
            undecodable=outcome.undecodable,
            failed=outcome.failed,
            recorded=outcome.recorded,
            seconds=time.monotonic() - began,
            commit_seconds=outcome.commit_seconds,
            # The clocks of SQS and of this machine may differ.
            oldest_seconds=max(0.0, (now - min(sent_at, default=now)).total_seconds()),
            unknown=outcome.unknown,
            unreadable=outcome.unreadable,
        )
        return outcome, done

    def _understand(self, message: InFlightMessage, outcome: Outcome) -> _Understood | None:
        """Decode and verify a message; None where it has to wait or to return to the queue."""
        received = message.received
        decoded: list[Decoded] = []
        errors: list[MessageError] = []
        try:
            for part in self._decode_body(received.body, received.sent_at):
                if isinstance(part, MessageError):
                    errors.append(part)
                    continue
                try:
                    if url := self._trust.missing(part.sns):
                        outcome.unverified.append((message, url))
                        return None
                    self._trust.check(part.sns)
                except MessageError as error:
                    errors.append(error)
                else:
                    decoded.append(part)
        except CertificateError as error:
            outcome.failed += 1
            seconds = return_delay(received.times, _CERTIFICATE_PAUSE_SECONDS)
            outcome.returned.append((message, seconds))
            log.warning("message not verified", message_id=received.id, problem=str(error))
            return None
        if errors:
            self._return_undecodable(message, errors[0], outcome)
        for part in decoded:
            _report_oddities(part, received.id, outcome)
        return _Understood(message, decoded, whole=not errors) if decoded else None

    def _return_undecodable(
        self, message: InFlightMessage, error: MessageError, outcome: Outcome
    ) -> None:
        received = message.received
        known = outcome.undecodable.get(error.fingerprint, 0)
        outcome.undecodable[error.fingerprint] = known + 1
        outcome.returned.append((message, return_delay(received.times)))
        log.warning(
            "message not understood",
            message_id=received.id,
            problem=error.problem,
            place=error.place,
            fingerprint=error.fingerprint,
            times=received.times,
        )

    def _record(self, messages: Sequence[_Understood], outcome: Outcome) -> None:
        """Commit the messages; halve them until a message with a rejected row is alone."""
        try:
            recorded, messages = self._commit(messages, outcome)
        except RowError as error:
            if len(messages) == 1:
                self._reject(messages[0], error, outcome)
                return
            middle = len(messages) // 2
            self._record(messages[:middle], outcome)
            self._record(messages[middle:], outcome)
        except StoreError as error:
            outcome.error = error
            outcome.returned += [(m.message, 0) for m in messages if m.whole]
        else:
            outcome.recorded.add(recorded)
            outcome.handled += [m.message for m in messages if m.whole]

    def _commit(
        self, messages: Sequence[_Understood], outcome: Outcome
    ) -> tuple[Recorded, Sequence[_Understood]]:
        """Record the messages that have not expired, as soon as the database can be used.

        Raises:
            RowError: the database rejects a row.
            StoreError: the database can't be used, and `wait_out` has returned false.
        """
        failures = 0
        while True:
            now = time.monotonic()
            # Others may have received an expired message by now, and record it as well.
            messages = [m for m in messages if not m.message.expired and m.message.visible_at > now]
            if not messages:
                return Recorded(), messages
            try:
                recordings = [decoded for m in messages for decoded in m.decoded]
                return self._store.record(recordings, self._now()), messages
            except RowError:
                raise
            except StoreError as error:
                failures += 1
                if not self._wait_out(error, failures):
                    raise
            finally:
                outcome.commit_seconds += time.monotonic() - now

    def _reject(self, rejected: _Understood, error: RowError, outcome: Outcome) -> None:
        outcome.failed += 1
        received = rejected.message.received
        if rejected.whole:
            outcome.returned.append((rejected.message, return_delay(received.times)))
        log.error(
            "message not recorded",
            message_id=received.id,
            problem=str(error),
            times=received.times,
        )


def _report_oddities(decoded: Decoded, message_id: str, outcome: Outcome) -> None:
    """Count and log whatever keeps a message from saying something about an address."""
    if decoded.kind is Kind.SETUP:
        # It has no other effect, and operators should see its type.
        log.info("message without events", message_id=message_id, type=decoded.type)
    if decoded.kind is Kind.UNKNOWN:
        outcome.unknown += 1
        log.warning("message of an unknown type", message_id=message_id, type=decoded.type)
    for problem in decoded.unread:
        log.warning("recipient not read", message_id=message_id, problem=problem)
    no_addresses = [event.parsed for event in decoded.events].count(False)
    if no_addresses:
        log.warning("recipient without an address", message_id=message_id, recipients=no_addresses)
    outcome.unreadable += len(decoded.unread) + no_addresses


def return_delay(times: int, first_seconds: float = 1.0) -> int:
    """Whole seconds until SQS should deliver a message again, after `times` receives."""
    return math.ceil(pause(times, first_seconds))


def log_batch(done: BatchDone) -> None:
    """Log what a batch did."""
    log.info(
        "batch",
        messages=done.messages,
        undecodable=sum(done.undecodable.values()),
        failed=done.failed,
        seconds=round(done.seconds, 3),
        **numbers(done.recorded),
    )


def numbers(recorded: Recorded) -> dict[str, int]:
    """The numbers for a line of the log; rejected statements have a line of their own."""
    for problem, addresses in recorded.rejected.items():
        log.error("statement rejected", problem=problem, addresses=addresses)
    numbers = msgspec.structs.asdict(recorded)
    rejected = sum(recorded.rejected.values())
    return {n: v for n, v in numbers.items() if isinstance(v, int)} | {"rejected": rejected}
