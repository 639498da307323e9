"""One HTTP/1.1 connection that stays open, for requests that expect JSON.

It reads the plainest of answers itself, for a fifth of the CPU time of `http.client`: HTTP/1.1,
status 200, a body of an announced length. SQS answers in this way. `http.client` reads all
others, because an answer to a receive may hold messages, however it is framed; after it the
connection closes.
https://www.rfc-editor.org/rfc/rfc9112
"""

import http.client
import io
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from urllib3.util import wait_for_read

_PORTS = {"http": 80, "https": 443}
_SUCCESS = b"HTTP/1.1 200 "
_RECEIVE_BYTES = 1 << 16
# SQS's longest answer, 1 MiB of bodies, takes six times as many bytes if all are escaped.
_LONGEST_BODY = 1 << 24


class UnexpectedAnswerError(Exception):
    """The answer is not a success, or not in JSON."""


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

    def post(self, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> bytes:
        """Send a request, and return the body of its answer.

        Args:
            headers: the request's headers, without its length.
            body: the request's body.
            timeout_seconds: the longest wait for each part of the answer.

        Raises:
            OSError: the connection broke, or the answer did not come in time.
            http.client.HTTPException: the answer is not HTTP, or is cut short.
            UnexpectedAnswerError: the answer is not a success, or not in JSON.
            ValueError: a header has characters that HTTP does not allow.
        """
        assert self._socket  # noqa: S101  `usable` says so
        request = _head(self._path, headers, len(body)) + body
        try:
            if self._socket.gettimeout() != timeout_seconds:
                self._socket.settimeout(timeout_seconds)
            self._socket.sendall(request)
            answer, lasts = _read(self._socket)
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


def _read(source: socket.socket) -> tuple[bytes, bool]:
    """The body of an answer, and whether the connection lasts."""
    received = source.recv(_RECEIVE_BYTES)
    head, end, body = received.partition(b"\r\n\r\n")
    if end and head.startswith(_SUCCESS):
        headers = _headers(head)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and b"transfer-encoding" not in headers:
            _check_kind(headers.get(b"content-type", b"").decode("latin-1"))
            lasts = b"close" not in headers.get(b"connection", b"").lower()
            return _read_body(source, body, int(length)), lasts
    return _read_otherwise(source, received), False


def _headers(head: bytes) -> dict[bytes, bytes]:
    """The headers of an answer, their names in lower case; one that comes twice is joined."""
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return headers


def _read_body(source: socket.socket, received: bytes, length: int) -> bytes:
    """A body of a known length, of which a part is received."""
    if length > _LONGEST_BODY:
        raise UnexpectedAnswerError(f"the answer has {length} bytes")
    parts = [received]
    missing = length - len(received)
    while missing > 0:
        # Never less than a whole record of TLS, so that none of it stays behind unseen.
        parts.append(source.recv(_RECEIVE_BYTES))
        if not parts[-1]:
            raise UnexpectedAnswerError(f"of the answer {missing} bytes are missing")
        missing -= len(parts[-1])
    if missing < 0:
        raise UnexpectedAnswerError("the answer is longer than it says")
    return b"".join(parts)


def _read_otherwise(source: socket.socket, received: bytes) -> bytes:
    """The body of an answer of which a part is received, read by `http.client`."""
    file: Any = _File(source, received)  # it needs no more of a socket
    with http.client.HTTPResponse(file, method="POST") as response:
        response.begin()
        if response.status != http.client.OK:
            raise UnexpectedAnswerError(f"status {response.status}")
        _check_kind(response.headers.get_content_type())
        body = response.read(_LONGEST_BODY + 1)
        if len(body) > _LONGEST_BODY:
            raise UnexpectedAnswerError(f"the answer has more than {_LONGEST_BODY} bytes")
        return body


def _check_kind(kind: str) -> None:
    """Whether a content type is that of SQS, or of an emulator that also speaks JSON."""
    if "json" not in kind.lower():
        raise UnexpectedAnswerError(f"the answer has the content type {kind[:80]!r}")


class _File(io.RawIOBase):
    """What a socket has received already, and then what it receives."""

    def __init__(self, source: socket.socket, received: bytes) -> None:
        self._source = source
        self._received = received

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The file that `http.client` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._received:
            return self._source.recv_into(buffer)
        part, self._received = self._received[: len(buffer)], self._received[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
