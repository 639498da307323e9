"""Writes into the database, once a minute, that this worker lives and what it sees.

Nothing here hinders the worker: where its row can't be written, a warning says so.
"""

import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
import structlog

from sesbounce.aws.depth import Depth
from sesbounce.errors import StoreError
from sesbounce.store.engine import translated, write
from sesbounce.store.workers import Mode, WorkerRow, save_worker
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.reports import BatchDone, Polled, Report

# A sweep each minute asks for it; the one that follows a full batch may come earlier.
_EVERY_SECONDS = 50.0
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
# On Fargate the id of a container begins with that of its task.
_TASK = re.compile(r"/v4/([0-9a-f]{32})-[0-9]+$")

log = structlog.get_logger()


class Presence:
    """What one worker says of itself. Several threads may report."""

    def __init__(
        self,
        engine: sa.Engine,
        row: WorkerRow,
        health: Health | None,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without reports.

        Args:
            engine: the worker's database.
            row: the worker at its start: `introduce` makes it.
            health: its health, by the times of the clock; None where nobody waits for anything.
            now: returns the time, UTC.
            clock: returns the seconds of a monotonic clock.
        """
        self._engine = engine
        self._row = row
        self._health = health
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._due_at = clock()
        self._is_written = False
        self._problem = ""

    def watching(self, report: Callable[[Report], None]) -> Callable[[Report], None]:
        """A function that adds each report here, and passes it on."""

        def add_and_pass_on(one: Report) -> None:
            self.add(one)
            report(one)

        return add_and_pass_on

    def add(self, report: Report) -> None:
        """Add a report of the worker."""
        with self._lock:
            if self._health:
                self._health.add(report, self._clock())
            match report:
                case Polled():
                    self._change(polled_at=self._now())
                case Depth():
                    self._change(depth=report)
                case BatchDone() if report.messages:
                    oldest = max(self._row.oldest_seconds or 0, round(report.oldest_seconds))
                    self._change(oldest_seconds=oldest)
                case _:
                    pass

    def count_dead_letters(self, depth: Depth) -> None:
        """Take the depth of the dead-letter queue, which may be unknown."""
        with self._lock:
            self._change(dead_letters=None if depth.visible is None else depth.at_least)

    def save(self) -> None:
        """Write the row, unless that was done within the last minute."""
        if self._clock() >= self._due_at:
            self._due_at = self._clock() + _EVERY_SECONDS
            self._write(self._seen())

    def end(self) -> None:
        """Write that the worker has ended in order.

        It does not try where that is likely to fail: then others see that it is gone.
        """
        row = self._seen()
        if self._is_written and "database" not in row.waits_for:
            self._write(msgspec.structs.replace(row, ended_at=row.seen_at))

    def _seen(self) -> WorkerRow:
        """The row as it is now; the next one has an oldest message of its own."""
        with self._lock:
            waits_for = self._health.waits_for(self._clock()) if self._health else ()
            self._change(seen_at=self._now(), waits_for=waits_for)
            seen = self._row
            self._change(oldest_seconds=None)
        return seen

    def _change(self, **values: object) -> None:
        self._row = msgspec.structs.replace(self._row, **values)

    def _write(self, row: WorkerRow) -> None:
        self._is_written = False
        try:
            with translated("can't write its own row"), write(self._engine) as connection:
                save_worker(connection, row)
        except StoreError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("worker not shown on the console", problem=self._problem)
            return
        self._is_written = True
        self._problem = ""


def introduce(
    mode: Mode,
    queue_url: str | None,
    now: datetime,
    environment: Mapping[str, str] = os.environ,
) -> WorkerRow:
    """A worker at its start.

    Args:
        mode: how it runs.
        queue_url: the URL of the queue; None where it is not known.
        now: the time, UTC.
        environment: the variables, of which some are set by ECS and AWS Lambda.
    """
    task = _TASK.search(environment.get("ECS_CONTAINER_METADATA_URI_V4", ""))
    function = environment.get("AWS_LAMBDA_FUNCTION_NAME") if mode is Mode.LAMBDA else None
    return WorkerRow(
        # The environments of a function come and go without an end.
        id=function or secrets.token_hex(16),
        mode=mode,
        host=function or (task[1] if task else socket.gethostname()),
        process=os.getpid(),
        version=_version(),
        queue=urlsplit(queue_url or "").path.rpartition("/")[2],
        started_at=now,
        seen_at=now,
    )


def _version() -> str:
    """The version of sesbounce; empty in the package for Lambda, which does not say it."""
    try:
        return version("sesbounce")
    except PackageNotFoundError:
        return ""
