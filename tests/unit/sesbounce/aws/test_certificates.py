"""Certificates are fetched as boto3 would fetch them, within bounds, from a server of the test."""

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sesbounce.aws import certificates
from sesbounce.aws.certificates import fetch
from sesbounce.errors import CertificateError
from tests.certificates import self_signed
from tests.ports import LOOPBACK, silent_port

PEM = b"-----BEGIN CERTIFICATE-----"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


class Server:
    """Answers every request in the same way, and keeps the request lines."""

    def __init__(self) -> None:
        self.status = 200
        self.content = PEM
        self.location: str | None = None
        self.wait: Callable[[], object] = lambda: None
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.requestline)
                server.wait()
                self.send_response(server.status)
                if server.location:
                    self.send_header("Location", server.location)
                self.send_header("Content-Length", str(len(server.content)))
                self.end_headers()
                self.wfile.write(server.content)

            def do_CONNECT(self) -> None:
                server.requests.append(self.requestline)
                self.send_error(server.status)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.url = f"http://{self.host}/a.pem"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def failure(url: str, match: str = "can't be fetched") -> CertificateError:
    with pytest.raises(CertificateError, match=match) as caught:
        fetch(url)
    return caught.value


def test_the_content_is_returned(server: Server) -> None:
    assert fetch(server.url) == PEM


@pytest.mark.parametrize(
    ("status", "lasting"),
    [
        *((status, True) for status in (301, 302, 307, 403, 404, 410)),
        *((status, False) for status in (408, 429, 500, 502, 503, 504)),
    ],
)
def test_a_status_is_the_fault_of_the_url_or_of_the_host(
    server: Server, status: int, lasting: bool
) -> None:
    server.status = status
    error = failure(server.url, f"HTTP status {status}")
    assert error.lasting is lasting


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.status, server.location = 302, f"http://{server.host}/elsewhere.pem"
    failure(server.url, "HTTP status 302")
    assert len(server.requests) == 1


def test_an_answer_without_end_is_not_read_to_its_end(server: Server) -> None:
    server.content = b"x" * 65536
    assert len(fetch(server.url)) == 65536
    server.content += b"x"
    assert failure(server.url, "longer than 64 KiB").lasting


def test_an_answer_that_takes_too_long_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "_DEADLINE_SECONDS", 0.2)
    released = threading.Event()
    server.wait = lambda: released.wait(30)
    error = failure(server.url, "no answer after")
    assert not error.lasting
    released.set()


def test_a_host_that_does_not_answer_may_answer_later() -> None:
    with silent_port() as port:
        assert not failure(f"https://{LOOPBACK}:{port}/a.pem").lasting


def test_a_host_without_a_name_may_have_one_later() -> None:
    assert not failure("https://sns.nowhere.invalid/a.pem").lasting


def test_https_goes_through_the_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.host}")
    server.status = 403
    # The proxy rejects the call, not AWS: the certificate may be there.
    assert not failure("https://sns.us-east-1.amazonaws.com/a.pem").lasting
    (request,) = server.requests
    assert request.startswith("CONNECT sns.us-east-1.amazonaws.com:443 ")


def test_no_proxy_names_hosts_that_are_reached_directly(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert fetch(server.url) == PEM


@pytest.mark.parametrize("proxy", ["http://", "nonsense", "http://[::1", "ftp://127.0.0.1:9"])
def test_a_proxy_that_is_no_url_is_an_error_of_the_fetch(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert not failure("https://127.0.0.1:9/a.pem").lasting


class TestTls:
    """The host shows a certificate of an authority that only the test knows."""

    @pytest.fixture
    def authority(self, server: Server, tmp_path: Path) -> Path:
        pem, key = self_signed("localhost", tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        server.url = f"https://localhost:{server.http.server_port}/a.pem"
        return pem

    @pytest.mark.usefixtures("authority")
    def test_an_unknown_authority_is_not_believed(self, server: Server) -> None:
        assert not failure(server.url, "SSL validation failed").lasting
        assert server.requests == []

    @pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_the_bundle_of_boto3_is_honoured(
        self, server: Server, authority: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, str(authority))
        assert fetch(server.url) == PEM

    @pytest.mark.usefixtures("authority")
    def test_a_bundle_that_is_missing_is_an_error_of_the_fetch(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
        assert not failure(server.url).lasting
