import http.client
import json
import os
import selectors
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from sesbounce.errors import ConfigurationError
from sesbounce.telemetry.endpoint import _Handler, make_app, serving
from sesbounce.telemetry.health import Status
from sesbounce.telemetry.logs import set_up_logs

HOST = "127.0.0.1"
RED = Status(False, ["The worker waits for the database: down."], 3.0, 130.5)
# Far more than any answer takes: after that there is no answer.
PATIENCE = 60.0


class Asked:
    """An endpoint, and the status of the worker behind it."""

    def __init__(self) -> None:
        self.now = Status(True, [], 1.0, 2.0)
        self.broken = False
        self.registry = CollectorRegistry()
        Counter("seen", "Seen.", registry=self.registry).inc(3)
        self.port = 0

    def status(self) -> Status:
        if self.broken:
            raise RuntimeError("no status")
        return self.now

    def get(self, path: str, method: str = "GET") -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read()
        finally:
            connection.close()


@pytest.fixture
def endpoint() -> Iterator[Asked]:
    asked = Asked()
    with serving(HOST, 0, make_app(asked.registry, asked.status)) as asked.port:
        yield asked


def test_metrics_are_served(endpoint: Asked) -> None:
    status, content_type, body = endpoint.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    assert b"\nseen_total 3.0\n" in body
    assert endpoint.get("/metrics?name[]=other")[2] == b""


def test_health_is_served(endpoint: Asked) -> None:
    status, content_type, body = endpoint.get("/healthz")
    assert (status, content_type) == (200, "application/json")
    assert json.loads(body) == {
        "healthy": True,
        "faults": [],
        "last_poll_seconds": 1.0,
        "last_commit_seconds": 2.0,
        "busy": [],
    }
    endpoint.now = RED
    status, _, body = endpoint.get("/healthz")
    assert status == 503
    assert json.loads(body)["faults"] == RED.faults


@pytest.mark.parametrize("path", ["/", "/healthz/", "/metrics/x", "/%2e%2e/etc/passwd"])
def test_other_paths_are_not_found(endpoint: Asked, path: str) -> None:
    assert endpoint.get(path)[0] == 404


def test_requests_are_not_logged(endpoint: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.get("/metrics")
    endpoint.get("/nothing")
    with socket.create_connection((HOST, endpoint.port), PATIENCE) as nonsense:
        nonsense.sendall(b"\x16\x03\x01\r\n\r\n")
        while nonsense.recv(1000):
            pass
    assert capsys.readouterr() == ("", "")


def test_a_fault_in_what_is_served_is_logged_and_answered(
    endpoint: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json")
    endpoint.broken = True
    assert endpoint.get("/healthz")[0] == 500
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["path"]) == ("request not answered", "/healthz")
    assert "RuntimeError: no status" in line["exception"]
    endpoint.broken = False
    assert endpoint.get("/healthz")[0] == 200


def test_slow_clients_do_not_keep_others_out(
    endpoint: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Handler, "timeout", 10 * PATIENCE)
    slow = [socket.create_connection((HOST, endpoint.port), PATIENCE) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    try:
        assert endpoint.get("/healthz")[0] == 200
        # The endpoint has closed the oldest connections for newer ones.
        assert slow[0].recv(100) == b""
    finally:
        for connection in slow:
            connection.close()


def test_the_connection_of_a_silent_client_is_closed(
    endpoint: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 <= _Handler.timeout <= 10
    monkeypatch.setattr(_Handler, "timeout", 0.05)
    with socket.create_connection((HOST, endpoint.port), PATIENCE) as silent:
        assert silent.recv(100) == b""
    assert capsys.readouterr() == ("", "")


def test_the_port_is_free_again_afterwards() -> None:
    asked = Asked()
    app = make_app(asked.registry, asked.status)
    with serving(HOST, 0, app) as port:
        pass
    with serving(HOST, port, app) as asked.port:
        assert asked.get("/healthz")[0] == 200


def test_no_timer_wakes_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float | None] = []

    class Recorded(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            timeouts.append(timeout)
            return super().select(timeout)

    monkeypatch.setattr(selectors, "DefaultSelector", Recorded)
    asked = Asked()
    with serving(HOST, 0, make_app(asked.registry, asked.status)) as asked.port:
        assert asked.get("/healthz")[0] == 200
    assert timeouts
    assert set(timeouts) == {None}


def test_a_port_in_use_is_a_clear_error(endpoint: Asked) -> None:
    app = make_app(endpoint.registry, endpoint.status)
    problem = f"can't listen on {HOST}, port {endpoint.port}: Address already in use: change SESB"
    with pytest.raises(ConfigurationError, match=problem), serving(HOST, endpoint.port, app):
        pass


def test_an_unknown_host_is_a_clear_error(endpoint: Asked) -> None:
    app = make_app(endpoint.registry, endpoint.status)
    problem = r"can't listen on no\.such\.host\.invalid, port 0: "
    with pytest.raises(ConfigurationError, match=problem), serving("no.such.host.invalid", 0, app):
        pass


def test_ipv6_is_served() -> None:
    asked = Asked()
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        if os.environ.get("CI"):
            raise
        pytest.skip("this machine has no IPv6")
    with serving("::1", 0, make_app(asked.registry, asked.status)) as port:
        connection = http.client.HTTPConnection("::1", port, timeout=PATIENCE)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
