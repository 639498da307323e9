"""An SQS endpoint that costs next to nothing: fixed answers, each after the same short time.

`python -m tests.bench.sqs_stub` prints its address and serves until it is ended. It speaks as
much of SQS's JSON protocol as a consumer needs, holds an endless backlog (or `--messages`), and
keeps nothing but counts, which `GET /counts` tells. A receive that finds nothing waits as long
as it asked to. Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import argparse
import asyncio
import urllib.request
from typing import TYPE_CHECKING, cast

import msgspec

from tests.bench.backlog import ENDLESS, Backlog

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "000000000000/feedback"
DELAY_MS = 10.0
_MOST_AT_ONCE = 10
_END_OF_HEAD = b"\r\n\r\n"
_UNKNOWN = b'{"__type":"com.amazonaws.sqs#UnsupportedOperation","message":"not in this stub"}'


class Counts(msgspec.Struct):
    """What was asked of the stub.

    Attributes:
        calls: API calls by operation.
        received: messages given out.
        deleted: messages deleted.
    """

    calls: dict[str, int] = {}
    received: int = 0
    deleted: int = 0


def counts_of(address: str) -> Counts:
    """Ask a stub for its counts."""
    url = f"{address}/counts"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  our own http://
        return msgspec.json.decode(answer.read(), type=Counts)


class _Entry(msgspec.Struct):
    id: str = msgspec.field(name="Id")


class _Batch(msgspec.Struct):
    entries: list[_Entry] = msgspec.field(name="Entries")


class _Receive(msgspec.Struct):
    most: int = msgspec.field(name="MaxNumberOfMessages", default=1)
    wait_seconds: float = msgspec.field(name="WaitTimeSeconds", default=0)


_receive = msgspec.json.Decoder(_Receive)
_batch = msgspec.json.Decoder(_Batch)


class Stub:
    """The queue: what it answers to which operation, and its counts."""

    def __init__(self, backlog: Backlog, delay_seconds: float) -> None:
        self.counts = Counts()
        self.url = ""
        self._backlog = backlog
        self._delay_seconds = delay_seconds
        self._operations: dict[str, Callable[[bytes], bytes]] = {
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": lambda _: b"{}",
            "ChangeMessageVisibilityBatch": _successful,
            "GetQueueAttributes": self._attributes,
            "GetQueueUrl": lambda _: b'{"QueueUrl":"%b"}' % self.url.encode(),
        }

    def answer(self, operation: str, request: bytes) -> tuple[bytes | None, float]:
        """The answer to one call, and after how many seconds it is due; None: no such call."""
        calls = self.counts.calls
        calls[operation] = calls.get(operation, 0) + 1
        if operation == "ReceiveMessage":
            return self._receive(request)
        operate = self._operations.get(operation)
        return operate(request) if operate else None, self._delay_seconds

    def _receive(self, request: bytes) -> tuple[bytes, float]:
        asked = _receive.decode(request)
        before = self._backlog.received
        answer = self._backlog.take(min(asked.most, _MOST_AT_ONCE))
        received = self._backlog.received - before
        self.counts.received += received
        wait = 0 if received else asked.wait_seconds
        return answer, max(wait, self._delay_seconds)

    def _delete(self, _request: bytes) -> bytes:
        self.counts.deleted += 1
        return b"{}"

    def _delete_batch(self, request: bytes) -> bytes:
        self.counts.deleted += len(_batch.decode(request).entries)
        return _successful(request)

    def _attributes(self, _request: bytes) -> bytes:
        backlog, counts = self._backlog, self.counts
        attributes = {
            "ApproximateNumberOfMessages": str(backlog.total - backlog.received),
            "ApproximateNumberOfMessagesNotVisible": str(counts.received - counts.deleted),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        return msgspec.json.encode({"Attributes": attributes})


class _Connection(asyncio.Protocol):
    """One client's connection, kept alive; it may ask again when it has its answer."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is a class of its own

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(_END_OF_HEAD)
        if not end:
            return
        length = int(_header(head, b"content-length") or 0)
        if len(body) < length:
            return
        self._buffer = body[length:]
        self._serve(head, body[:length])

    def _serve(self, head: bytes, request: bytes) -> None:
        began = self._loop.time()
        if head.startswith(b"GET /counts "):
            self._write(msgspec.json.encode(self._stub.counts))
            return
        operation = _header(head, b"x-amz-target").decode().removeprefix("AmazonSQS.")
        answer, delay = self._stub.answer(operation, request)
        self._loop.call_at(began + delay, self._write, answer)

    def _write(self, answer: bytes | None) -> None:
        if self._transport.is_closing():
            return
        status = b"200 OK"
        if answer is None:
            status, answer = b"400 Bad Request", _UNKNOWN
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/x-amz-json-1.0\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (status, len(answer), answer)
        )


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header, whose `name` is in lower case; empty if there is none."""
    _, found, rest = head.lower().partition(b"\r\n%b:" % name)
    return head[-len(rest) :].partition(b"\r\n")[0].strip() if found else b""


def _successful(request: bytes) -> bytes:
    """All entries of a batch succeed."""
    ids = b",".join(b'{"Id":"%b"}' % e.id.encode() for e in _batch.decode(request).entries)
    return b'{"Successful":[%b],"Failed":[]}' % ids


async def serve(stub: Stub, port: int = 0) -> None:
    """Serve on this machine's loopback address, and print the address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(stub), "127.0.0.1", port, backlog=128)
    address = "http://{}:{}".format(*server.sockets[0].getsockname())
    stub.url = f"{address}/{QUEUE}"
    print(address, flush=True)  # noqa: T201  for whoever has started it
    await server.serve_forever()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one is taken for 0")
    parser.add_argument("--delay-ms", type=float, default=DELAY_MS, help="of every call (10)")
    parser.add_argument("--messages", type=int, default=ENDLESS, help="how many there are")
    parser.add_argument("--same", action="store_true", help="the same message again and again")
    options = parser.parse_args()
    backlog = Backlog(options.messages, same=options.same)
    asyncio.run(serve(Stub(backlog, options.delay_ms / 1000), options.port))


if __name__ == "__main__":
    main()
