"""Real child processes, which do what the tests say."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.popen_fork import Popen
from pathlib import Path
from typing import Any

import pytest

from sesbounce.errors import ProcessError
from sesbounce.telemetry.reports import Polled, Report
from sesbounce.worker import processes
from sesbounce.worker.processes import Processes
from tests.support import until

Reporting = Callable[[Report], None]


def report_and_end(report: Reporting) -> int:
    report(Polled(3))
    return 0


def wait_for_the_signal(report: Reporting) -> int:
    # A handler that sets an event would wait for ever where the signal comes within its wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    report(Polled(1))
    signal.sigwait({signal.SIGTERM})
    report(Polled(2))
    return 0


def one_fails(report: Reporting) -> int:
    """The first process fails once the second is ready for the signal."""
    first, second = (Path(os.environ["FOLDER"], name) for name in ("first", "second"))

    def ready(message: Report) -> None:
        report(message)
        second.touch()

    try:
        first.touch(exist_ok=False)
    except FileExistsError:
        return wait_for_the_signal(ready)
    until(second.exists)
    return 7


def deaf(report: Reporting) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(Polled(1))
    time.sleep(300)
    return 0


class Received:
    def __init__(self) -> None:
        self.reports: list[tuple[int, Report]] = []

    def __call__(self, report: Report, source: int) -> None:
        self.reports.append((source, report))
        self.on_report()

    def on_report(self) -> None:
        pass


def test_the_parent_gets_each_report_with_the_number_of_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeouts: list[float | None] = []

    def wait(objects: list[Any], timeout: float | None) -> list[Any]:
        timeouts.append(timeout)
        return connection.wait(objects, timeout)

    monkeypatch.setattr(processes, "wait", wait)
    received = Received()
    Processes(2, report_and_end, received, 25).run()
    assert set(timeouts) == {None}  # no timer wakes the parent
    assert [report for _, report in received.reports] == [Polled(3)] * 2
    assert sorted(number for number, _ in received.reports) == [0, 1]


def test_a_signal_stops_all_of_them_when_they_have_finished() -> None:
    received = Received()
    running = Processes(2, wait_for_the_signal, received, 25)

    def stop_when_both_are_there() -> None:
        if len(received.reports) == 2:
            running.stop()

    received.on_report = stop_when_both_are_there  # type: ignore[method-assign]
    running.run()
    assert [report for _, report in received.reports] == [Polled(1)] * 2 + [Polled(2)] * 2
    assert sorted(number for number, _ in received.reports) == [0, 0, 1, 1]


def test_where_one_fails_the_others_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    received = Received()
    with pytest.raises(ProcessError, match="has ended with exit code 7"):
        Processes(2, one_fails, received, 25).run()
    assert Polled(2) in [report for _, report in received.reports]


def test_where_the_system_tells_the_end_of_one_late_the_others_are_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process closes its pipes a moment before the system tells its exit code."""
    told: set[int] = set()

    def poll(popen: Popen, flag: int = os.WNOHANG) -> int | None:
        code = popen_poll(popen, flag)
        if code is not None and flag == os.WNOHANG and popen.pid not in told:
            told.add(popen.pid)
            return None
        return code

    popen_poll = Popen.poll
    monkeypatch.setattr(Popen, "poll", poll)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    with pytest.raises(ProcessError, match="has ended with exit code 7"):
        Processes(2, one_fails, Received(), 25).run()
    assert told


def test_one_that_is_killed_is_noticed() -> None:
    received = Received()
    running = Processes(1, deaf, received, 25)

    def kill() -> None:
        running.kill()

    received.on_report = kill  # type: ignore[method-assign]
    with pytest.raises(ProcessError, match="has ended with exit code -9"):
        running.run()


def test_one_that_does_not_stop_in_time_is_ended() -> None:
    received = Received()
    running = Processes(1, deaf, received, 0.1)
    received.on_report = running.stop  # type: ignore[method-assign]
    with pytest.raises(ProcessError, match="exit code -9"):
        running.run()
