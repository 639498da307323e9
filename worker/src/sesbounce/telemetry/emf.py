"""A worker's reports as log lines from which CloudWatch makes metrics (`docs/metrics.md`).

Every line is one JSON object in the Embedded Metric Format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
A metric's value is a number, or an array of at most a hundred numbers. Values beyond a hundred go
into further lines, and CloudWatch puts them together. Lines stay below the 16 KiB at which
container runtimes cut them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from sesbounce.aws.depth import Depth
from sesbounce.errors import ConfigurationError
from sesbounce.settings import Settings
from sesbounce.telemetry.counts import Counts, count
from sesbounce.telemetry.reports import BatchDone, Report, RunDone, Swept

NAMESPACE = "sesbounce"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
Unit = Literal["Count", "Seconds", "None"]
# The fields of `Counts` by the metrics' names; lines of their own hold `reasons` and `kinds`.
COUNTS: Mapping[str, str] = {
    "MessagesReceived": "received",
    "EventsRecorded": "events",
    "SenderFaults": "sender_faults",
    "Duplicates": "duplicates",
    "AddressesSuppressed": "suppressed",
    "AddressesReleased": "released",
    "RowsStruckOff": "struck_rows",
    "RowsRestored": "restored_rows",
    "StatementsRejected": "rejected",
    "Undecodable": "undecodable",
    "Failed": "failed",
    "MessagesUnknown": "unknown",
    "RecipientsUnreadable": "unreadable",
    "MessagesDeleted": "deleted",
    "MessagesReturned": "returned",
    "MessagesExpired": "expired",
    "DeleteFailures": "delete_failures",
}
UNITS: Mapping[str, Unit] = {
    **dict.fromkeys(COUNTS, "Count"),
    "BatchSeconds": "Seconds",
    "CommitSeconds": "Seconds",
    "OldestMessageAge": "Seconds",
    "QueueDepth": "Count",
    "SuspectedIncidents": "Count",
    "StoppedSenders": "Count",
    "Healthy": "None",
    "RunsSucceeded": "Count",
}
_MOST_VALUES = 100
# CloudWatch does not charge for a property. The most frequent fingerprints matter most.
_MOST_FINGERPRINTS = 50
_MICROSECONDS = 6  # digits


class Tally:
    """Adds up a worker's reports until the next lines. Not thread-safe."""

    def __init__(self, service: str, metrics: Collection[str] = ()) -> None:
        """Begin with an empty tally.

        Args:
            service: the value of the dimension Service: the queue's name.
            metrics: the metrics that CloudWatch is to make, by name; empty: all of them, and
                those by reason and by kind. The lines hold the values of the others as well, for
                which CloudWatch does not charge.
        """
        self._service = service
        self._metrics = frozenset(metrics or UNITS)
        self._all = not metrics
        # It stays until the next sweep.
        self._incidents: int | None = None
        self._stopped: int | None = None
        self._clear()

    def _clear(self) -> None:
        self._counts = Counts()
        self._seconds: list[tuple[float, float]] = []
        self._oldest = 0.0
        self._depth: int | None = None
        self._runs = 0

    def add(self, report: Report) -> None:
        """Add a report of the worker."""
        self._counts.add(count(report))
        match report:
            case BatchDone():
                self._seconds.append((report.seconds, report.commit_seconds))
                self._oldest = max(self._oldest, report.oldest_seconds)
            case Depth():
                self._depth = report.total
            case Swept(incidents=int(incidents)):
                self._incidents = incidents
            case Swept(stopped=int(stopped)):
                self._stopped = stopped
            case RunDone():
                self._runs += 1
            case _:
                pass

    def take(self, at: datetime, *, healthy: bool) -> list[str]:
        """Return the lines for the reports since the last call, and empty the tally.

        The first line holds counts that are zero as well, so that charts and alarms have a value.
        A reason or a kind has a line only where its count is not zero.

        Args:
            at: the time of the metrics.
            healthy: whether the worker is healthy at that time.
        """
        lines = list(self._lines(int(at.timestamp() * 1000), healthy=healthy))
        self._clear()
        return lines

    def _lines(self, at: int, *, healthy: bool) -> Iterator[str]:
        chunks = [
            self._seconds[start : start + _MOST_VALUES]
            for start in range(0, len(self._seconds), _MOST_VALUES)
        ]
        counts = self._counts
        values: dict[str, Any] = {name: getattr(counts, field) for name, field in COUNTS.items()}
        values |= {"OldestMessageAge": self._oldest, "Healthy": int(healthy)}
        if self._depth is not None:
            values["QueueDepth"] = self._depth
        if self._incidents is not None:
            values["SuspectedIncidents"] = self._incidents
        if self._stopped is not None:
            values["StoppedSenders"] = self._stopped
        if self._runs:
            values["RunsSucceeded"] = self._runs
        values |= _durations(chunks[0]) if chunks else {}
        frequent = dict(Counter(counts.fingerprints).most_common(_MOST_FINGERPRINTS))
        properties = {
            "UndecodableFingerprints": frequent,
            "SenderFaultReasons": counts.fault_reasons,
        }
        if not self._all:
            properties |= {"SuppressedByReason": counts.reasons, "RecordedByKind": counts.kinds}
        properties = {name: shares for name, shares in properties.items() if shares}
        yield self._line(at, values, {}, properties)
        if not self._all:
            return
        for chunk in chunks[1:]:
            yield self._line(at, _durations(chunk), {})
        for reason, addresses in sorted(counts.reasons.items()):
            yield self._line(at, {"AddressesSuppressed": addresses}, {"Reason": reason})
        for kind, events in sorted(counts.kinds.items()):
            yield self._line(at, {"EventsRecorded": events}, {"Kind": kind})

    def _line(
        self,
        at: int,
        values: Mapping[str, Any],
        dimensions: Mapping[str, str],
        properties: Mapping[str, Any] | None = None,
    ) -> str:
        """One line: metrics by name, and properties, which the log shows beside them."""
        dimensions = {"Service": self._service, **dimensions}
        metrics = [{"Name": name, "Unit": UNITS[name]} for name in values if name in self._metrics]
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": metrics,
        }
        about = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive] if metrics else []}}
        return msgspec.json.encode({**about, **dimensions, **values, **(properties or {})}).decode()


def make_tally(settings: Settings) -> Tally:
    """An empty tally of the metrics that the settings name.

    Raises:
        ConfigurationError: `emf_metrics` names a metric that there is not.
    """
    if unknown := sorted(set(settings.emf_metrics) - set(UNITS)):
        raise ConfigurationError(
            f"SESBOUNCE_EMF_METRICS: there is no metric {unknown[0]}. There are {', '.join(UNITS)}"
        )
    queue_name = urlsplit(settings.queue_url or "").path.rpartition("/")[2]
    return Tally(queue_name or NAMESPACE, settings.emf_metrics)


def _durations(chunk: list[tuple[float, float]]) -> dict[str, list[float]]:
    """The seconds of at most a hundred batches; a batch's commit is a part of the batch."""
    return {
        "BatchSeconds": [round(batch, _MICROSECONDS) for batch, _ in chunk],
        "CommitSeconds": [round(commit, _MICROSECONDS) for _, commit in chunk],
    }
