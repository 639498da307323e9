"""The webhook: an endpoint of the sender's can't stop, fill or misuse the worker."""

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import sqlalchemy as sa

from sesbounce.errors import ConfigurationError, DeliveryError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.outbound import exchange
from sesbounce.outbound.relay import Relay, Target
from sesbounce.policy.verdict import Policy
from sesbounce.store.outbox import Outbox, OutboxEntry, waiting
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, until
from tests.unit.sesbounce.delivering import hook

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ENTRY = OutboxEntry(
    suppressed=True,
    for_good=True,
    parameters={
        "address": "jane@example.com",
        "original": "jane@example.com",
        "reason": None,
        "kind": None,
        "occurred_at": None,
        "why": "a test",
    },
)
Answer = Callable[[socket.socket], None]


class Server:
    """A server that answers each request of a connection with what a function sends."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while head := self._read(connection):
                self.requests.append(head)
                self._answer(connection)

    def _read(self, connection: socket.socket) -> bytes:
        """One request, up to the end of its body, an object."""
        text = b""
        while not text.endswith(b"}"):
            more = connection.recv(65536)
            if not more:
                return b""
            text += more
        return text

    def close(self) -> None:
        # Threads in `accept` and `recv` wake up when a socket is shut down, not when it is closed.
        for one in (self._listening, *self.connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    with closing(Server(answer)) as server:
        yield server


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange ends after a second; a wait for bytes, however late they come, never."""
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", 1.0)
    monkeypatch.setattr(exchange, "_TIMEOUT_SECONDS", None)


def ok(connection: socket.socket) -> None:
    connection.sendall(OK)


def endless(connection: socket.socket) -> None:
    """A body without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 1_000_000)


def announced(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        connection.sendall(b"x" * 1_000_000)


def chunked(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")


def compressed(connection: socket.socket) -> None:
    """A body that would unpack to a thousand times its size."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    while True:
        connection.sendall(b"\x1f\x8b\x08\x00" + b"\x00" * 1_000_000)


@pytest.mark.parametrize("answer", [endless, announced, chunked, compressed])
def test_an_answer_without_end_is_not_read(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", 60.0)
    with serving(answer) as server:
        target = hook(server.url)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        target.deliver(ENTRY)
        assert time.monotonic() - began < exchange.EXCHANGE_SECONDS
        # The server is in this process as well, with buffers of a megabyte.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def trickle(*head: bytes) -> Answer:
    """An answer whose next bytes come before any wait for them times out."""

    def answer(connection: socket.socket) -> None:
        for part in head:
            connection.sendall(part)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    return answer


def many_hints(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize(
    "answer",
    [
        trickle(),
        trickle(b"HTTP/1.1 200 OK\r\n", b"X-Long: "),
        many_hints,
        lambda _: time.sleep(5),
    ],
)
def test_an_answer_that_does_not_end_its_head_ends_at_the_deadline(answer: Answer) -> None:
    with serving(answer) as server:
        target = hook(server.url)
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="it has not answered within 1 seconds") as error:
            target.deliver(ENTRY)
        assert time.monotonic() - began > 0.9
        assert error.value.unreachable


@pytest.mark.usefixtures("second")
def test_a_handshake_that_does_not_end_ends_at_the_deadline() -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def shake() -> None:
        connection, _ = listening.accept()
        with suppress(OSError), connection:
            # The head of a record of TLS, and then its bytes one by one.
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while True:
                connection.sendall(b"\x02")
                time.sleep(0.05)

    thread = threading.Thread(target=shake, daemon=True)
    thread.start()
    with listening:
        target = hook(f"https://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(DeliveryError, match="it has not answered within 1 seconds"):
            target.deliver(ENTRY)
        thread.join()


@pytest.mark.usefixtures("second")
def test_a_body_that_trickles_ends_at_the_deadline_and_the_status_counts() -> None:
    with serving(trickle(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        began = time.monotonic()
        hook(server.url).deliver(ENTRY)
        assert time.monotonic() - began > 0.9


def test_a_connection_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(ok) as server:
        target = hook(server.url)
        for _ in range(3):
            target.deliver(ENTRY)
        assert (len(server.requests), len(server.connections)) == (3, 1)


@pytest.mark.usefixtures("second")
def test_after_a_deadline_the_next_delivery_works(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([trickle(), ok])

    def answer(connection: socket.socket) -> None:
        next(answers)(connection)

    with serving(answer) as server:
        target = hook(server.url)
        with pytest.raises(DeliveryError):
            target.deliver(ENTRY)
        monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", 60.0)
        target.deliver(ENTRY)
        assert len(server.requests) == 2


def test_a_status_that_announces_another_one_is_no_acceptance() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as server, pytest.raises(DeliveryError):
        hook(server.url).deliver(ENTRY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(ok) as elsewhere:

        def answer(connection: socket.socket) -> None:
            head = f"HTTP/1.1 {status} Go\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0"
            connection.sendall(f"{head}\r\n\r\n".encode())

        with (
            serving(answer) as server,
            pytest.raises(DeliveryError, match=f"status {status}; sesbounce follows no"),
        ):
            hook(server.url).deliver(ENTRY)
        assert elsewhere.connections == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_used_as_boto3_uses_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with serving(ok) as proxy:
        # Without a scheme, and with a password.
        monkeypatch.setenv(name, proxy.url.replace("http://", "me:secret@"))
        hook("http://hooks.example/x").deliver(ENTRY)
        (request,) = proxy.requests
    assert request.startswith(b"POST http://hooks.example/x HTTP/1.1")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in request


def test_a_proxy_for_https_is_asked_for_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listening.accept()
        with connection:
            asked.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    with listening:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(DeliveryError, match="it can't be reached: ProxyError"):
            hook("https://hooks.example/x").deliver(ENTRY)
        thread.join()
    assert asked[0].startswith(b"CONNECT hooks.example:443 HTTP/1.")


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "localhost,127.0.0.1"])
def test_no_proxy_is_used_for_hosts_that_need_none(
    monkeypatch: pytest.MonkeyPatch, exception: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", exception)
    with serving(ok) as server:
        hook(server.url).deliver(ENTRY)
        assert len(server.requests) == 1


def test_a_proxy_of_an_unknown_kind_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:none")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY or HTTP_PROXY"):
        hook("https://hooks.example/x")


def test_a_slow_target_delays_no_other(engine: sa.Engine) -> None:
    released = threading.Event()

    class Slow:
        name = "a slow one"
        longest_seconds = 0.0

        def deliver(self, entry: OutboxEntry) -> None:
            assert released.wait(60)

    with serving(ok) as server:
        targets: list[Target] = [Slow(), hook(server.url)]
        store = Store(engine, Policy(), StrikeOff(), Outbox(target.name for target in targets))
        store.prepare()
        relay = Relay(engine, targets, lambda: AT)
        threads = [threading.Thread(target=loop) for loop in relay.loops.values()]
        for thread in threads:
            thread.start()
        store.record([decide("jane@example.com", Reason.SUPPRESSED_BY_HAND, AT)], AT)
        until(lambda: [row["target"] for row in waiting(engine)] == ["a slow one"])
        released.set()
        relay.stop()
        for thread in threads:
            thread.join()
        assert waiting(engine) == []


def test_a_warning_of_the_http_library_does_not_hold_the_url(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from sesbounce.telemetry.logs import set_up_logs  # noqa: PLC0415

    def broken(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)

    set_up_logs("json")
    with serving(broken) as server:
        hook(f"{server.url}/token-of-the-hook").deliver(ENTRY)
    assert "token-of-the-hook" not in capsys.readouterr().err
