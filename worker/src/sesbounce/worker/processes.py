"""Several worker processes under one parent, for more than one CPU.

The children send their reports to the parent, which alone serves metrics and health. If one child
fails, the parent stops the others, because nobody would notice that a part of the worker is gone.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING

import structlog

from sesbounce.errors import ProcessError
from sesbounce.telemetry.reports import Report

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

# How often the parent looks, while the children stop, whether one takes too long.
_LATE_SECONDS = 0.5
_SEND_SECONDS = 0.1

log = structlog.get_logger()

# The work of a child: it takes a function for its reports, and returns the exit code.
Work = Callable[[Callable[[Report], None]], int]


class Processes:
    """Runs the same work in several processes.

    Args:
        count: the number of processes.
        work: the work of each process; it is pickled.
        report: takes each report, with the number of its process.
        stop_seconds: how long processes may take to stop; after that they are killed.
    """

    def __init__(
        self, count: int, work: Work, report: Callable[[Report, int], None], stop_seconds: float
    ) -> None:
        self._count = count
        self._work = work
        self._report = report
        self._stop_seconds = stop_seconds
        self._children: list[SpawnProcess] = []
        self._stopped_at: float | None = None
        self._stops, self._stop = multiprocessing.Pipe(duplex=False)

    def stop(self) -> None:
        """Make all children finish their messages in flight, and end. Safe in a signal handler."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._stop.send_bytes(b"")
        for child in self._children:
            if child.pid and child.is_alive():
                os.kill(child.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill all children. Safe in a signal handler."""
        for child in self._children:
            child.kill()

    def run(self) -> None:
        """Start the children, and wait until all of them have ended.

        Raises:
            ProcessError: a child has failed.
        """
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # when the first child starts it, it unblocks signals
        pipes: dict[Connection, int] = {}
        for number in range(self._count):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=(self._work, theirs), daemon=True)
            with _blocked(signal.SIGINT):
                child.start()
            theirs.close()
            pipes[ours] = number
            self._children.append(child)
        if self._stopped_at:
            self.stop()  # the signal came while the children were starting
        while pipes:
            # In this order: a child that ends after it was seen alive ends the wait, and one that
            # ended before is seen by `_watch`.
            ends = [child.sentinel for child in self._children if child.is_alive()]
            self._watch()
            self._read(pipes, ends)
        for child in self._children:
            child.join()
        # A signal to all processes may have ended the children before this process heard it.
        self._watch()
        self._check()

    def _read(self, pipes: dict[Connection, int], ends: list[int]) -> None:
        """Wait for reports, and pass them on; a child whose pipe is closed is about to end.

        The end of a child, and `stop`, end the wait.
        """
        stopped = self._stopped_at is not None
        ready = wait(
            [*pipes, *ends, *([] if stopped else [self._stops])],
            _LATE_SECONDS if stopped else None,
        )
        for pipe in pipes.keys() & set(ready):
            try:
                for report in pipe.recv():
                    self._report(report, pipes[pipe])
            except (EOFError, ConnectionError):
                pipe.close()
                del pipes[pipe]

    def _watch(self) -> None:
        """Stop the other children where one has failed; kill those that do not stop in time."""
        failed = any(child.exitcode for child in self._children)
        if failed and self._stopped_at is None:
            log.critical("a process has failed", codes=[c.exitcode for c in self._children])
            self.stop()
        if self._stopped_at and time.monotonic() > self._stopped_at + self._stop_seconds:
            self.kill()

    def _check(self) -> None:
        for number, child in enumerate(self._children):
            # A child that was still starting at SIGTERM had no messages to finish.
            unready = self._stopped_at and child.exitcode == -signal.SIGTERM
            if child.exitcode and not unready:
                raise ProcessError(
                    f"process {number} has ended with exit code {child.exitcode}; the others were "
                    "stopped. Its own messages are above."
                )


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Block a signal in this thread; a child or a thread that it starts inherits that.

    A child does so even while it imports. The other threads of this process still hear the signal.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(work: Work, pipe: Connection) -> None:
    # A terminal sends SIGINT to all processes; the parent sends SIGTERM to its children then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _sending(pipe) as report:
        code = work(report)
    raise SystemExit(code)


@contextmanager
def _sending(pipe: Connection) -> Iterator[Callable[[Report], None]]:
    """Send the reports of the block to the parent, all of a tenth of a second at once.

    To send each by itself would cost both processes more than the report is about.
    """
    reports: SimpleQueue[Report | None] = SimpleQueue()
    thread = threading.Thread(target=_send, args=(pipe, reports), name="sender", daemon=True)
    with _blocked(signal.SIGTERM):  # which is for the main thread
        thread.start()
    try:
        yield reports.put
    finally:
        reports.put(None)
        thread.join()


def _send(pipe: Connection, reports: "SimpleQueue[Report | None]") -> None:
    """Send reports until the last one, which is None."""
    last = False
    while not last:
        some = [reports.get()]
        if some[0] is not None:
            time.sleep(_SEND_SECONDS)
        some += [reports.get() for _ in range(reports.qsize())]
        last = None in some
        try:
            pipe.send([report for report in some if report is not None])
        except BrokenPipeError:
            # The parent was killed. Its restart starts other children.
            log.critical("the parent process has ended")
            os.kill(os.getpid(), signal.SIGTERM)
            return
