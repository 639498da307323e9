"""The worker is healthy while SQS answers its polls and its commits succeed. Pure: no clock here.

A process that is alive may still do nothing: the database or SQS may reject its calls, or a
thread may hang. So each process has to report, within limits, an answer of SQS and a commit.
Times are seconds of a monotonic clock.
"""

from collections.abc import Iterable, Iterator

import msgspec

from sesbounce.telemetry.reports import BatchDone, Polled, Report, Resumed, Stalled, Swept

# Beyond the wait of one receive: a few receives may fail before health turns red.
POLL_GRACE_SECONDS = 30.0
# The worker sweeps every minute, even when the queue is empty; a sweep may take another minute.
SWEEP_EVERY_SECONDS = 60.0
COMMIT_GRACE_SECONDS = 60.0


class Status(msgspec.Struct, frozen=True):
    """The health of a worker at one time, as `/healthz` shows it.

    Attributes:
        healthy: whether there is no fault.
        faults: one sentence for each fault; no sentence holds a text of the database or of SQS.
        last_poll_seconds: seconds since SQS answered a receive; of several processes, the longest.
        last_commit_seconds: seconds since a commit succeeded; of several processes, the longest.
        busy: one sentence for each process whose sweep has not ended; it is no fault.
    """

    healthy: bool
    faults: list[str]
    last_poll_seconds: float
    last_commit_seconds: float
    busy: list[str] = msgspec.field(default_factory=list)


class _Source(msgspec.Struct):
    """The reports of one process.

    Attributes:
        polled_at: when SQS last answered a receive.
        committed_at: when a commit last succeeded.
        stalled: what the process waits for since then: the database, the queue.
        sweep: the last sweep, if it has not ended.
    """

    polled_at: float
    committed_at: float
    stalled: set[str] = msgspec.field(default_factory=set)
    sweep: Swept | None = None

    def add(self, report: Report, at: float) -> None:
        match report:
            case Polled():
                self.polled_at = at
                self.stalled.discard("queue")
            case BatchDone() | Swept():
                self.committed_at = at
                self.stalled.discard("database")
                if isinstance(report, Swept):
                    self.sweep = report if report.done < report.total else None
            case Stalled():
                self.stalled.add(report.what)
            case Resumed():
                self.stalled.discard(report.what)
            case _:
                pass


class Health:
    """The health of a worker of one process or several. Not thread-safe."""

    def __init__(self, started_at: float, wait_seconds: float, processes: int = 1) -> None:
        """Begin healthy: the start counts as an answer of SQS and as a commit.

        Args:
            started_at: when the worker started.
            wait_seconds: how long one receive waits for messages.
            processes: how many processes must report; each has a number of its own, any number.
        """
        self._started_at = started_at
        self._poll_limit = wait_seconds + POLL_GRACE_SECONDS
        self._commit_limit = SWEEP_EVERY_SECONDS + COMMIT_GRACE_SECONDS
        self._processes = processes
        self._sources: dict[int, _Source] = {}

    def add(self, report: Report, at: float, source: int = 0) -> None:
        """Add a report that the process of that number made at that time."""
        if not _shows_health(report):
            return
        if source not in self._sources:
            self._sources[source] = _Source(self._started_at, self._started_at)
        self._sources[source].add(report, at)

    def status(self, at: float) -> Status:
        """The worker's status at a time that is not before the last report."""
        sources = list(self._all())
        faults = [
            f"{prefix}{fault}" for prefix, source in sources for fault in self._faults(source, at)
        ]
        return Status(
            healthy=not faults,
            faults=faults,
            last_poll_seconds=_oldest((source.polled_at for _, source in sources), at),
            last_commit_seconds=_oldest((source.committed_at for _, source in sources), at),
            busy=[
                f"{prefix}Busy striking off, {sweep.done:,} of {sweep.total:,} addresses."
                for prefix, source in sources
                if (sweep := source.sweep)
            ],
        )

    def waits_for(self, at: float) -> list[str]:
        """What the worker waits for at a time that is not before the last report, by the alphabet.

        Nothing if it is healthy; `certificate`, `database` and `queue` otherwise.
        """
        found: set[str] = set()
        for _, source in self._all():
            found |= source.stalled
            if at - source.polled_at > self._poll_limit:
                found.add("queue")
            if at - source.committed_at > self._commit_limit:
                found.add("database")
        return sorted(found)

    def _all(self) -> Iterator[tuple[str, _Source]]:
        """Each process with the prefix of its faults; the last one stands for the silent ones."""
        for number, source in sorted(self._sources.items()):
            yield (f"Process {number}: " if self._processes > 1 else ""), source
        silent = self._processes - len(self._sources)
        if silent > 0:
            prefix = f"{silent} of {self._processes} processes: " if self._processes > 1 else ""
            yield prefix, _Source(self._started_at, self._started_at)

    def _faults(self, source: _Source, at: float) -> Iterator[str]:
        polled, committed = at - source.polled_at, at - source.committed_at
        if polled > self._poll_limit:
            yield (
                f"SQS has not answered a receive for {polled:.0f} seconds "
                f"(the limit is {self._poll_limit:.0f})."
            )
        if committed > self._commit_limit:
            yield (
                f"No commit has succeeded for {committed:.0f} seconds "
                f"(the limit is {self._commit_limit:.0f})."
            )
        for what in sorted(source.stalled):
            # Whoever reaches the port may read this; a problem may name hosts, users and tables.
            yield f"The worker waits for the {what}; its log says why."


def _shows_health(report: Report) -> bool:
    """Whether a report shows that a poll, a commit or a fetch has succeeded or failed.

    A batch without a recorded message shows nothing about the database.
    """
    if isinstance(report, BatchDone):
        return report.messages > sum(report.undecodable.values()) + report.failed
    return isinstance(report, (Polled, Swept, Stalled, Resumed))


def _oldest(times: Iterable[float], at: float) -> float:
    return max(at - time for time in times)
