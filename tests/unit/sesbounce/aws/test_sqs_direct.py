"""The direct path of SQS beside boto3's client, against a server of the test."""

import http.client
import json
import os
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest
import structlog
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures, Queue, open_queue
from sesbounce.aws.sqs_direct import DirectCalls, Endpoint
from sesbounce.aws.sqs_protocol import DELETE
from sesbounce.errors import QueueError
from tests.certificates import self_signed
from tests.support import AT

JSON = "application/x-amz-json-1.0"
MESSAGES = {"Messages": [{"MessageId": "1", "ReceiptHandle": "r", "Body": "{}"}]}
RECEIVED = [Received("1", "r", "{}", 1, None)]


class Asked:
    """A request that the server has read."""

    def __init__(self, line: str, headers: Message, body: bytes, connection: int) -> None:
        self.line = line
        self.headers = headers
        self.body = json.loads(body)
        self.connection = connection

    @property
    def by_client(self) -> bool:
        """Whether boto3's client has sent it."""
        return "amz-sdk-invocation-id" in self.headers


def answer(body: bytes, status: str = "200 OK", kind: str = JSON, length: int = -1) -> bytes:
    size = len(body) if length < 0 else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()
        + body
    )


GOOD = answer(json.dumps(MESSAGES).encode())


class Server:
    """Keeps the requests; answers those of boto3's client well, the direct ones as it is told.

    Attributes:
        direct: returns the bytes of the answer, and whether the connection is closed after it.
        piece: in pieces of how many bytes it answers.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.asked: list[Asked] = []
        self.direct: Callable[[Asked], tuple[bytes, bool]] = lambda _: (GOOD, False)
        self.piece = 1 << 20
        self.closed = threading.Semaphore(0)
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                number = server.connections = server.connections + 1
                while line := self.rfile.readline():
                    headers = http.client.parse_headers(self.rfile)
                    body = self.rfile.read(int(headers["content-length"]))
                    asked = Asked(line.decode().strip(), headers, body, number)
                    server.asked.append(asked)
                    content, ends = (GOOD, False) if asked.by_client else server.direct(asked)
                    for start in range(0, len(content), server.piece):
                        self.wfile.write(content[start : start + server.piece])
                    if ends:
                        break

            def finish(self) -> None:
                super().finish()
                self.connection.close()
                server.closed.release()

        self.connections = 0

        class TCPServer(socketserver.ThreadingTCPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

        self.tcp = TCPServer((host, 0), Handler)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.tcp.server_address[1]}"

    @property
    def senders(self) -> str:
        """The senders of the requests: d for the direct path, c for the client."""
        return "".join("c" if asked.by_client else "d" for asked in self.asked)


def can_listen_on_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    serving = Server(getattr(request, "param", "127.0.0.1"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_ENDPOINT_URL", serving.url)
    thread = threading.Thread(target=serving.tcp.serve_forever, args=(0.01,))
    thread.start()
    yield serving
    serving.tcp.shutdown()
    serving.tcp.server_close()
    thread.join()


def queue_at(server: Server, *, direct: bool = True) -> Queue:
    return open_queue(f"{server.url}/000000000000/Fäden", 20, 10, direct=direct)


def call_all(queue: Queue) -> None:
    queue.receive(3, 60)
    queue.delete([Received("1", 'r"1', "", 1, AT), Received("2", "r2", "", 1, AT)])
    queue.set_visibility([(Received("1", "r1", "", 1, AT), 7)])


def essence(asked: Asked) -> tuple[object, ...]:
    """What has to be the same, whoever has sent the request."""
    varying = {"authorization", "x-amz-date", "user-agent", "content-length"}
    headers = {
        name.lower(): value
        for name, value in asked.headers.items()
        if name.lower() not in varying and not name.startswith("amz-sdk-")
    }
    signed = asked.headers["authorization"].partition("Signature=")[0]
    # The day may change between two requests.
    signed = signed.replace(f"/{asked.headers['x-amz-date'][:8]}/", "/day/")
    return asked.line, headers, signed, asked.body


# Many containers have no IPv6, and nothing that a test could install gives it to them.
HOSTS = ["127.0.0.1", "::1"] if can_listen_on_ipv6() else ["127.0.0.1"]


@pytest.mark.parametrize("server", HOSTS, indirect=True)
@pytest.mark.parametrize("path", ["", "/", "/sqs//of/../me%20"])
@pytest.mark.parametrize("token", ["token", ""])
def test_requests_are_those_of_boto3(
    server: Server, monkeypatch: pytest.MonkeyPatch, path: str, token: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url + path)
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    for direct in (True, False):
        call_all(queue_at(server, direct=direct))
    assert server.senders == "dddccc"
    assert [essence(asked) for asked in server.asked[:3]] == [
        essence(asked) for asked in server.asked[3:]
    ]
    assert all(asked.headers["user-agent"].startswith("Boto3/") for asked in server.asked)


def test_a_thread_keeps_its_connection_and_closes_it_at_its_end(server: Server) -> None:
    queue = queue_at(server)

    def receive_twice() -> None:
        assert queue.receive(0, 60) == queue.receive(0, 60) == RECEIVED

    for _ in range(2):
        thread = threading.Thread(target=receive_twice)
        thread.start()
        thread.join()
        assert server.closed.acquire(timeout=60)
    assert [asked.connection for asked in server.asked] == [1, 1, 2, 2]
    assert server.senders == "dddd"


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
def test_a_connection_that_the_server_closes_after_an_answer_is_replaced(
    server: Server, header: bytes
) -> None:
    server.direct = lambda _: (GOOD.replace(b"\r\n", b"\r\n" + header, 1), True)
    queue = queue_at(server)
    for _ in range(3):
        assert queue.receive(0, 60) == RECEIVED
        assert server.closed.acquire(timeout=60)
    assert server.senders == "ddd"


def test_words_on_an_idle_connection_are_not_the_next_answer(server: Server) -> None:
    late = threading.Event()

    def answer_twice(_: Asked) -> tuple[bytes, bool]:
        late.set()
        return GOOD + answer(b"{}"), False

    server.direct = answer_twice
    queue = queue_at(server)
    assert queue.receive(0, 60) == RECEIVED
    assert late.wait(60)
    assert queue.receive(0, 60) == RECEIVED


def test_a_connection_of_a_parent_process_is_the_parents(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = queue_at(server)
    queue.receive(0, 60)
    own = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: own + 1)
    queue.receive(0, 60)
    assert [asked.connection for asked in server.asked] == [1, 2]


CONTENT = GOOD.partition(b"\r\n\r\n")[2]
CHUNKED = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (CONTENT[:5], CONTENT[5:], b""))
)


@pytest.mark.parametrize(
    "content",
    [
        CHUNKED,
        GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GOOD.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200"),
        GOOD.replace(b"Content-Length", b"Content-Size"),
        GOOD.replace(b"Content-Length: ", b"Content-Length: x"),
        GOOD.replace(b"x-amz-json-1.0", b"json; charset=utf-8"),
        GOOD.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n", 1),
        GOOD.replace(b"\r\n", b"\r\n" + b"A: b\r\n" * 90, 1),
    ],
)
@pytest.mark.parametrize("piece", [1, 17, 1 << 20])
def test_messages_are_taken_however_the_answer_is_framed(
    server: Server, content: bytes, piece: int
) -> None:
    server.direct = lambda _: (content, True)
    server.piece = piece
    queue = queue_at(server)
    for _ in range(2):
        assert queue.receive(0, 60) == RECEIVED
        assert server.closed.acquire(timeout=60)
    assert server.senders == "dd"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"Good day\r\n\r\n",
        answer(b"{}", "500 Internal Server Error"),
        answer(b"{}", "403 Forbidden"),
        answer(b"", "204 No Content"),
        answer(b"", "307 Temporary Redirect"),
        answer(b"{}", kind="text/html"),
        answer(b"<html>"),
        answer(b'{"Messages": 7}'),
        answer(b'{"Messages": [{"ReceiptHandle": "\xff"}]}'),
        answer(b"{}", length=99),
        answer(b"{}", length=1),
        answer(b"{}", length=1 << 25),
        GOOD.replace(b"200 OK", b"200 OK\r\nTransfer-Encoding: chunked"),
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
        GOOD.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length")[:-3],
    ],
)
def test_a_receive_without_a_plain_success_is_for_the_client(
    server: Server, content: bytes
) -> None:
    server.direct = lambda _: (content, True)
    assert queue_at(server).receive(0, 60) == RECEIVED
    assert server.senders == "dc"
    assert server.asked[0].body == server.asked[1].body


def test_a_delete_without_a_plain_success_is_for_the_client(server: Server) -> None:
    server.direct = lambda _: (answer(b"{}", "503 Service Unavailable"), True)
    assert queue_at(server).delete(RECEIVED) == BatchFailures()
    assert server.senders == "dc"
    assert server.asked[0].body == server.asked[1].body


def test_a_server_that_can_not_be_reached_is_for_the_client(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(QueueError, match="Could not connect to the endpoint"):
        open_queue("http://127.0.0.1:1/000000000000/feedback", 20, 10).receive(0, 60)


def test_the_client_waits_only_as_long_as_is_left(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def answer_late(_: Asked) -> tuple[bytes, bool]:
        nonlocal now
        now += 1.01
        return b"", True

    server.direct = answer_late
    assert queue_at(server).receive(2, 60) == RECEIVED
    assert [asked.body["WaitTimeSeconds"] for asked in server.asked] == [2, 1]


def test_a_server_that_does_not_answer_in_time_is_for_the_client(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.aws.sqs._TIMEOUT_SECONDS", 0.5)
    done = threading.Event()

    def answer_late(_: Asked) -> tuple[bytes, bool]:
        done.wait(60)
        return b"", True

    server.direct = answer_late
    assert queue_at(server).receive(0, 60) == RECEIVED
    done.set()
    assert server.senders == "dc"


def test_calls_that_fail_one_after_the_other_rest(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    server.direct = lambda _: (answer(b"{}", kind="text/html"), False)
    queue = queue_at(server)
    with structlog.testing.capture_logs() as logs:
        for _ in range(7):
            assert queue.receive(0, 60) == RECEIVED
        assert server.senders == "dc" * 5 + "cc"
        now += 61
        queue.receive(0, 60)
        queue.receive(0, 60)
        assert server.senders == "dc" * 5 + "cc" + "dc" + "c"
        assert [log["log_level"] for log in logs] == ["warning"]
        now += 61
        server.direct = lambda _: (GOOD, False)
        queue.receive(0, 60)
        queue.receive(0, 60)
    assert server.senders.endswith("dd")
    assert [log["log_level"] for log in logs] == ["warning", "info"]
    assert logs[0]["problem"] == "the answer has the content type 'text/html'"
    assert logs[0]["operation"] == "ReceiveMessage"


def test_failures_with_successes_between_them_do_not_rest(server: Server) -> None:
    contents = [(b"", True), (GOOD, False)] * 8
    server.direct = lambda _: contents.pop(0)
    queue = queue_at(server)
    for _ in range(16):
        assert queue.receive(0, 60) == RECEIVED
    assert server.senders == "dcd" * 8


def test_credentials_are_taken_whole_and_for_each_call(server: Server) -> None:
    sets = [ReadOnlyCredentials(f"AKID{n}", f"secret{n}", f"token{n}") for n in range(3)]
    endpoint = Endpoint(server.url, "eu-west-1", "sqs", "agent", 10)
    calls = DirectCalls(endpoint, iter(sets).__next__)
    for _ in sets:
        assert calls.call(DELETE, {"QueueUrl": "q", "Entries": []}, 10)
    for number, asked in enumerate(server.asked):
        assert asked.headers["x-amz-security-token"] == f"token{number}"
        assert f"Credential=AKID{number}/" in asked.headers["authorization"]


def test_credentials_that_can_not_be_had_are_the_error_of_boto3(server: Server) -> None:
    def fail() -> ReadOnlyCredentials:
        raise CredentialRetrievalError(provider="the test", error_msg="no")

    calls = DirectCalls(Endpoint(server.url, "eu-west-1", "sqs", "agent", 10), fail)
    with pytest.raises(CredentialRetrievalError):
        calls.call(DELETE, {"QueueUrl": "q", "Entries": []}, 10)
    assert server.asked == []


def test_odd_credentials_are_not_sent(server: Server) -> None:
    odd = ReadOnlyCredentials("AKID", "secret", "to\r\nken: x")
    calls = DirectCalls(Endpoint(server.url, "eu-west-1", "sqs", "agent", 10), lambda: odd)
    assert calls.call(DELETE, {"QueueUrl": "q", "Entries": []}, 10) is None
    assert server.asked == []


class TestOverTLS:
    @pytest.fixture
    def bundle(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        pem, key = self_signed("localhost", tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.tcp.socket = context.wrap_socket(server.tcp.socket, server_side=True)
        server.url = server.url.replace("http://127.0.0.1", "https://localhost")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        return pem

    @pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_the_bundle_of_boto3_is_honoured(
        self, server: Server, bundle: Path, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, str(bundle))
        queue = queue_at(server)
        assert queue.receive(0, 60) == queue.receive(0, 60) == RECEIVED
        assert server.senders == "dd"
        assert server.connections == 1

    @pytest.mark.usefixtures("bundle")
    def test_an_unknown_authority_is_not_believed(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        with pytest.raises(QueueError, match="SSL validation failed"):
            queue_at(server).receive(0, 60)
        assert server.asked == []

    def test_the_certificate_of_another_host_is_not_believed(
        self, server: Server, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        server.url = server.url.replace("localhost", "127.0.0.1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setattr(time, "sleep", lambda _: None)
        with pytest.raises(QueueError, match="SSL validation failed"):
            queue_at(server).receive(0, 60)
        assert server.asked == []


def test_by_the_setting_all_calls_are_the_clients(server: Server) -> None:
    call_all(queue_at(server, direct=False))
    assert server.senders == "ccc"
