"""One HTTP/1.1 connection that stays open, for the plainest of exchanges.

It reads one kind of answer: status 200, a body of an announced length and type, nothing encoded.
SQS answers in this way, and to read no other costs a fifth of the CPU time of `http.client`. Any
other answer is an error, and closes the connection: the caller has a full HTTP client for it.
https://www.rfc-editor.org/rfc/rfc9112
"""

import os
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from urllib3.util import wait_for_read

_PORTS = {"http": 80, "https": 443}
_SUCCESS = b"HTTP/1.1 200 "
_RECEIVE_BYTES = 1 << 16
_LONGEST_HEAD = 1 << 16
# SQS's longest answer, 1 MiB of bodies, takes six times as many bytes if all are escaped.
_LONGEST_BODY = 1 << 24


class UnexpectedAnswerError(Exception):
    """The answer is not a plain success."""


class KeptConnection:
    """A connection to one host, for one thread. It closes when nothing refers to it any more."""

    _socket: socket.socket | None = None

    def __init__(self, url: str, timeout_seconds: float, context: ssl.SSLContext | None) -> None:
        """Connect.

        Args:
            url: the URL to which the requests go.
            timeout_seconds: the longest wait for each step of connecting.
            context: how TLS is spoken, where the URL begins with https.

        Raises:
            OSError: the host can't be reached, or its certificate is not to be trusted.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._path = parts.path or "/"
        self._process = os.getpid()
        address = host, parts.port or _PORTS[parts.scheme]
        self._socket = socket.create_connection(address, timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if parts.scheme == "https":
            assert context  # noqa: S101  whoever has an https URL gives it
            self._socket = context.wrap_socket(self._socket, server_hostname=host)

    @property
    def usable(self) -> bool:
        """Whether it can be used for a request.

        A server has nothing to say on an idle connection: if it does, it has closed the
        connection, or answers an earlier request. A connection of a parent process is the
        parent's.
        """
        return (
            self._socket is not None
            and self._process == os.getpid()
            and not wait_for_read(self._socket, timeout=0)
        )

    def post(
        self, headers: Mapping[str, str], body: bytes, kind: bytes, timeout_seconds: float
    ) -> bytes:
        """Send a request, and return the body of its answer.

        Args:
            headers: the request's headers, without its length.
            body: the request's body.
            kind: the content type that the answer must have.
            timeout_seconds: the longest wait for each part of the answer.

        Raises:
            OSError: the connection broke, or the answer did not come in time.
            UnexpectedAnswerError: the answer is not a plain success.
            ValueError: a header has characters that HTTP does not allow.
        """
        assert self._socket  # noqa: S101  `usable` says so
        request = _head(self._path, headers, len(body)) + body
        try:
            if self._socket.gettimeout() != timeout_seconds:
                self._socket.settimeout(timeout_seconds)
            self._socket.sendall(request)
            answer, lasts = _read(self._socket, kind)
        except BaseException:
            self.close()
            raise
        if not lasts:
            self.close()
        return answer

    def close(self) -> None:
        """Close it, for good."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __del__(self) -> None:
        self.close()


def _head(path: str, headers: Mapping[str, str], length: int) -> bytes:
    """What a request has before its body."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"POST {path} HTTP/1.1\r\n{''.join(lines)}content-length: {length}\r\n\r\n"
    expected = len(lines) + 3
    if head.count("\n") != expected or head.count("\r") != expected:
        raise ValueError("a header has more than one line")
    return head.encode("latin-1")


def _read(source: socket.socket, kind: bytes) -> tuple[bytes, bool]:
    """The body of an answer of a content type, and whether the connection lasts."""
    received = _receive(source)
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > _LONGEST_HEAD:
            raise UnexpectedAnswerError("the head of the answer has no end")
        received += _receive(source)
    headers = _headers(received[:end])
    own = headers.get(b"content-type", b"")
    if own.partition(b";")[0].strip().lower() != kind:
        raise UnexpectedAnswerError(f"the answer has the content type {own[:80]!r}")
    length = _length(headers)
    parts = [received[end + 4 :]]
    missing = length - len(parts[0])
    while missing > 0:
        parts.append(_receive(source))
        missing -= len(parts[-1])
    if missing < 0:
        raise UnexpectedAnswerError("the answer is longer than it says")
    return b"".join(parts), b"close" not in headers.get(b"connection", b"").lower()


def _receive(source: socket.socket) -> bytes:
    # Never less than a whole record of TLS, so that none of it stays behind unseen.
    received = source.recv(_RECEIVE_BYTES)
    if not received:
        raise UnexpectedAnswerError("the server closed the connection before the answer's end")
    return received


def _headers(head: bytes) -> dict[bytes, bytes]:
    """The headers of a success, their names in lower case; one that comes twice is joined."""
    status, *lines = head.split(b"\r\n")
    if not status.startswith(_SUCCESS):
        raise UnexpectedAnswerError(f"the answer begins with {status[:40]!r}")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return headers


def _length(headers: Mapping[bytes, bytes]) -> int:
    """How many bytes the body has."""
    odd = {b"transfer-encoding", b"content-encoding"} & headers.keys()
    length = headers.get(b"content-length", b"")
    if odd or not length.isdigit() or len(length) > len(str(_LONGEST_BODY)):
        raise UnexpectedAnswerError("the answer is encoded, or does not say its length")
    if int(length) > _LONGEST_BODY:
        raise UnexpectedAnswerError(f"the answer has {int(length)} bytes")
    return int(length)
