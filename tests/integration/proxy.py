"""An HTTP proxy in front of LocalStack that holds requests or answers back, or answers itself."""

import contextlib
import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 300
# More than the threads of any client.
_MOST_HELD = 1000


@dataclass(frozen=True)
class _Answer:
    """What comes back to a client."""

    status: int
    content: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def error(cls, status: int, code: str, words: str) -> "_Answer":
        """An error of SQS in its JSON protocol, with the code of its older one as SQS sends it.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
        """
        told = {"__type": f"com.amazonaws.sqs#{code}", "message": words}
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("x-amzn-query-error", f"{code};Sender"),
        ]
        return cls(status, json.dumps(told).encode(), headers)


class Proxy:
    """Forwards to `endpoint`, unless it is told otherwise of an operation.

    What is still held when it ends never arrives.

    Attributes:
        url: where it listens.
        held: set when something is being held.
        receipts: of all messages that LocalStack has handed out, each time.
        direct: how many requests have come from others than boto3's client.
    """

    def __init__(self, endpoint: str) -> None:
        self.held = threading.Event()
        self.receipts: list[str] = []
        self.direct = 0
        self._seen: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._hold: str | None = None
        self._passing = threading.Semaphore(0)
        self._hold_answer: str | None = None
        self._errors: dict[str, Iterator[_Answer]] = {}
        self._released = threading.Event()
        self._lost = False
        parts = urlsplit(endpoint)
        self._behind = parts.hostname or "", parts.port or 80
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                answer = proxy.answer(operation, self.path, body, dict(self.headers))
                if not answer:
                    self.close_connection = True
                    return
                # Who asked may have been killed.
                with contextlib.suppress(ConnectionError):
                    self.send_response(answer.status)
                    for name, value in answer.headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer.content)))
                    self.end_headers()
                    self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def hold(self, operation: str, after: int = 0) -> None:
        """Hold every request of this operation from now on, but for so many that come first."""
        self._passing = threading.Semaphore(after)
        self._hold = operation

    def let_pass(self, requests: int) -> None:
        """Let so many requests go on, of those that are held or would be."""
        self._passing.release(requests)

    def hold_answer(self, operation: str) -> None:
        """Let the requests of this operation arrive from now on, and hold the answers.

        Receives that bring no message are answered.
        """
        self._released.clear()
        self._hold_answer = operation

    def release(self) -> None:
        """Let what is held go on, and pass all that comes later."""
        self._hold = self._hold_answer = None
        self.let_pass(_MOST_HELD)
        self._released.set()

    def refuse(self, operation: str, status: int, code: str, times: int | None = None) -> None:
        """Answer this operation with an error in LocalStack's place, until `accept`.

        Args:
            operation: the operation.
            status: the status of HTTP.
            code: the code of the error.
            times: how many requests get it; None for all.
        """
        error = _Answer.error(status, code, "no")
        self._errors[operation] = repeat(error) if times is None else repeat(error, times)

    def accept(self) -> None:
        """Refuse nothing any more."""
        self._errors.clear()

    def wait_for(self, operation: str, times: int = 1) -> None:
        """Wait until so many requests of this operation have come."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._seen[operation] >= times, timeout=_PATIENCE_SECONDS
            ), self._seen

    def seen(self, operation: str) -> int:
        """How many requests of this operation have come."""
        with self._changed:
            return self._seen[operation]

    def answer(
        self, operation: str, path: str, body: bytes, headers: dict[str, str]
    ) -> _Answer | None:
        """What to answer to a request; nothing where it, or its answer, is lost."""
        with self._changed:
            self._seen[operation] += 1
            self.direct += "amz-sdk-invocation-id" not in headers
            self._changed.notify_all()
        if error := next(self._errors.get(operation, iter(())), None):
            return error
        if operation == self._hold and self._lost_meanwhile(self._passing):
            return None
        answer = self._forward(path, body, headers)
        if operation == "ReceiveMessage" and answer.status == http.client.OK:
            brought = json.loads(answer.content).get("Messages", [])
            self.receipts += [one["ReceiptHandle"] for one in brought]
            if not brought:
                return answer
        if operation == self._hold_answer:
            self.held.set()
            self._released.wait()
        return None if self._lost else answer

    def _lost_meanwhile(self, passing: threading.Semaphore) -> bool:
        """Wait until a request may pass; return whether the proxy has ended meanwhile."""
        if not passing.acquire(blocking=False):
            self.held.set()
            passing.acquire()
        return self._lost

    def _forward(self, path: str, body: bytes, headers: dict[str, str]) -> _Answer:
        upstream = http.client.HTTPConnection(*self._behind)
        try:
            upstream.request("POST", path, body, headers)
            answer = upstream.getresponse()
            ours = ("transfer-encoding", "content-length", "connection")
            kept = [
                (name, value) for name, value in answer.getheaders() if name.lower() not in ours
            ]
            return _Answer(answer.status, answer.read(), kept)
        finally:
            upstream.close()

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._lost = True
            self.release()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
