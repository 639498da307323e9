import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from sesbounce.cli import main
from sesbounce.store.result import Recorded
from sesbounce.telemetry.endpoint import serving
from sesbounce.telemetry.observer import observing
from sesbounce.telemetry.reports import Stalled, Swept
from tests.ports import free_port, silent_port
from tests.unit.sesbounce.observed import Clock, settings


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.delenv("SESBOUNCE_METRICS_HOST", raising=False)
    port = free_port()
    monkeypatch.setenv("SESBOUNCE_METRICS_PORT", str(port))
    return port


def health(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["health", *arguments], catch_exceptions=False)


def test_a_healthy_worker(port: int) -> None:
    with observing(settings(metrics_port=port), clock=Clock()):
        result = health()
        assert (result.exit_code, result.output) == (0, "The worker is healthy.\n")
        assert json.loads(health("--json").output) == {
            "healthy": True,
            "faults": [],
            "last_poll_seconds": 0,
            "last_commit_seconds": 0,
            "busy": [],
        }


def test_a_healthy_worker_that_is_busy(port: int) -> None:
    with observing(settings(metrics_port=port), clock=Clock()) as observer:
        observer(Swept(Recorded(), 3, 5))
        result = health()
    assert (result.exit_code, result.output) == (
        0,
        "The worker is healthy.\nBusy striking off, 3 of 5 addresses.\n",
    )


def test_a_worker_that_is_not(port: int) -> None:
    with observing(settings(metrics_port=port)) as observer:
        observer(Stalled("database", "down"))
        observer(Stalled("queue", "refused"))
        result = health()
        assert result.exit_code == 1
        assert result.output == (
            "The worker waits for the database; its log says why.\n"
            "The worker waits for the queue; its log says why.\n"
        )
        assert health("--json").exit_code == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "", "localhost"])  # noqa: S104  that is the point
def test_a_worker_is_asked_on_the_address_that_it_listens_on(
    port: int, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("SESBOUNCE_METRICS_HOST", host)
    with observing(settings(metrics_port=port, metrics_host=host or "127.0.0.1")):
        assert health().exit_code == 0
    assert f"port {port} (" in health().stderr


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])  # noqa: S104
def test_a_worker_that_listens_everywhere_is_asked_here(
    port: int, monkeypatch: pytest.MonkeyPatch, host: str, asked: str
) -> None:
    monkeypatch.setenv("SESBOUNCE_METRICS_HOST", host)
    assert health().stderr.startswith(f"sesbounce: nothing answers on {asked}, port {port} (")


def test_nobody_answers(port: int) -> None:
    result = health()
    assert result.exit_code == 2
    assert result.stderr.startswith(f"sesbounce: nothing answers on 127.0.0.1, port {port} (")


@pytest.mark.parametrize("port", ["", "x", "0", "65536", "9" * 400])
def test_no_port_is_set(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("SESBOUNCE_METRICS_PORT", port)
    result = health()
    assert result.exit_code == 2
    assert "SESBOUNCE_METRICS_PORT is not set" in result.stderr


def test_somebody_else_answers(port: int) -> None:
    def other(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [])
        return [b"<html>"]

    with serving("127.0.0.1", port, other):
        result = health()
    assert result.exit_code == 2
    assert "another program answers" in result.stderr


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The status that a server on all addresses answers `/healthz` with; the test sets it."""
    port, status = free_port(), ["200 OK"]
    monkeypatch.setenv("SESBOUNCE_SERVE_HOST", "0.0.0.0")  # noqa: S104  as in a container
    monkeypatch.setenv("SESBOUNCE_SERVE_PORT", str(port))

    def answer(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        start_response(status[0] if environ["PATH_INFO"] == "/healthz" else "404 Not Found", [])
        return [b"{}"]

    with serving("127.0.0.1", port, answer):
        yield status


def test_a_healthy_server(served: list[str]) -> None:
    result = health("--server")
    assert (result.exit_code, result.output) == (0, "The server is healthy.\n")


def test_a_server_whose_database_is_away(served: list[str]) -> None:
    served[0] = "503 Service Unavailable"
    result = health("--server", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "healthy": False,
        "faults": ["The database does not answer the server; its log says why."],
    }


def test_somebody_else_answers_on_the_port_of_the_server(served: list[str]) -> None:
    served[0] = "404 Not Found"
    result = health("--server")
    assert result.exit_code == 2
    assert result.stderr.endswith("give the server a SESBOUNCE_SERVE_PORT of its own\n")


def test_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_port() as port:
        monkeypatch.setenv("SESBOUNCE_SERVE_PORT", str(port))
        result = health("--server")
    assert result.exit_code == 2
    assert "start the server with the same SESBOUNCE_SERVE_PORT" in result.stderr


def test_little_is_imported_for_it() -> None:
    program = "import sys, sesbounce.cli.health; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    heavy = {"sqlalchemy", "boto3", "botocore", "pydantic", "alembic", "structlog"}
    assert "sesbounce.cli" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())


def test_a_misspelt_setting_is_named(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_METRIC_HOST", "127.0.0.2")
    result = health()
    assert result.exit_code == 2
    assert "SESBOUNCE_METRIC_HOST is no setting of sesbounce: use SESBOUNCE_METRICS_HOST" in (
        result.stderr
    )
