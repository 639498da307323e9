"""Whether a worker does its work, judged by what has succeeded last: pure, and without a clock.

A process that is alive may still do nothing, be it that the database or SQS rejects, or that a
thread hangs. So each process has to show from time to time that SQS has answered it, and that it
has committed something. Times are seconds of a monotonic clock.
"""

from collections.abc import Iterable, Iterator

import msgspec

from sesbounce.telemetry.redaction import redact
from sesbounce.telemetry.reports import BatchDone, Polled, Report, Stalled, Swept

# A receive takes as long as it waits; a few may fail before that is a fault.
POLL_GRACE_SECONDS = 30.0
# There is a sweep every minute, even when the queue is empty; it may take as long again.
SWEEP_EVERY_SECONDS = 60.0
COMMIT_GRACE_SECONDS = 60.0


class Status(msgspec.Struct, frozen=True):
    """How a worker is.

    Attributes:
        healthy: whether there is no fault.
        faults: what is wrong, a sentence each; they hold no address.
        last_poll_seconds: how long ago SQS answered a receive; of several processes, the one
            that waits longest.
        last_commit_seconds: how long ago something was committed, likewise.
    """

    healthy: bool
    faults: list[str]
    last_poll_seconds: float
    last_commit_seconds: float


class _Source(msgspec.Struct):
    """What one process has reported.

    Attributes:
        polled_at: when SQS has answered it.
        committed_at: when it has committed something.
        stalled: what it has waited for since then, and why.
    """

    polled_at: float
    committed_at: float
    stalled: dict[str, str] = msgspec.field(default_factory=dict)

    def tell(self, report: Report, at: float) -> None:
        match report:
            case Polled():
                self.polled_at = at
                self.stalled.pop("queue", None)
            case BatchDone() | Swept():
                self.committed_at = at
                self.stalled.pop("database", None)
            case Stalled():
                self.stalled[report.what] = report.problem
            case _:
                pass


class Health:
    """The health of a worker of one process or several. Not thread-safe."""

    def __init__(self, started_at: float, wait_seconds: float, processes: int = 1) -> None:
        """A worker that starts is healthy, and has as long to show it as one that runs.

        Args:
            started_at: when it started.
            wait_seconds: how long one of its receives waits.
            processes: how many processes are to report; their numbers may be any.
        """
        self._started_at = started_at
        self._poll_limit = wait_seconds + POLL_GRACE_SECONDS
        self._commit_limit = SWEEP_EVERY_SECONDS + COMMIT_GRACE_SECONDS
        self._processes = processes
        self._sources: dict[int, _Source] = {}

    def tell(self, report: Report, at: float, source: int = 0) -> None:
        """Count in what a process has reported."""
        if not _says_something(report):
            return
        if source not in self._sources:
            self._sources[source] = _Source(self._started_at, self._started_at)
        self._sources[source].tell(report, at)

    def judge(self, at: float) -> Status:
        """How the worker is at a time that is not before the last report."""
        sources = list(self._all())
        faults = [
            f"{prefix}{fault}" for prefix, source in sources for fault in self._faults(source, at)
        ]
        return Status(
            healthy=not faults,
            faults=faults,
            last_poll_seconds=_oldest((source.polled_at for _, source in sources), at),
            last_commit_seconds=_oldest((source.committed_at for _, source in sources), at),
        )

    def _all(self) -> Iterator[tuple[str, _Source]]:
        """Each process with what its faults begin with; at last one that stands for the silent."""
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
                f"(at most {self._poll_limit:.0f} are in order)."
            )
        if committed > self._commit_limit:
            yield (
                f"Nothing was committed for {committed:.0f} seconds "
                f"(at most {self._commit_limit:.0f} are in order)."
            )
        for what, problem in sorted(source.stalled.items()):
            yield f"It waits for the {what}: {' '.join(redact(problem).split()).rstrip('.')}."


def _says_something(report: Report) -> bool:
    """Whether a report tells of a success or a failure that health is judged by.

    A batch of which nothing could be recorded says nothing about the database.
    """
    if isinstance(report, BatchDone):
        return report.messages > sum(report.undecodable.values()) + report.failed
    return isinstance(report, (Polled, Swept, Stalled))


def _oldest(times: Iterable[float], at: float) -> float:
    return max(at - time for time in times)
