"""A worker's reports as metrics for Prometheus (`docs/metrics.md`).

Names and units follow https://prometheus.io/docs/practices/naming/. Where a worker has several
processes, their parent counts for all, so that prometheus-client needs no multiprocess mode.
"""

from collections.abc import Callable, Mapping

import msgspec
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sesbounce.aws.depth import Depth
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.telemetry.counts import count
from sesbounce.telemetry.health import Status
from sesbounce.telemetry.reports import BatchDone, Report, Swept

# Each value of a label is a time series of its own, and there may be any number of fingerprints.
MOST_FINGERPRINTS = 100
OTHER = "other"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_STATES = ("visible", "in_flight", "delayed")


class Published(msgspec.Struct, frozen=True):
    """A counter as Prometheus sees it.

    Attributes:
        name: its name, without the prefix `sesbounce_` and the suffix `_total`.
        help: its help text.
        label: the name of its label, if it has one.
        values: values of the label for which the counter exists before the first event. Otherwise
            `increase()` would miss that event.
    """

    name: str
    help: str
    label: str | None = None
    values: tuple[str, ...] = ()


# By the fields of `Counts`. A number that has a label stands for its total as well.
COUNTERS: Mapping[str, Published] = {
    "received": Published("messages_received", "Messages that SQS delivered, at each receive."),
    "fingerprints": Published(
        "messages_undecodable",
        "Messages that the worker did not understand, by the fingerprint of the failure.",
        "fingerprint",
    ),
    "failed": Published(
        "messages_failed", "Messages that the worker understood, and could not verify or record."
    ),
    "unknown": Published(
        "messages_unknown", "Messages of a type that this version does not know; it keeps them."
    ),
    "unreadable": Published(
        "recipients_unreadable", "Recipients whose address the worker can't read."
    ),
    "deleted": Published("messages_deleted", "Messages that the worker deleted from the queue."),
    "returned": Published("messages_returned", "Messages that the worker returned to the queue."),
    "expired": Published(
        "messages_expired",
        "Messages that others could receive before the worker was done with them.",
    ),
    "delete_failures": Published(
        "delete_failures",
        "Messages that SQS did not delete or return to the queue, in spite of retries.",
    ),
    "kinds": Published(
        "events_recorded",
        "Events that were new, by kind.",
        "kind",
        tuple(kind for kind in Kind if kind not in {Kind.SETUP, Kind.UNKNOWN, Kind.MANUAL}),
    ),
    "fault_reasons": Published(
        "sender_faults",
        "Events that were new and show a fault of the sender, by reason.",
        "reason",
        tuple(reason for reason in Reason if reason.effect is Effect.SENDER),
    ),
    "duplicates": Published("duplicates", "Events that the database held already."),
    "reasons": Published(
        "addresses_suppressed",
        "Addresses that became suppressed, by reason.",
        "reason",
        tuple(
            reason
            for reason in Reason
            if reason.effect.is_evidence and reason.effect not in {Effect.DELIVERED, Effect.MANUAL}
        ),
    ),
    "released": Published("addresses_released", "Addresses that are no longer suppressed."),
    "struck_rows": Published(
        "rows_struck_off",
        "Rows of the sender's own tables that the strike-off statements changed.",
    ),
    "restored_rows": Published(
        "rows_restored", "Rows of the sender's own tables that the restore statements changed."
    ),
    "rejected": Published(
        "statements_rejected",
        "Addresses for which the database rejected a strike-off or restore statement.",
    ),
}


class Fingerprints:
    """Bounds the values of the label: the first hundred fingerprints, and `other` for the rest."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, fingerprint: str) -> str:
        """The fingerprint, or `other`."""
        if len(self._known) < MOST_FINGERPRINTS:
            self._known.add(fingerprint)
        return fingerprint if fingerprint in self._known else OTHER


class Metrics:
    """The metrics of one worker, in a registry of their own.

    `add` is not thread-safe, because of the bound on fingerprints. A scrape may run beside it.
    """

    def __init__(self, status: Callable[[], Status], oldest: Callable[[], float]) -> None:
        """Make metrics that begin at zero.

        Args:
            status: returns the worker's status; each scrape calls it.
            oldest: returns the age of the oldest message of the recent batches, in seconds; each
                scrape calls it.
        """
        # The time of creation would be one more series for each counter and bucket.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._fingerprints = Fingerprints()
        self._counters = {field: self._counter(shown) for field, shown in COUNTERS.items()}
        self._batch_seconds = self._histogram(
            "batch_seconds", "Seconds that the worker took for a batch.", _SECONDS
        )
        self._commit_seconds = self._histogram(
            "commit_seconds", "Seconds of these that the database took.", _SECONDS
        )
        self._batch_messages = self._histogram("batch_messages", "Messages in a batch.", _MESSAGES)
        self._gauge(status, oldest)

    def add(self, report: Report) -> None:
        """Add a report of the worker."""
        for field, number in msgspec.structs.asdict(count(report)).items():
            counter = self._counters.get(field)
            if not number or counter is None:
                continue
            if isinstance(number, dict):
                for value, share in number.items():
                    counter.labels(self._label(field, value)).inc(share)
            else:
                counter.inc(number)
        match report:
            case BatchDone():
                self._batch_seconds.observe(report.seconds)
                self._commit_seconds.observe(report.commit_seconds)
                self._batch_messages.observe(report.messages)
            case Depth():
                for state in _STATES:
                    self._set_depth(state, getattr(report, state))
            case Swept(incidents=int(incidents)):
                # Each process counts the incidents of the same database.
                self._incidents.set(incidents)
            case Swept(stopped=int(stopped)):
                self._stopped.set(stopped)
            case _:
                pass

    def _set_depth(self, state: str, messages: int | None) -> None:
        if messages is None:
            self._queue.remove(state)  # an old number would mislead; there may be none yet
        else:
            self._queue.labels(state).set(messages)

    def _label(self, field: str, value: str) -> str:
        return self._fingerprints.label(value) if field == "fingerprints" else value

    def _counter(self, shown: Published) -> Counter:
        labels = [shown.label] if shown.label else []
        counter = Counter(
            f"sesbounce_{shown.name}_total", shown.help, labels, registry=self.registry
        )
        for value in shown.values:
            counter.labels(value)
        return counter

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"sesbounce_{name}", help_, buckets=buckets, registry=self.registry)

    def _gauge(self, status: Callable[[], Status], oldest: Callable[[], float]) -> None:
        self._queue = Gauge(
            "sesbounce_queue_messages",
            "Messages in the queue, approximately, by state.",
            ["state"],
            registry=self.registry,
        )
        self._incidents = Gauge(
            "sesbounce_suspected_incidents",
            "Incidents of providers that a person should look at.",
            registry=self.registry,
        )
        self._stopped = Gauge(
            "sesbounce_stopped_senders",
            "Senders that sesbounce stops until a person resumes them.",
            registry=self.registry,
        )
        at_scrape: dict[str, tuple[str, Callable[[], float]]] = {
            "healthy": (
                "1: SQS answers the worker and its commits succeed; 0: not.",
                lambda: status().healthy,
            ),
            "last_poll_age_seconds": (
                "Seconds since SQS answered a receive.",
                lambda: status().last_poll_seconds,
            ),
            "last_commit_age_seconds": (
                "Seconds since a commit succeeded.",
                lambda: status().last_commit_seconds,
            ),
            "oldest_message_age_seconds": (
                "Age of the oldest message of the last minute's batches.",
                oldest,
            ),
        }
        for name, (help_, value) in at_scrape.items():
            Gauge(f"sesbounce_{name}", help_, registry=self.registry).set_function(value)
