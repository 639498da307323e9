"""Several worker processes under one parent, for more than one CPU.

The children send their reports to the parent, which alone serves metrics and health. If one of
them fails the others are stopped: a part that silently stands still is what nobody notices.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

import structlog

from sesbounce.errors import ProcessError
from sesbounce.telemetry.reports import Report

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_LOOK_UP_SECONDS = 0.5

log = structlog.get_logger()

# What a child does: it reports what it does, and returns its exit code.
Work = Callable[[Callable[[Report], None]], int]


class Processes:
    """Runs the same work in several processes.

    Args:
        count: how many.
        work: what each does; it is pickled.
        report: told of what each reports, with its number.
        patience: how long those that are told to stop may take, in seconds.
    """

    def __init__(
        self, count: int, work: Work, report: Callable[[Report, int], None], patience: float
    ) -> None:
        self._count = count
        self._work = work
        self._report = report
        self._patience = patience
        self._children: list[SpawnProcess] = []
        self._stop_at: float | None = None

    def stop(self) -> None:
        """Have all of them finish what is in hand, and end. Safe in a signal handler."""
        self._stop_at = self._stop_at or time.monotonic()
        for child in self._children:
            if child.pid and child.is_alive():
                os.kill(child.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End all of them at once. Safe in a signal handler."""
        for child in self._children:
            child.kill()

    def run(self) -> None:
        """Start them and wait until all have ended.

        Raises:
            ProcessError: one has failed.
        """
        context = multiprocessing.get_context("spawn")
        pipes: dict[Connection, int] = {}
        for number in range(self._count):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=(self._work, theirs), daemon=True)
            child.start()
            theirs.close()
            pipes[ours] = number
            self._children.append(child)
        if self._stop_at:
            self.stop()  # the signal came while they were being started
        while pipes:
            self._read(pipes)
            self._watch()
        for child in self._children:
            child.join()
        self._check()

    def _read(self, pipes: dict[Connection, int]) -> None:
        """Pass on what the children report; one that says no more is at its end."""
        for pipe in wait(list(pipes), _LOOK_UP_SECONDS):
            assert isinstance(pipe, Connection)  # noqa: S101  nothing else was waited for
            try:
                self._report(pipe.recv(), pipes[pipe])
            except (EOFError, ConnectionError):
                pipe.close()
                del pipes[pipe]

    def _watch(self) -> None:
        """Stop the others where one has failed, and end those that do not stop in time."""
        failed = any(child.exitcode for child in self._children)
        if failed and self._stop_at is None:
            log.critical("a process has failed", codes=[c.exitcode for c in self._children])
            self.stop()
        if self._stop_at and time.monotonic() > self._stop_at + self._patience:
            self.kill()

    def _check(self) -> None:
        for number, child in enumerate(self._children):
            # One that was still starting when it was told to stop has had nothing to finish.
            unready = self._stop_at and child.exitcode == -signal.SIGTERM
            if child.exitcode and not unready:
                raise ProcessError(
                    f"process {number} has ended with exit code {child.exitcode}; the others were "
                    "stopped. Its own last words are above."
                )


def _child(work: Work, pipe: Connection) -> None:
    # A terminal sends its signals to all at once; the parent passes on what it wants to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = threading.Lock()
    orphaned = threading.Event()

    def report(what: Report) -> None:
        with lock:
            if orphaned.is_set():
                return
            try:
                pipe.send(what)
            except BrokenPipeError:
                # The parent was killed, and whoever starts it again starts others.
                orphaned.set()
                log.critical("the parent process is gone")
                os.kill(os.getpid(), signal.SIGTERM)

    raise SystemExit(work(report))
