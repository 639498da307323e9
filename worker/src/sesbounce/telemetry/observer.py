"""Makes metrics, health and the summary from a worker's reports."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TextIO

import structlog

from sesbounce.settings import Settings
from sesbounce.telemetry.counts import Counts, count
from sesbounce.telemetry.emf import Tally, make_tally
from sesbounce.telemetry.endpoint import make_app, serving
from sesbounce.telemetry.health import Health, Status
from sesbounce.telemetry.metrics import Metrics
from sesbounce.telemetry.reports import BatchDone, Report

_EMF_EVERY_SECONDS = 60.0
# The age of an older batch says nothing about the messages that are in flight now.
_AGE_HOLDS_SECONDS = 60.0

log = structlog.get_logger()


class Observer:
    """Takes every report, from any thread; keeps the metrics, the health and the totals.

    Attributes:
        metrics: for Prometheus.
        totals: what the reports have counted since the start.
    """

    def __init__(
        self,
        health: Health,
        tally: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an observer without reports.

        Args:
            health: the worker's health, by the times of the clock.
            tally: what the lines for CloudWatch are made from; None where there are none.
            clock: returns the seconds of a monotonic clock.
        """
        self._lock = threading.Lock()
        self._clock = clock
        self._health = health
        self._tally = tally
        self._ages: dict[int, tuple[float, float]] = {}
        self.metrics = Metrics(self.status, self._oldest)
        self.totals = Counts()

    def __call__(self, report: Report, source: int = 0) -> None:
        """Add a report of the worker.

        Args:
            report: the report.
            source: the number of the process that made it.
        """
        with self._lock:
            at = self._clock()
            self._health.add(report, at, source)
            self.metrics.add(report)
            self.totals.add(count(report))
            if self._tally:
                self._tally.add(report)
            if isinstance(report, BatchDone):
                self._ages[source] = (at, report.oldest_seconds)

    def status(self) -> Status:
        """The worker's status now."""
        with self._lock:
            return self._health.status(self._clock())

    def take_lines(self, at: datetime) -> list[str]:
        """The lines for CloudWatch since the last call; none where there is no tally."""
        healthy = self.status().healthy
        with self._lock:
            return self._tally.take(at, healthy=healthy) if self._tally else []

    def _oldest(self) -> float:
        """Seconds: the age of the oldest message of the last minute's batches; 0 without one."""
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
    """Observe a worker while the block runs; serve and print the metrics as the settings say.

    Args:
        settings: `metrics_port` and `metrics_host` switch the endpoint on, `emf` the lines for
            CloudWatch, with the metrics `emf_metrics`; `wait_seconds` and `processes` set the
            limits of the health.
        clock: returns the seconds of a monotonic clock.
        now: returns the time of the lines for CloudWatch.
        out: the file that the lines go to; standard output by default.
        every_seconds: the seconds between two prints of the lines.

    Raises:
        ConfigurationError: the endpoint can't listen on the port, or `emf_metrics` names a metric
            that there is not.
    """
    health = Health(clock(), settings.wait_seconds, settings.processes)
    tally = make_tally(settings) if settings.emf else None
    observer = Observer(health, tally, clock)
    with ExitStack() as stack:
        if settings.metrics_port:
            app = make_app(observer.metrics.registry, observer.status)
            port = stack.enter_context(serving(settings.metrics_host, settings.metrics_port, app))
            log.info("serving metrics", host=settings.metrics_host, port=port)
        file = out or sys.stdout
        if tally and file:
            stack.enter_context(_printing(observer, now, file, every_seconds))
        elif tally:
            log.error("metrics not printed", problem="standard output is closed")
        yield observer


@contextmanager
def _printing(
    observer: Observer, now: Callable[[], datetime], out: TextIO, every_seconds: float
) -> Iterator[None]:
    """Print the lines for CloudWatch at intervals, and the last ones at the end."""
    stopping = threading.Event()
    printer = _Printer(out)

    def print_until_stopped() -> None:
        while not stopping.wait(every_seconds):
            printer.print(observer.take_lines(now()))

    thread = threading.Thread(target=print_until_stopped, name="emf", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        printer.print(observer.take_lines(now()))


class _Printer:
    """Prints lines. An error does not end the worker, and is logged once until a print succeeds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._problem = ""

    def print(self, lines: list[str]) -> None:
        """Print all lines with one write, so that nothing comes between them."""
        try:
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()
            self._problem = ""
        except (OSError, ValueError) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("metrics not printed", problem=self._problem)  # noqa: TRY400  it says all
