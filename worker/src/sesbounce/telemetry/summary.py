"""Sums up what a run has done, from its reports."""

import threading

from sesbounce.store.result import Recorded
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Swept


class Totals:
    """What a run did, in numbers of messages, and of events, addresses and rows.

    Attributes:
        received: messages, each time that one came.
        deleted: messages that have left the queue.
        undecodable: messages that were not understood, each time.
        failed: messages that were, and could not be recorded or verified, each time.
        unknown: messages of a type that is not known here, each time.
        recorded: what recording did.
    """

    def __init__(self) -> None:
        self.received = 0
        self.deleted = 0
        self.undecodable = 0
        self.failed = 0
        self.unknown = 0
        self.recorded = Recorded()
        self._lock = threading.Lock()

    def add(self, report: Report) -> None:
        """Count a report in. Any thread may do it."""
        with self._lock:
            match report:
                case Polled():
                    self.received += report.messages
                case BatchDone():
                    self.undecodable += sum(report.undecodable.values())
                    self.failed += report.failed
                    self.unknown += report.unknown
                    self.recorded.add(report.recorded)
                case Swept():
                    self.recorded.add(report.recorded)
                case Acknowledged():
                    self.deleted += report.deleted
