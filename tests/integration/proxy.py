"""An HTTP proxy in front of LocalStack that can hold a request back, as a network can."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Proxy:
    """Forwards to `endpoint`; requests of the held operation wait until they are released.

    Those that are still held when it ends never arrive.

    Attributes:
        url: where it listens.
        held: set when a request is being held.
        bodies: of the held requests.
    """

    def __init__(self, endpoint: str) -> None:
        self.held = threading.Event()
        self.bodies: list[bytes] = []
        self._operations: list[str] = []
        self._seen = threading.Condition()
        self._hold: str | None = None
        self._released = threading.Event()
        self._lost = False
        host, port = urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 80
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                if not proxy.may_pass(operation, body):
                    self.close_connection = True
                    return
                upstream = http.client.HTTPConnection(host, port)
                upstream.request("POST", self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def hold(self, operation: str) -> None:
        """Hold every request of this operation from now on."""
        self._hold = operation

    def release(self) -> None:
        """Let the held requests go on, and all later ones pass."""
        self._released.set()

    def wait_for(self, operation: str) -> None:
        """Wait until a request of this operation has come."""
        with self._seen:
            assert self._seen.wait_for(lambda: operation in self._operations, timeout=60)

    def may_pass(self, operation: str, body: bytes) -> bool:
        """Wait as long as the request is held; false where it is never to arrive."""
        with self._seen:
            self._operations.append(operation)
            self._seen.notify_all()
        if operation == self._hold:
            self.bodies.append(body)
            self.held.set()
            self._released.wait()
        return not self._lost

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._lost = True
            self._released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
