"""The HTTP endpoint that serves `/metrics` and `/healthz`.

It serves a scraper and a health check in your own network: without TLS, and only a few connections
at once. A new connection closes the oldest one, so that slow clients can't keep others out.
"""

import io
import selectors
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

log = structlog.get_logger()


def make_app(registry: CollectorRegistry, status: Callable[[], Status]) -> "WSGIApplication":
    """Make the application: a registry's metrics, and the status (200: healthy, 503: not)."""
    metrics: WSGIApplication = make_wsgi_app(registry)

    def health(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        now = status()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response("200 OK" if now.healthy else "503 Service Unavailable", headers)
        return [msgspec.json.encode(now)]

    def nothing(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Ask for /metrics or /healthz.\n"]

    routes = {"/metrics": metrics, "/healthz": health}

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return routes.get(environ["PATH_INFO"], nothing)(environ, start_response)
        except Exception:
            log.exception("request not answered", path=environ["PATH_INFO"])
            raise

    return app


@contextmanager
def serving(host: str, port: int, app: "WSGIApplication") -> Iterator[int]:
    """Serve while the block runs, in daemon threads.

    Yields:
        The port: the one given, or a free port where 0 is given.

    Raises:
        ConfigurationError: the server can't listen on the address.
    """
    try:
        server = _Server(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on {host}, port {port}: {error.strerror}: change SESBOUNCE_METRICS_PORT "
            "or SESBOUNCE_METRICS_HOST, or stop what listens there"
        ) from error
    server.set_app(app)
    thread = threading.Thread(target=server.serve, name="endpoint", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.stop()
        thread.join()
        server.server_close()


class _Handler(WSGIRequestHandler):
    """Answers one request, and logs nothing."""

    timeout = _TIMEOUT_SECONDS

    def log_message(self, *_args: Any) -> None:
        """Log nothing: a scrape every few seconds would fill the log."""

    def get_stderr(self) -> io.StringIO:
        """Discard wsgiref's tracebacks: a client that closes its connection is no fault."""
        return io.StringIO()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Serves the newest few connections, each in a thread of its own."""

    daemon_threads = True
    request_queue_size = 128  # http.server's 5 would keep others waiting behind a burst
    allow_reuse_port = False  # two workers on one port would each get some of the scrapes
    timeout = 0  # `serve` has waited already

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, address = found[0][0], found[0][4]
        self._open: deque[socket.socket] = deque()
        self._stopped, self._stops = socket.socketpair()
        super().__init__((str(address[0]), port), _Handler)

    def serve(self) -> None:
        """Serve until `stop`. Unlike `serve_forever`, it wakes up for connections alone."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()

    def stop(self) -> None:
        """Make `serve` return."""
        self._stops.send(b"\0")

    def server_close(self) -> None:
        """Close all sockets."""
        super().server_close()
        self._stopped.close()
        self._stops.close()

    def server_bind(self) -> None:
        """Bind without a DNS query for the host's own name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; close the oldest one where there are too many."""
        self._open.append(request)
        if len(self._open) > _MOST_CONNECTIONS:
            with suppress(OSError):  # it may be closed already
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log nothing: a client that sends nonsense or closes its connection is no fault."""
