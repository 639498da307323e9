"""An SQS server on this machine's loopback that fails on command, and keeps what it was asked.

It holds real messages, with receipt handles and visibility timeouts, and speaks SQS's JSON
protocol byte by byte, so that an answer may be broken anywhere.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import gzip
import itertools
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, TypeAlias

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
PATH = "/000000000000/feedback"
SENT_AT = 1795176000000  # milliseconds; `tests.support.AT`
_PATIENCE_SECONDS = 60
_DEPTH = "GetQueueAttributes"
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        method: POST, or CONNECT of a client that takes the server for its proxy.
        target: the path; of a client that takes the server for its proxy, the whole URL.
        headers: by their names in lower case.
        body: the body.
        connection: the number of the connection by which it came.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").removeprefix("AmazonSQS.")

    @property
    def by_boto3(self) -> bool:
        """Whether boto3's client has made the call: it gives each a number."""
        return "amz-sdk-invocation-id" in self.headers

    @property
    def key_id(self) -> str:
        """The id of the access key by which the call is signed."""
        return self.headers["authorization"].partition("Credential=")[2].partition("/")[0]

    def is_signed_by(self, credentials: Credentials) -> bool:
        """Whether botocore signs the same request in the same way."""
        authorization = self.headers["authorization"]
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        signed = {name: self.headers[name] for name in names}
        url = f"http://{self.headers['host']}{self.target}"
        request = AWSRequest(self.method, url, headers=signed, data=self.body)
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = SigV4Auth(credentials, "sqs", REGION)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return (
            authorization.endswith(f"Signature={signer.signature(text, request)}")
            and f"Credential={credentials.access_key}/" in authorization
            and self.headers.get("x-amz-security-token") == credentials.token
        )


@dataclass(frozen=True)
class Answer:
    """What the server sends.

    Attributes:
        pieces: the bytes, head included, in the pieces in which they are sent.
        pause: seconds before each piece.
        closes: whether the server closes the connection then.
    """

    pieces: tuple[bytes, ...] = ()
    pause: float = 0
    closes: bool = False

    @classmethod
    def make(cls, status: int, body: bytes, **headers: str) -> "Answer":
        """An answer with a body; an underscore in a header's name stands for a hyphen."""
        given = {"Content-Type": "application/x-amz-json-1.0", "Content-Length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
        return cls((f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body,))

    @classmethod
    def of(cls, content: object, **headers: str) -> "Answer":
        """A success."""
        return cls.make(200, json.dumps(content).encode(), **headers)

    @classmethod
    def error(cls, status: int, code: str, message: str = "no", **headers: str) -> "Answer":
        """An error of SQS.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
        """
        content = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
        return cls.make(status, json.dumps(content).encode(), **headers)

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def body(self) -> bytes:
        return self.sent.partition(_END_OF_HEAD)[2]

    def cut(self, length: int) -> "Answer":
        """The same without its last bytes; the server closes the connection."""
        return replace(self, pieces=(self.sent[:-length],), closes=True)

    def in_pieces(self, count: int, pause: float) -> "Answer":
        sent, size = self.sent, -(-len(self.sent) // count)
        pieces = tuple(sent[start : start + size] for start in range(0, len(sent), size))
        return replace(self, pieces=pieces, pause=pause)

    def chunked(self, size: int) -> "Answer":
        """The same in chunks of so many bytes."""
        body = self.body
        starts = range(0, len(body), size)
        chunks = [body[start : start + size] for start in starts]
        coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
        return Answer.make(200, coded, Content_Length="", Transfer_Encoding="chunked")

    def zipped(self) -> "Answer":
        return Answer.make(200, gzip.compress(self.body), Content_Encoding="gzip")


# An answer in place of the queue's own, what is made of that one, or nothing wrong.
Fault: TypeAlias = Answer | Callable[[Answer], Answer] | None


@dataclass
class _Message:
    number: int
    body: str
    receipt: str = ""
    times: int = 0
    hidden_until: float = 0


class SqsServer:
    """One queue, and the server before it.

    Attributes:
        url: where it listens.
        calls: what it was asked, in that order.
        faults: what becomes of the answers to the next calls about messages, until the iterator
            has ended.
        check: what it answers to a call that it rejects; None where it does not.
        closes: whether it closes every connection after one answer, without a word before.
        handed_out: how many times messages were handed out.
        deleted: the bodies of the deleted messages, in that order.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.faults: Iterator[Fault] = iter(())
        self.check: Callable[[Call], Answer | None] = lambda _: None
        self.closes = False
        self.handed_out = 0
        self.deleted: list[str] = []
        self._messages: list[_Message] = []
        self._numbers, self._connections = itertools.count(), itertools.count()
        self._lock = threading.Condition()
        self._open: set[socket.socket] = set()
        self._closed = threading.Condition()
        self._operations: dict[str, Callable[[Any], object]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibilityBatch": self._change,
            _DEPTH: self._attributes,
        }
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                # Whoever has asked may be gone.
                with suppress(OSError):
                    server._serve(tls.wrap_socket(self.request, True) if tls else self.request)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

        self._listener = Listener(("127.0.0.1", port), Handler)
        self.port = self._listener.server_address[1]
        host = "localhost" if tls else "127.0.0.1"
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.queue_url = self.url + PATH

    @contextmanager
    def running(self) -> Iterator["SqsServer"]:
        thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown()
            self.drop()
            self._listener.server_close()
            thread.join()

    def send(self, *bodies: str) -> None:
        with self._lock:
            self._messages += [_Message(next(self._numbers), body) for body in bodies]
            self._lock.notify_all()

    def fail(self, *faults: Fault) -> None:
        """Answer the next calls so."""
        self.faults = iter(faults)

    def fail_always(self, fault: Fault) -> None:
        """Answer all calls so, until `heal`."""
        self.faults = itertools.repeat(fault)

    def heal(self) -> None:
        self.faults = iter(())

    def surface(self) -> None:
        """Make all messages visible, as their visibility timeouts would."""
        with self._lock:
            for message in self._messages:
                message.hidden_until = 0
            self._lock.notify_all()

    def drop(self) -> None:
        """Close all connections, and wait until they are closed."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait_until_closed()

    def wait_until_closed(self) -> None:
        """Wait until no connection is open."""
        with self._closed:
            assert self._closed.wait_for(lambda: not self._open, _PATIENCE_SECONDS)

    def seen(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    @property
    def left(self) -> int:
        """How many messages are not deleted."""
        return len(self._messages)

    def _serve(self, connection: socket.socket) -> None:
        number, left = next(self._connections), b""
        self._open.add(connection)
        try:
            while True:
                head, left = _read_until(connection, left)
                call = _call(head, number)
                length = int(call.headers.get("content-length", 0))
                while len(left) < length:
                    left += _read(connection)
                call, left = replace(call, body=left[:length]), left[length:]
                if not self._answer(connection, call):
                    return
        finally:
            connection.close()
            with self._closed:
                self._open.discard(connection)
                self._closed.notify_all()

    def _answer(self, connection: socket.socket, call: Call) -> bool:
        """Answer one call; return whether the connection stays open."""
        with self._lock:
            self.calls.append(call)
            fault = None if call.operation == _DEPTH else next(self.faults, None)
        answer = fault if isinstance(fault, Answer) else self._healthy_answer(call)
        if callable(fault):
            answer = fault(answer)
        for piece in answer.pieces:
            time.sleep(answer.pause)
            connection.sendall(piece)
        return not (answer.closes or self.closes)

    def _healthy_answer(self, call: Call) -> Answer:
        if error := self.check(call):
            return error
        operate = self._operations.get(call.operation)
        if not operate:
            return Answer.error(400, "UnsupportedOperation")
        with self._lock:
            return Answer.of(operate(json.loads(call.body)), Date=http_date(datetime.now(UTC)))

    def _receive(self, asked: dict[str, Any]) -> object:
        visible = self._lock.wait_for(self._visible, asked["WaitTimeSeconds"])
        visible, now = visible[: asked["MaxNumberOfMessages"]], time.monotonic()
        self.handed_out += len(visible)
        for message in visible:
            message.times += 1
            message.receipt = f"receipt-{message.number}-{message.times}"
            message.hidden_until = now + asked["VisibilityTimeout"]
        return {
            "Messages": [
                {
                    "MessageId": f"id-{m.number}",
                    "ReceiptHandle": m.receipt,
                    "MD5OfBody": "not looked at",
                    "Body": m.body,
                    "Attributes": {
                        "ApproximateReceiveCount": str(m.times),
                        "SentTimestamp": str(SENT_AT),
                    },
                }
                for m in visible
            ]
        }

    def _visible(self) -> list[_Message]:
        now = time.monotonic()
        return [message for message in self._messages if message.hidden_until <= now]

    def _delete(self, asked: dict[str, Any]) -> object:
        def delete(message: _Message, _entry: object) -> None:
            self._messages.remove(message)
            self.deleted.append(message.body)

        return self._each(asked, delete)

    def _change(self, asked: dict[str, Any]) -> object:
        def change(message: _Message, entry: dict[str, Any]) -> None:
            message.hidden_until = time.monotonic() + entry["VisibilityTimeout"]

        return self._each(asked, change)

    def _each(
        self, asked: dict[str, Any], work: Callable[[_Message, dict[str, Any]], None]
    ) -> object:
        """Work on each entry of a batch."""
        known = {m.receipt: m for m in self._messages if m.receipt}
        answer: dict[str, list[dict[str, object]]] = {"Successful": [], "Failed": []}
        for entry in asked["Entries"]:
            if message := known.get(entry["ReceiptHandle"]):
                work(message, entry)
                answer["Successful"].append({"Id": entry["Id"]})
            else:
                failed = {"Id": entry["Id"], "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
                answer["Failed"].append(failed)
        return answer

    def _attributes(self, _asked: object) -> object:
        now = time.monotonic()
        hidden = sum(m.hidden_until > now for m in self._messages)
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(self._messages) - hidden),
                "ApproximateNumberOfMessagesNotVisible": str(hidden),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }


def http_date(at: datetime) -> str:
    """A time as the header `Date` has it."""
    return format_datetime(at, usegmt=True)


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client has closed the connection")
    return data


def _read_until(connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """The next head, and what has come behind it."""
    while _END_OF_HEAD not in data:
        data += _read(connection)
    head, _, rest = data.partition(_END_OF_HEAD)
    return head, rest


def _call(head: bytes, connection: int) -> Call:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    return Call(method, target, headers, b"", connection)
