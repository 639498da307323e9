"""What a worker reports, as metrics for Prometheus (`docs/metrics.md`).

Names and units by https://prometheus.io/docs/practices/naming/. Of several processes the one that
started them counts for all, so that prometheus-client needs no multiprocess mode.
"""

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sesbounce.aws.depth import Depth
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.store.result import Recorded
from sesbounce.telemetry.health import Status
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Swept

# Each value of a label is a time series of its own, and failures can be of any number of sorts.
MOST_FINGERPRINTS = 100
OTHER = "other"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_STATES = ("visible", "in_flight", "delayed")
# A counter that is not there before its first event hides that event from `increase()`. These are
# what a worker may record, and what may suppress an address for which it does.
_KINDS = [kind.value for kind in Kind if kind not in {Kind.SETUP, Kind.UNKNOWN, Kind.MANUAL}]
_REASONS = [
    reason.value
    for reason in Reason
    if reason.effect not in {Effect.DELIVERED, Effect.NONE, Effect.MANUAL}
]


class Fingerprints:
    """The first hundred fingerprints are told apart, whatever comes after that is `other`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, fingerprint: str) -> str:
        """The fingerprint, or `other`."""
        if len(self._known) < MOST_FINGERPRINTS:
            self._known.add(fingerprint)
        return fingerprint if fingerprint in self._known else OTHER


class Metrics:
    """The metrics of one worker, in a registry of their own.

    Telling them is thread-safe as far as prometheus-client goes: the bound on fingerprints is
    not.
    """

    def __init__(self, judge: Callable[[], Status], oldest: Callable[[], float]) -> None:
        """Metrics that begin at zero.

        Args:
            judge: how the worker is now; asked at each scrape.
            oldest: the age in seconds of the oldest message in hand; asked likewise.
        """
        # The time of creation would be one more series for each counter and bucket.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._fingerprints = Fingerprints()
        self._count_messages()
        self._count_recorded()
        self._measure_batches()
        self._gauge(judge, oldest)

    def tell(self, report: Report) -> None:
        """Count in what the worker has reported."""
        match report:
            case Polled():
                self._received.inc(report.messages)
            case BatchDone():
                self._batch(report)
            case Swept():
                self._record(report.recorded)
            case Acknowledged():
                self._deleted.inc(report.deleted)
                self._returned.inc(report.returned)
                self._delete_failures.inc(report.failed)
                self._expired.inc(report.expired)
            case Depth():
                for state in _STATES:
                    self._queue.labels(state).set(getattr(report, state))
            case _:
                pass

    def _batch(self, batch: BatchDone) -> None:
        for fingerprint, messages in batch.undecodable.items():
            self._undecodable.labels(self._fingerprints.label(fingerprint)).inc(messages)
        self._failed.inc(batch.failed)
        self._unknown.inc(batch.unknown)
        self._unreadable.inc(batch.unreadable)
        self._batch_seconds.observe(batch.seconds)
        self._commit_seconds.observe(batch.commit_seconds)
        self._batch_messages.observe(batch.messages)
        self._record(batch.recorded)

    def _record(self, recorded: Recorded) -> None:
        for kind, events in recorded.kinds.items():
            self._recorded.labels(kind).inc(events)
        for reason, addresses in recorded.reasons.items():
            self._suppressed.labels(reason).inc(addresses)
        self._duplicates.inc(recorded.duplicates)
        self._released.inc(recorded.released)
        self._rows_struck_off.inc(recorded.struck_rows)
        self._rows_restored.inc(recorded.restored_rows)
        self._rejected.inc(sum(recorded.rejected.values()))

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"sesbounce_{name}_total", help_, labels, registry=self.registry)

    def _count_messages(self) -> None:
        self._received = self._counter("messages_received", "Messages that SQS has handed over.")
        self._undecodable = self._counter(
            "messages_undecodable",
            "Messages that were not understood, by the fingerprint of the failure.",
            "fingerprint",
        )
        self._failed = self._counter(
            "messages_failed", "Messages that could not be recorded or verified."
        )
        self._unknown = self._counter(
            "messages_unknown", "Messages of a type that is not known here; they are recorded."
        )
        self._unreadable = self._counter(
            "recipients_unreadable", "Recipients that have no address that can be read."
        )
        self._deleted = self._counter("messages_deleted", "Messages that have left the queue.")
        self._returned = self._counter(
            "messages_returned", "Messages that are to come again later."
        )
        self._expired = self._counter(
            "messages_expired", "Messages that had become visible again before they were done."
        )
        self._delete_failures = self._counter(
            "delete_failures",
            "Messages that SQS did not delete or return to the queue, in spite of retries.",
        )

    def _count_recorded(self) -> None:
        self._recorded = self._counter("events_recorded", "Events that were new, by kind.", "kind")
        for kind in _KINDS:
            self._recorded.labels(kind)
        self._duplicates = self._counter("duplicates", "Events that were known already.")
        self._suppressed = self._counter(
            "addresses_suppressed", "Addresses that became suppressed, by reason.", "reason"
        )
        for reason in _REASONS:
            self._suppressed.labels(reason)
        self._released = self._counter(
            "addresses_released", "Addresses that ceased to be suppressed."
        )
        self._rows_struck_off = self._counter(
            "rows_struck_off", "Rows of the sender's own tables that were struck off."
        )
        self._rows_restored = self._counter(
            "rows_restored", "Rows of the sender's own tables that were restored."
        )
        self._rejected = self._counter(
            "statements_rejected",
            "Addresses for which a strike-off or restore statement was rejected.",
        )

    def _measure_batches(self) -> None:
        self._batch_seconds = Histogram(
            "sesbounce_batch_seconds",
            "How long a batch was in hand.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._commit_seconds = Histogram(
            "sesbounce_commit_seconds",
            "How much of that the database took.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_messages = Histogram(
            "sesbounce_batch_messages",
            "How many messages a batch held.",
            buckets=_MESSAGES,
            registry=self.registry,
        )

    def _gauge(self, judge: Callable[[], Status], oldest: Callable[[], float]) -> None:
        self._queue = Gauge(
            "sesbounce_queue_messages",
            "Messages in the queue, approximately, by state.",
            ["state"],
            registry=self.registry,
        )
        at_scrape: dict[str, tuple[str, Callable[[], float]]] = {
            "healthy": ("1: the worker does its work, 0: it does not.", lambda: judge().healthy),
            "last_poll_age_seconds": (
                "How long ago SQS answered a receive.",
                lambda: judge().last_poll_seconds,
            ),
            "last_commit_age_seconds": (
                "How long ago something was committed.",
                lambda: judge().last_commit_seconds,
            ),
            "oldest_message_age_seconds": ("Age of the oldest message in hand.", oldest),
        }
        for name, (help_, value) in at_scrape.items():
            Gauge(f"sesbounce_{name}", help_, registry=self.registry).set_function(value)
