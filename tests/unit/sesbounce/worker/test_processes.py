import os
import signal
from multiprocessing import Pipe

import pytest

from sesbounce.telemetry.reports import Polled
from sesbounce.worker import processes


def test_the_reports_of_a_moment_travel_together() -> None:
    ours, theirs = Pipe(duplex=False)
    with processes._sending(theirs) as report:
        report(Polled(1))
        report(Polled(2))
    assert ours.recv() == [Polled(1), Polled(2)]


def test_a_child_stops_when_its_parent_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    ours, theirs = Pipe(duplex=False)
    ours.close()
    with processes._sending(theirs) as report:
        report(Polled(1))
    assert killed == [(os.getpid(), signal.SIGTERM)]
