"""What a worker reports, as lines of which CloudWatch makes metrics (`docs/metrics.md`).

Every line is one JSON object in the Embedded Metric Format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
A metric's value is a number, or an array of at most a hundred; what does not fit goes into further
lines, whose values CloudWatch takes together. Lines stay below the 16 KiB at which container
runtimes cut them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Swept

NAMESPACE = "sesbounce"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
Unit = Literal["Count", "Seconds", "None"]
COUNTS = (
    "MessagesReceived",
    "EventsRecorded",
    "Duplicates",
    "AddressesSuppressed",
    "AddressesReleased",
    "RowsStruckOff",
    "RowsRestored",
    "StatementsRejected",
    "Undecodable",
    "Failed",
    "MessagesUnknown",
    "RecipientsUnreadable",
    "MessagesDeleted",
    "MessagesReturned",
    "MessagesExpired",
    "DeleteFailures",
)
UNITS: Mapping[str, Unit] = {
    **dict.fromkeys(COUNTS, "Count"),
    "BatchSeconds": "Seconds",
    "CommitSeconds": "Seconds",
    "OldestMessageAge": "Seconds",
    "QueueDepth": "Count",
    "Healthy": "None",
}
_MOST_VALUES = 100
# A property costs nothing but its bytes; the most frequent ones are what somebody looks for.
_MOST_FINGERPRINTS = 50
_MICROSECONDS = 6  # digits


class Tally:
    """What one worker has reported since the last lines. Not thread-safe."""

    def __init__(self, service: str) -> None:
        """An empty tally.

        Args:
            service: the value of the dimension Service: the queue's name.
        """
        self._service = service
        self._clear()

    def _clear(self) -> None:
        self._counts: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._fingerprints: Counter[str] = Counter()
        self._seconds: list[tuple[float, float]] = []
        self._oldest = 0.0
        self._depth: int | None = None

    def add(self, report: Report) -> None:
        """Count in what the worker has reported."""
        match report:
            case Polled():
                self._counts["MessagesReceived"] += report.messages
            case BatchDone():
                self._batch(report)
            case Swept():
                self._record(report.recorded)
            case Acknowledged():
                self._counts["MessagesDeleted"] += report.deleted
                self._counts["MessagesReturned"] += report.returned
                self._counts["MessagesExpired"] += report.expired
                self._counts["DeleteFailures"] += report.failed
            case Depth():
                self._depth = report.total
            case _:
                pass

    def _batch(self, batch: BatchDone) -> None:
        self._fingerprints.update(batch.undecodable)
        self._counts["Undecodable"] += sum(batch.undecodable.values())
        self._counts["Failed"] += batch.failed
        self._counts["MessagesUnknown"] += batch.unknown
        self._counts["RecipientsUnreadable"] += batch.unreadable
        self._seconds.append((batch.seconds, batch.commit_seconds))
        self._oldest = max(self._oldest, batch.oldest_seconds)
        self._record(batch.recorded)

    def _record(self, recorded: Recorded) -> None:
        self._kinds.update(recorded.kinds)
        self._reasons.update(recorded.reasons)
        self._counts["EventsRecorded"] += recorded.events
        self._counts["Duplicates"] += recorded.duplicates
        self._counts["AddressesSuppressed"] += recorded.suppressed
        self._counts["AddressesReleased"] += recorded.released
        self._counts["RowsStruckOff"] += recorded.struck_rows
        self._counts["RowsRestored"] += recorded.restored_rows
        self._counts["StatementsRejected"] += sum(recorded.rejected.values())

    def take(self, at: datetime, *, healthy: bool) -> list[str]:
        """The lines for what was reported, which then counts no more.

        Counts that are zero are told too, so that charts and alarms have a value; lines for a
        reason or a kind are there only where there was one.

        Args:
            at: the time that the metrics are of.
            healthy: how the worker is at that time.
        """
        lines = list(self._lines(int(at.timestamp() * 1000), healthy=healthy))
        self._clear()
        return lines

    def _lines(self, at: int, *, healthy: bool) -> Iterator[str]:
        chunks = [
            self._seconds[start : start + _MOST_VALUES]
            for start in range(0, len(self._seconds), _MOST_VALUES)
        ]
        values: dict[str, Any] = {name: self._counts[name] for name in COUNTS}
        values |= {"OldestMessageAge": self._oldest, "Healthy": int(healthy)}
        if self._depth is not None:
            values["QueueDepth"] = self._depth
        values |= _durations(chunks[0]) if chunks else {}
        frequent = dict(self._fingerprints.most_common(_MOST_FINGERPRINTS))
        properties = {"UndecodableFingerprints": frequent} if frequent else {}
        yield self._line(at, values, {}, properties)
        for chunk in chunks[1:]:
            yield self._line(at, _durations(chunk), {})
        for reason, addresses in sorted(self._reasons.items()):
            yield self._line(at, {"AddressesSuppressed": addresses}, {"Reason": reason})
        for kind, events in sorted(self._kinds.items()):
            yield self._line(at, {"EventsRecorded": events}, {"Kind": kind})

    def _line(
        self,
        at: int,
        values: Mapping[str, Any],
        dimensions: Mapping[str, str],
        properties: Mapping[str, Any] | None = None,
    ) -> str:
        """One line: metrics by name, and what else is to be found in the log beside them."""
        dimensions = {"Service": self._service, **dimensions}
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
        }
        about = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}}
        return msgspec.json.encode({**about, **dimensions, **values, **(properties or {})}).decode()


def _durations(chunk: list[tuple[float, float]]) -> dict[str, list[float]]:
    """The durations of at most a hundred batches; a commit is a part of its batch."""
    return {
        "BatchSeconds": [round(batch, _MICROSECONDS) for batch, _ in chunk],
        "CommitSeconds": [round(commit, _MICROSECONDS) for _, commit in chunk],
    }
