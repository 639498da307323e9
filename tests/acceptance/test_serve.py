"""The HTTP API as a real process: it answers what it has begun, and its log names no address."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope, Token
from tests import stored
from tests.ports import LOOPBACK, free_port
from tests.support import AT, until

COMMAND = [sys.executable, "-c", "from sesbounce.__main__ import main; main()", "serve"]
BODY = json.dumps({"addresses": ["jane@example.com", "mary@example.com"]}).encode()
CONNECTIONS = 8
# How long an answer may take on a busy machine, in seconds.
PATIENCE = 60


class Serving:
    """A server process, and the token for it."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder}/sesbounce.sqlite3"
        engine = open_database(url)
        stored.make_members(engine)
        stored.store(engine).record([decide("jane@example.com", Reason.SUPPRESSED_BY_HAND, AT)], AT)
        made = Token(name="crm", scopes=(Scope.CHECK,), created_at=AT, created_by="ann")
        self.headers = {"Authorization": f"Bearer {tokens.create(engine, made)}"}
        engine.dispose()
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.log = folder / "log"
        environment = {
            **os.environ,
            "SESBOUNCE_DATABASE_URL": url,
            "SESBOUNCE_SERVE_PORT": str(self.port),
            "SESBOUNCE_SERVE_RATE": "100000",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(COMMAND, env=environment, stderr=log)
        until(lambda: self.process.poll() is not None or b"serving" in self.log.read_bytes())
        assert self.process.poll() is None, self.log.read_text()

    def ask(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=self.headers, timeout=PATIENCE)

    def begin(self) -> socket.socket:
        """Send a half of a request, as soon as the server reads its body."""
        connection = socket.create_connection((LOOPBACK, self.port), timeout=PATIENCE)
        headers = self.headers | {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Content-Length": str(len(BODY)),
            "Expect": "100-continue",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST /v1/check HTTP/1.1\r\n{head}\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY[:10])
        return connection

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    started = Serving(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


def answer(connection: socket.socket) -> tuple[bytes, list[bool]]:
    """Send the rest of a request, and read the answer to its end."""
    connection.sendall(BODY[10:])
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    connection.close()
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    answers = json.loads(body)["answers"]
    return head.partition(b"\r\n")[0], [one["may_mail"] for one in answers]


class Load(threading.Thread):
    """Asks until the server no longer listens.

    Attributes:
        wrong: what was answered wrongly, or not to its end.
    """

    def __init__(self, serving: Serving) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.answered = 0
        self._serving = serving
        self.stopping = threading.Event()

    def run(self) -> None:
        while True:
            try:
                found = self._serving.ask("/v1/suppressions/jane@example.com")
            except httpx.TransportError as error:
                if not self.stopping.is_set() or isinstance(error, httpx.TimeoutException):
                    self.wrong.append(repr(error))
                return
            if found.status_code != 200 or found.json()["may_mail"]:
                self.wrong.append(found.text)
            self.answered += 1


def test_what_has_begun_is_answered_after_sigterm(serving: Serving) -> None:
    load = Load(serving)
    load.start()
    until(lambda: load.answered > 10 or load.wrong)
    # Last, because the server waits half a minute for their bodies.
    begun = [serving.begin() for _ in range(CONNECTIONS)]
    load.stopping.set()
    serving.process.send_signal(signal.SIGTERM)
    until(lambda: not serving.listens())
    assert serving.process.poll() is None
    for connection in begun:
        assert answer(connection) == (b"HTTP/1.1 200 OK", [False, True])
    assert serving.process.wait(PATIENCE) == 0
    load.join(PATIENCE)
    assert not load.is_alive()
    assert load.wrong == []
    lines = [json.loads(line) for line in serving.log.read_text().splitlines()]
    assert {line["event"] for line in lines} == {"serving", "request answered", "stopped"}
    assert "@" not in serving.log.read_text()
    (first, *_) = lines
    assert (first["host"], first["port"], first["token_needed"]) == (LOOPBACK, serving.port, True)


def test_a_second_signal_ends_it_at_once(serving: Serving) -> None:
    connection = serving.begin()
    serving.process.send_signal(signal.SIGTERM)
    until(lambda: not serving.listens())
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(PATIENCE) == 128 + signal.SIGTERM
    connection.close()


def test_the_answer_says_little_about_the_server(serving: Serving) -> None:
    found = httpx.get(f"{serving.url}/healthz", timeout=PATIENCE)
    assert found.json() == {"status": "ok"}
    assert "server" not in found.headers
    unknown = f"{serving.url}/v1/suppressions/x@example.com"
    assert httpx.get(unknown, timeout=PATIENCE).status_code == 401
