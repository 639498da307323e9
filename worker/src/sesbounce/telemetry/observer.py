"""Makes metrics and health of what a worker reports: for Prometheus, CloudWatch and `/healthz`."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import urlsplit

import structlog

from sesbounce.settings import Settings
from sesbounce.telemetry.emf import NAMESPACE, Tally
from sesbounce.telemetry.endpoint import make_app, serving
from sesbounce.telemetry.health import Health, Status
from sesbounce.telemetry.metrics import Metrics
from sesbounce.telemetry.reports import BatchDone, Report

_EMF_EVERY_SECONDS = 60.0
# After that, an age that a batch had says nothing of what is in hand now.
_AGE_HOLDS_SECONDS = 60.0

log = structlog.get_logger()


class Observer:
    """Is told of every report, from any thread; keeps the metrics and the health."""

    def __init__(
        self,
        health: Health,
        tally: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """An observer that was told nothing.

        Args:
            health: judged by the clock's time.
            tally: what is printed for CloudWatch, if it is.
            clock: seconds of a monotonic clock.
        """
        self._lock = threading.Lock()
        self._clock = clock
        self._health = health
        self._tally = tally
        self._ages: dict[int, tuple[float, float]] = {}
        self.metrics = Metrics(self.judge, self._oldest)

    def __call__(self, report: Report, source: int = 0) -> None:
        """Count in what a worker has reported.

        Args:
            report: what it says.
            source: the number of the process that says it.
        """
        with self._lock:
            at = self._clock()
            self._health.tell(report, at, source)
            self.metrics.tell(report)
            if self._tally:
                self._tally.add(report)
            if isinstance(report, BatchDone):
                self._ages[source] = (at, report.oldest_seconds)

    def judge(self) -> Status:
        """How the worker is now."""
        with self._lock:
            return self._health.judge(self._clock())

    def take_lines(self, at: datetime) -> list[str]:
        """The lines for CloudWatch since they were last taken; none if they are switched off."""
        healthy = self.judge().healthy
        with self._lock:
            return self._tally.take(at, healthy=healthy) if self._tally else []

    def _oldest(self) -> float:
        """The age of the oldest message that was in hand just now, in seconds; 0 if none was."""
        with self._lock:
            since = self._clock() - _AGE_HOLDS_SECONDS
            return max((age for at, age in self._ages.values() if at >= since), default=0.0)


@contextmanager
def observing(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    out: TextIO | None = None,
    every_seconds: float = _EMF_EVERY_SECONDS,
) -> Iterator[Observer]:
    """An observer for as long as the block runs, served and printed as the settings say.

    Args:
        settings: `metrics_port`, `metrics_host` and `emf` say how; `wait_seconds` and `processes`
            what to expect.
        clock: seconds of a monotonic clock.
        now: the time that lines for CloudWatch are of.
        out: where they go; standard output by default.
        every_seconds: how often.

    Raises:
        ConfigurationError: the port can't be listened on.
    """
    health = Health(clock(), settings.wait_seconds, settings.processes)
    tally = Tally(_service(settings.queue_url or "")) if settings.emf else None
    observer = Observer(health, tally, clock)
    with ExitStack() as stack:
        if settings.metrics_port:
            app = make_app(observer.metrics.registry, observer.judge)
            port = stack.enter_context(serving(settings.metrics_host, settings.metrics_port, app))
            log.info("metrics", host=settings.metrics_host, port=port)
        if tally:
            stack.enter_context(_printing(observer, now, out or sys.stdout, every_seconds))
        yield observer


@contextmanager
def _printing(
    observer: Observer, now: Callable[[], datetime], out: TextIO, every_seconds: float
) -> Iterator[None]:
    """Print the lines for CloudWatch again and again, and at the end what is left."""
    stopping = threading.Event()

    def go_on() -> None:
        while not stopping.wait(every_seconds):
            _print(observer.take_lines(now()), out)

    thread = threading.Thread(target=go_on, name="emf", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        _print(observer.take_lines(now()), out)


def _print(lines: list[str], out: TextIO) -> None:
    """At one stroke, so that nothing comes between; what can't be printed must not end the work."""
    try:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
    except (OSError, ValueError) as error:
        log.error("metrics not printed", problem=str(error))  # noqa: TRY400  the error says it all


def _service(queue_url: str) -> str:
    """The queue's name."""
    return urlsplit(queue_url).path.rpartition("/")[2] or NAMESPACE
