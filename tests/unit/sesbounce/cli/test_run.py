"""How a run ends, and what it tells CloudWatch then; the worker itself is a stand-in."""

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sesbounce.cli import main
from sesbounce.errors import StoreError
from sesbounce.store.result import Recorded
from sesbounce.telemetry.reports import Report, Swept

Action = Callable[[int], None]


class StandIn:
    """A worker that ends as the test says, and the signals that the command hears."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.on_run: Callable[[], object] = lambda: None
        self.on_signal: Action = lambda _: None
        self.report: Callable[[Report], None]

    def __call__(self, *arguments: Any, **_: object) -> "StandIn":
        self.report = arguments[4]
        return self

    def stop(self) -> None:
        self.stopped.set()

    def run(self) -> None:
        self.on_run()

    def act(self, first: Action, _later: Action) -> None:
        self.on_signal = first

    def hear(self, *_numbers: int) -> None: ...


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{tmp_path}/worker.sqlite3")
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:1/feedback")
    monkeypatch.setenv("SESBOUNCE_EMF", "true")
    monkeypatch.setenv("SESBOUNCE_EMF_METRICS", "RunsSucceeded,Failed")
    made = StandIn()
    monkeypatch.setattr("sesbounce.cli.work.open_queue", lambda *_, **__: None)
    monkeypatch.setattr("sesbounce.cli.work.Worker", made)
    monkeypatch.setattr("sesbounce.cli.work.signals", made)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


def metrics(result: Result) -> dict[str, Any]:
    """The values of the metrics in the one line for CloudWatch."""
    (line,) = (line for line in result.stdout.splitlines() if line.startswith('{"_aws"'))
    document = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}


@pytest.mark.usefixtures("worker")
def test_a_run_that_has_emptied_the_queue_has_succeeded() -> None:
    result = run("--until-empty")
    assert result.exit_code == 0
    assert metrics(result) == {"Failed": 0, "RunsSucceeded": 1}


def test_a_run_says_that_the_sender_s_own_tables_lack_a_verdict(worker: StandIn) -> None:
    worker.on_run = lambda: worker.report(Swept(Recorded(rejected={"no such column": 1})))
    result = run("--until-empty")
    assert result.exit_code == 0
    assert "Your database rejected a strike-off or restore statement" in result.stdout
    worker.on_run = lambda: None
    assert "rejected" not in run("--until-empty").stdout


def test_a_run_whose_time_is_over_stops_and_has_succeeded(worker: StandIn) -> None:
    worker.on_run = lambda: worker.stopped.wait(60)
    result = run("--until-empty", "--at-most", "1")
    assert worker.stopped.is_set()
    assert metrics(result) == {"Failed": 0, "RunsSucceeded": 1}


def test_a_run_that_ends_earlier_is_not_stopped(worker: StandIn) -> None:
    assert run("--until-empty", "--at-most", "1").exit_code == 0
    assert not worker.stopped.wait(1.2)


def test_a_run_that_a_signal_ends_has_not_succeeded(worker: StandIn) -> None:
    worker.on_run = lambda: worker.on_signal(signal.SIGTERM)
    result = run("--until-empty")
    assert worker.stopped.is_set()
    assert (result.exit_code, metrics(result)) == (0, {"Failed": 0})


def test_a_run_that_fails_has_not_succeeded(worker: StandIn) -> None:
    def fail() -> None:
        raise StoreError("the database is away")

    worker.on_run = fail
    result = run("--until-empty")
    assert (result.exit_code, metrics(result)) == (2, {"Failed": 0})
    assert "the database is away" in result.stderr


@pytest.mark.usefixtures("worker")
def test_a_worker_that_waits_for_messages_makes_no_runs() -> None:
    assert metrics(run()) == {"Failed": 0}


@pytest.mark.usefixtures("worker")
def test_no_time_at_all_is_a_mistake() -> None:
    result = run("--at-most", "0")
    assert (result.exit_code, "--at-most" in result.stderr) == (2, True)
