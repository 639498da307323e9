"""A worker that tests run on a queue in memory, which records the calls."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.aws.depth import Depth
from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound.relay import Relay, Target
from sesbounce.store.engine import write
from sesbounce.store.outbox import Outbox
from sesbounce.store.workers import Mode
from sesbounce.telemetry.counts import Counts, count
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.reports import Report
from sesbounce.worker.loop import LoopSettings, Worker
from sesbounce.worker.presence import Presence, introduce
from tests.stored import store
from tests.support import AT, in_sns, mail, said


class Shelf(Queue):
    """A queue in memory that records the calls."""

    def __init__(self, *batches: Sequence[str]) -> None:
        self.batches = list(batches)
        self.received: list[str] = []
        self.deleted: list[str] = []
        self.back: list[tuple[str, int]] = []
        self.on_receive: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._number = 0

    def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
        self.on_receive()
        with self._lock:
            bodies = self.batches.pop(0) if self.batches else []
            self.received += bodies
            messages = []
            for body in bodies:
                self._number += 1
                messages.append(Received(f"id-{self._number}", f"{self._number}", body, 1, AT))
        if not messages:
            time.sleep(0.01)
        return messages

    def delete(self, messages: Sequence[Received]) -> BatchFailures:
        self.deleted += [m.body for m in messages]
        return BatchFailures()

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
        self.back += [(m.body, seconds) for m, seconds in messages]
        return BatchFailures()

    def depth(self) -> Depth:
        return Depth(len(self.batches), 0, 0)


class Working:
    """A worker and its reports."""

    def __init__(
        self,
        engine: sa.Engine,
        queue: Queue,
        trust: Trust,
        now: datetime,
        loop_settings: LoopSettings,
        targets: Sequence[Target],
    ) -> None:
        self.reports: list[Report] = []
        self.overdue = threading.Event()
        recording = store(engine, outbox=Outbox(target.name for target in targets))
        self.worker = Worker(
            queue,
            recording,
            trust,
            Relay(engine, targets, lambda: now, patient=not loop_settings.until_empty),
            self.reports.append,
            loop_settings,
            incidents=Incidents(recording),
            presence=Presence(
                engine,
                introduce(Mode.UNTIL_EMPTY if loop_settings.until_empty else Mode.RUN, URL, now),
                Health(time.monotonic(), loop_settings.wait_seconds),
                lambda: now,
            ),
            overdue=self.overdue.set,
            now=lambda: now,
        )

    @property
    def totals(self) -> Counts:
        """What it has reported until now, added up."""
        totals = Counts()
        for report in self.reports:
            totals.add(count(report))
        return totals

    def run(self) -> Counts:
        try:
            self.worker.run()
        finally:
            # On a busy machine its threads may need longer than the worker waits for them.
            assert self.worker._threads.join(60)
        return self.totals

    def of(self, kind: type[Report]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]


URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/feedback"
UNTIL_EMPTY = LoopSettings(pollers=1, until_empty=True)


def make(
    engine: sa.Engine,
    queue: Queue,
    trust: Trust | None = None,
    now: datetime = AT,
    loop_settings: LoopSettings = UNTIL_EMPTY,
    targets: Sequence[Target] = (),
) -> Working:
    return Working(engine, queue, trust or Trust(), now, loop_settings, targets)


def body(recipient: str = "jane@example.com", scenario: Scenario = Scenario.BOUNCE) -> str:
    return in_sns(said(scenario, mail(recipient, recipient)))


NEW = '{"eventType": "New"}'
JUNK = '{"notificationType": "Bounce"}'


def run(working: Working) -> threading.Thread:
    """Run a worker beside the test, which has to stop it."""
    thread = threading.Thread(target=working.run, daemon=True)
    thread.start()
    return thread


def rename(engine: sa.Engine, old: str, new: str) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
