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
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 60


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
        self._hold_answer: str | None = None
        self._errors: dict[str, _Answer] = {}
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

    def hold(self, operation: str) -> None:
        """Hold every request of this operation from now on."""
        self._released.clear()
        self._hold = operation

    def hold_answer(self, operation: str) -> None:
        """Let the requests of this operation arrive from now on, and hold the answers.

        Receives that bring no message are answered.
        """
        self._released.clear()
        self._hold_answer = operation

    def release(self) -> None:
        """Let what is held go on, and pass all that comes later."""
        self._hold = self._hold_answer = None
        self._released.set()

    def refuse(self, operation: str, status: int, code: str, words: str = "no") -> None:
        """Answer this operation with an error in LocalStack's place, until `accept`."""
        self._errors[operation] = _Answer.error(status, code, words)

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
        if error := self._errors.get(operation):
            return error
        if not self._may_pass(operation, self._hold):
            return None
        answer = self._forward(path, body, headers)
        if operation == "ReceiveMessage" and answer.status == http.client.OK:
            brought = json.loads(answer.content).get("Messages", [])
            self.receipts += [one["ReceiptHandle"] for one in brought]
            if not brought:
                return answer
        return answer if self._may_pass(operation, self._hold_answer) else None

    def _may_pass(self, operation: str, held: str | None) -> bool:
        if operation == held:
            self.held.set()
            self._released.wait()
        return not self._lost

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
            self._released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
