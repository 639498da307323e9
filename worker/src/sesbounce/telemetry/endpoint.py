"""The HTTP endpoint that serves `/metrics` and `/healthz`.

It is for a scraper and a health check in one's own network: no TLS, and no more than a few
connections at once. Whoever is slow loses his when others come, so that he can't keep them out.
"""

import io
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec
import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from sesbounce.errors import ConfigurationError
from sesbounce.telemetry.health import Status

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_MOST_CONNECTIONS = 8
_TIMEOUT_SECONDS = 5.0
_SHUTDOWN_POLL_SECONDS = 0.1

log = structlog.get_logger()


def make_app(registry: CollectorRegistry, judge: Callable[[], Status]) -> "WSGIApplication":
    """What answers: the metrics of a registry, and how the worker is (200: healthy, 503: not)."""
    metrics: WSGIApplication = make_wsgi_app(registry)

    def health(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        judgement = judge()
        status = "200 OK" if judgement.healthy else "503 Service Unavailable"
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [msgspec.json.encode(judgement)]

    def nothing(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"There are /metrics and /healthz.\n"]

    routes = {"/metrics": metrics, "/healthz": health}

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return routes.get(environ["PATH_INFO"], nothing)(environ, start_response)
        except Exception:
            log.exception("not answered", path=environ["PATH_INFO"])
            raise

    return app


@contextmanager
def serving(host: str, port: int, app: "WSGIApplication") -> Iterator[int]:
    """Serve while the block runs, in daemon threads.

    Yields:
        The port: the one that was asked for, or a free one for 0.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    try:
        server = _Server(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on {host}, port {port}: {error.strerror}: change SESBOUNCE_METRICS_PORT "
            "or SESBOUNCE_METRICS_HOST, or stop what listens there"
        ) from error
    server.set_app(app)
    thread = threading.Thread(
        target=server.serve_forever, args=(_SHUTDOWN_POLL_SECONDS,), name="endpoint", daemon=True
    )
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Handler(WSGIRequestHandler):
    """Answers one request, and logs none."""

    timeout = _TIMEOUT_SECONDS

    def log_message(self, *_args: Any) -> None:
        """Nothing: a scrape every few seconds would drown the log."""

    def get_stderr(self) -> io.StringIO:
        """Nowhere, for the tracebacks of wsgiref: that a client has gone is no event."""
        return io.StringIO()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each connection, of which the newest few are served."""

    daemon_threads = True
    request_queue_size = 128  # http.server's 5 would keep others waiting behind a burst
    allow_reuse_port = False  # two workers on one port would each get some of the scrapes

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, address = found[0][0], found[0][4]
        self._open: deque[socket.socket] = deque()
        super().__init__((str(address[0]), port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for the host's own name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, at the expense of the oldest if there are too many."""
        self._open.append(request)
        if len(self._open) > _MOST_CONNECTIONS:
            with suppress(OSError):  # it may be closed already
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Nothing: a client that sends nonsense, or goes, is no event."""
