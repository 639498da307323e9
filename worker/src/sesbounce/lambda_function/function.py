"""What an execution environment keeps between two invocations, and what it does in each."""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

import structlog

from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import CertificateError, ConfigurationError, StoreError
from sesbounce.feedback.decode import decode_all
from sesbounce.lambda_function.events import read_event
from sesbounce.lambda_function.settings import load_function_settings
from sesbounce.opening import open_store
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound.relay import Relay
from sesbounce.settings import Settings
from sesbounce.store.workers import Mode
from sesbounce.telemetry.emf import make_tally
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Stalled
from sesbounce.worker.batch import Handler, Outcome, log_batch
from sesbounce.worker.in_flight import InFlightMessage
from sesbounce.worker.presence import Presence, introduce
from sesbounce.worker.sweep import Sweeper

# The longest time that the fetch of a certificate takes, or a step of a sweep without statements.
_STEP_SECONDS = 10.0
# To print the metrics, and to answer.
_LAST_SECONDS = 2.0

log = structlog.get_logger()


class Context(Protocol):
    """What the function reads from the context of Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class _Opened(NamedTuple):
    """What is opened in the first invocation, and after one in which the database failed."""

    settings: Settings
    handler: Handler
    trust: Trust
    sweeper: Sweeper
    relay: Relay
    presence: Presence

    @property
    def step_seconds(self) -> float:
        """The longest time that a step of a sweep takes."""
        return max(_STEP_SECONDS, self.settings.strike_off_seconds)


class Function:
    """Handles the invocations of one execution environment, which come one after the other."""

    def __init__(self) -> None:
        """Begin with nothing opened."""
        self._stack = ExitStack()
        self._opened: _Opened | None = None
        self._reports: list[Report] = []

    def invoke(self, event: Any, context: Context) -> dict[str, Any]:
        """Record the messages of an event, or sweep.

        Returns:
            For messages, those that SQS has to keep: `{"batchItemFailures": […]}`. Lambda deletes
            all the others, whose effect is committed.

        Raises:
            SesBounceError: nothing was done: the event is unknown, a setting is wrong, or the
                database can't be used. Lambda then keeps all messages in the queue, counts an error
                and calls the function less often for a while. It would do neither for an answer
                that lists all messages.
        """
        ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
        read = read_event(event)
        try:
            opened = self._open()
            with self._printing(opened.settings):
                if isinstance(read, str):
                    _demand_time(opened, ends_at)
                    self._sweep(opened, _late(ends_at, opened.step_seconds))
                    return {}
                return self._record(opened, read, ends_at)
        except Exception:
            # What is opened in part, or has failed in an unknown way, is not used once more.
            self.close()
            raise

    def close(self) -> None:
        """Close the database, so that the next invocation reads the settings and opens it."""
        self._opened = None
        self._stack.close()

    def _open(self) -> _Opened:
        if self._opened is None:
            settings = load_function_settings()
            set_up_logs(settings.log_format, redact=settings.redact)
            store = self._stack.enter_context(
                open_store(settings, migrate=settings.migrate, alone=True)
            )
            trust = Trust(settings.topic_arns, signatures=settings.verify_signatures)
            incidents = Incidents(store.store, settings.incidents, settings.detection)
            decode = partial(decode_all, tags=tuple(settings.tags), stream_by=settings.streams)
            row = introduce(Mode.LAMBDA, settings.queue_url, _now())
            presence = Presence(store.engine, row, None, _now)
            self._opened = _Opened(
                settings,
                Handler(store.store, trust, _now, _give_up, decode),
                trust,
                Sweeper(store.store, incidents, self._reports.append, _now, presence),
                Relay(store.engine, store.targets, _now),
                presence,
            )
            # What is loaded by now stays. Later, garbage would stay as well.
            if not gc.get_freeze_count():
                gc.freeze()
        return self._opened

    def _record(
        self, opened: _Opened, messages: Sequence[Received], ends_at: float
    ) -> dict[str, Any]:
        batch = [InFlightMessage(message, ends_at) for message in messages]
        self._report(Polled(len(batch)))
        outcomes = list(self._handle(opened, batch, _late(ends_at, _STEP_SECONDS)))
        recorded = {message.received.id for outcome, _ in outcomes for message in outcome.handled}
        failed = [message.id for message in messages if message.id not in recorded]
        self._reports.append(Acknowledged(deleted=len(recorded), returned=len(failed)))
        error = next((outcome.error for outcome, _ in outcomes if outcome.error), None)
        if error and not recorded:
            raise error
        if error:
            self._stalled("batch not recorded in full", error)
        else:
            pending = any(done.recorded.pending for _, done in outcomes)
            self._follow_up(opened, ends_at, pending=pending)
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}

    def _handle(
        self, opened: _Opened, batch: Sequence[InFlightMessage], late: Callable[[], bool]
    ) -> Iterator[tuple[Outcome, BatchDone]]:
        """Record what can be verified at once, then what needs a certificate of SNS.

        Where there is no time left for a certificate, its messages stay in the queue: Lambda would
        return to the queue those as well whose effect is committed.
        """
        outcome, done = self._handle_some(opened, batch)
        yield outcome, done
        if outcome.unverified and not outcome.error:
            for url in sorted({url for _, url in outcome.unverified}):
                if late():
                    log.warning("certificate not fetched", problem="no time is left", url=url)
                    break
                try:
                    opened.trust.fetch(url)
                except CertificateError as error:
                    log.warning("certificate not fetched", problem=str(error))
            yield self._handle_some(opened, [message for message, _ in outcome.unverified])

    def _handle_some(
        self, opened: _Opened, batch: Sequence[InFlightMessage]
    ) -> tuple[Outcome, BatchDone]:
        outcome, done = opened.handler.handle(batch)
        if done.messages and not outcome.error:
            self._report(done)
            log_batch(done)
        return outcome, done

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        if self._opened:
            self._opened.presence.add(report)

    def _follow_up(self, opened: _Opened, ends_at: float, *, pending: bool) -> None:
        """Do now what would otherwise wait for the next sweep; the messages are recorded.

        If Lambda ended the invocation in the middle, all messages would return to the queue.
        """
        late = _late(ends_at, max(opened.step_seconds, opened.relay.longest_seconds))
        try:
            if pending:
                self._sweep(opened, late)
            else:
                opened.relay.drain(late)
        except StoreError as error:
            self._stalled("the rest waits for the next sweep", error)
            return
        if not late():
            opened.presence.save()

    def _sweep(self, opened: _Opened, late: Callable[[], bool]) -> None:
        while not late() and not opened.sweeper.sweep():
            pass
        opened.relay.drain(late)

    def _stalled(self, event: str, error: StoreError) -> None:
        log.error(event, problem=str(error))
        self._reports.append(Stalled("database", str(error)))
        self.close()

    @contextmanager
    def _printing(self, settings: Settings) -> Iterator[None]:
        """Print the metrics of an invocation at its end, where the settings say so."""
        # A tally of its own: what another environment has found since is not known here.
        tally = make_tally(settings) if settings.emf else None
        self._reports.clear()
        try:
            yield
        except StoreError as error:
            self._reports.append(Stalled("database", str(error)))
            raise
        finally:
            if tally:
                for report in self._reports:
                    tally.add(report)
                healthy = not any(isinstance(report, Stalled) for report in self._reports)
                lines = tally.take(_now(), healthy=healthy)
                sys.stdout.write("".join(f"{line}\n" for line in lines))
                sys.stdout.flush()


def _now() -> datetime:
    return datetime.now(UTC)


def _give_up(_error: StoreError, _failures: int) -> bool:
    """Never wait for the database: SQS redelivers the messages, and Lambda charges for a wait."""
    return False


def _late(ends_at: float, seconds: float) -> Callable[[], bool]:
    """Whether there is no time left for another step, which may take so many seconds."""
    return lambda: time.monotonic() + seconds >= ends_at - _LAST_SECONDS


def _demand_time(opened: _Opened, ends_at: float) -> None:
    """Make sure that there is time for a step of a sweep: without one, no sweep would ever end.

    Raises:
        ConfigurationError: there is not.
    """
    if _late(ends_at, opened.step_seconds)():
        raise ConfigurationError(
            f"the function has {max(ends_at - time.monotonic(), 0.0):.0f} seconds left for a "
            f"sweep, and a step of it may take {opened.step_seconds:.0f}: set the timeout of the "
            "function (worker.function.timeout_seconds) higher, or SESBOUNCE_STRIKE_OFF_SECONDS "
            "lower"
        )
