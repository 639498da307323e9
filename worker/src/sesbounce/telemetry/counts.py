"""What each report counts: the one place that Prometheus, CloudWatch and the summary take it from.

The numbers have their published names in `metrics` and `emf`.
"""

import msgspec

from sesbounce.store.result import Numbers, Recorded
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Swept

Shares = dict[str, int]


class Counts(Numbers, kw_only=True):
    """Numbers of messages, events, addresses and rows; a message counts at each receive.

    Attributes:
        received: messages that SQS delivered.
        undecodable: messages that the worker did not understand.
        fingerprints: the same messages, by the fingerprint of the failure.
        failed: messages that the worker understood, and could not verify or record.
        unknown: messages of a type that this version does not know.
        unreadable: recipients whose address the worker can't read.
        deleted: messages that the worker deleted from the queue.
        returned: messages that the worker returned to the queue.
        expired: messages that others could receive before the worker was done with them.
        delete_failures: messages that SQS did not delete or return, in spite of retries.
        events: events that were new.
        kinds: the same events, by kind.
        sender_faults: events that were new and show a fault of the sender.
        fault_reasons: the same events, by reason.
        duplicates: events that the database held already.
        suppressed: addresses that became suppressed.
        reasons: the same addresses, by reason.
        released: addresses that are no longer suppressed.
        struck_rows: rows of the sender's own tables that the strike-off statements changed.
        restored_rows: rows of the sender's own tables that the restore statements changed.
        rejected: addresses for which the database rejected a statement.
    """

    received: int = 0
    undecodable: int = 0
    fingerprints: Shares = msgspec.field(default_factory=dict)
    failed: int = 0
    unknown: int = 0
    unreadable: int = 0
    deleted: int = 0
    returned: int = 0
    expired: int = 0
    delete_failures: int = 0
    events: int = 0
    kinds: Shares = msgspec.field(default_factory=dict)
    sender_faults: int = 0
    fault_reasons: Shares = msgspec.field(default_factory=dict)
    duplicates: int = 0
    suppressed: int = 0
    reasons: Shares = msgspec.field(default_factory=dict)
    released: int = 0
    struck_rows: int = 0
    restored_rows: int = 0
    rejected: int = 0


def count(report: Report) -> Counts:
    """What a report counts; all zeros for a report that says nothing of a message or an event."""
    match report:
        case Polled():
            return Counts(received=report.messages)
        case BatchDone():
            counts = _count_recorded(report.recorded)
            counts.fingerprints = report.undecodable
            counts.undecodable = sum(report.undecodable.values())
            counts.failed = report.failed
            counts.unknown = report.unknown
            counts.unreadable = report.unreadable
            return counts
        case Swept():
            return _count_recorded(report.recorded)
        case Acknowledged():
            return Counts(
                deleted=report.deleted,
                returned=report.returned,
                expired=report.expired,
                delete_failures=report.failed,
            )
        case _:
            return Counts()


def _count_recorded(recorded: Recorded) -> Counts:
    return Counts(
        events=recorded.events,
        kinds=recorded.kinds,
        sender_faults=sum(recorded.sender_faults.values()),
        fault_reasons=recorded.sender_faults,
        duplicates=recorded.duplicates,
        suppressed=recorded.suppressed,
        reasons=recorded.reasons,
        released=recorded.released,
        struck_rows=recorded.struck_rows,
        restored_rows=recorded.restored_rows,
        rejected=sum(recorded.rejected.values()),
    )
