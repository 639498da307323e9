"""Sends requests to the HTTP API over connections that stay open, and reads whole replies.

It follows no redirect and uses no proxy, so a token goes to the host of the URL alone.
"""

import http.client
import os
import selectors
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple

from sesbounce.api_client.place import Place
from sesbounce.errors import ApiError, ApiUnavailableError

# 10,000 answers take a few MiB.
_MOST_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 1 << 16
# Load balancers keep an idle connection for 60 seconds by default; a request that comes just then
# is lost. An older connection is not used any more.
_IDLE_SECONDS = 30.0
_MOST_KEPT = 8


class Request(NamedTuple):
    """A request.

    Attributes:
        method: the HTTP method.
        path: the path below that of the URL, and the query.
        body: the JSON text; None without a body.
        headers: the headers, without those that the body needs.
    """

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


class Reply(NamedTuple):
    """What the server replied.

    Attributes:
        status: the HTTP status.
        kind: the media type of the body, without its parameters.
        retry_after: the header `Retry-After`; None without one.
        body: the body.
    """

    status: int
    kind: str
    retry_after: str | None
    body: bytes


class Transport:
    """The connections to one server. Threads may share it, and processes after a fork."""

    def __init__(self, place: Place, timeout: float, context: ssl.SSLContext | None) -> None:
        """Prepare the connections; nothing is connected yet.

        Args:
            place: where the server is.
            timeout: seconds for each step of connecting, and for a whole reply.
            context: how TLS is spoken; None for the authorities that the system trusts.
        """
        # The idle connections, each with the time when it began to be idle.
        self._kept: list[tuple[float, http.client.HTTPConnection]] = []
        self._process = os.getpid()
        self._place = place
        self._timeout = timeout
        self._context = (context or ssl.create_default_context()) if place.tls else None

    def exchange(self, request: Request) -> Reply:
        """Send a request, and read its reply.

        The request may arrive twice, if the server closes a kept connection at that moment.

        Raises:
            ApiUnavailableError: the server can't be reached, or does not reply in time.
            ApiError: the reply is too long, or is not HTTP.
        """
        try:
            if kept := self._take():
                try:
                    return self._send(kept, request)
                except ConnectionError:  # closed since the last request: a new one will do
                    kept.close()
            return self._send(self._connect(), request)
        except OSError as error:
            raise ApiUnavailableError(
                f"the HTTP API at {self._place.origin} can't be reached: {_words(error)}"
            ) from error
        except http.client.HTTPException as error:
            raise ApiError(
                f"what answers at {self._place.origin} does not speak HTTP: {_words(error)}"
            ) from error

    def close(self) -> None:
        """Close the idle connections; the next request opens a new one."""
        while self._kept:
            self._kept.pop()[1].close()

    def __del__(self) -> None:
        self.close()

    def _send(self, connection: http.client.HTTPConnection, request: Request) -> Reply:
        deadline = time.monotonic() + self._timeout
        kind = {"Content-Type": "application/json"} if request.body is not None else {}
        path = self._place.path + request.path
        try:
            connection.request(request.method, path, request.body, {**request.headers, **kind})
            with connection.getresponse() as response:
                body = self._body(response, deadline)
                lasts = not response.will_close
        except BaseException:
            connection.close()
            raise
        if lasts:
            self._keep(connection)
        else:
            connection.close()
        headers = response.headers
        retry_after = headers.get("Retry-After")
        return Reply(response.status, headers.get_content_type(), retry_after, body)

    def _body(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        while piece := response.read1(_PIECE_BYTES):
            body += piece
            if len(body) > _MOST_BYTES:
                raise ApiError(f"the reply of {self._place.origin} is longer than any answer")
            # The timeout of the socket limits each wait for bytes, and not their number.
            if time.monotonic() > deadline:
                raise TimeoutError(f"the reply takes longer than {self._timeout:g} seconds")
        return bytes(body)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._place.host, self._place.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)

    def _take(self) -> http.client.HTTPConnection | None:
        """A kept connection that can be used; None if there is none."""
        if self._process != os.getpid():  # they are those of the parent process
            self._process = os.getpid()
            self.close()  # which closes nothing in the parent
        while self._kept:
            try:
                since, connection = self._kept.pop()
            except IndexError:  # another thread was faster
                return None
            if time.monotonic() - since < _IDLE_SECONDS and _is_silent(connection):
                return connection
            connection.close()
        return None

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        if len(self._kept) < _MOST_KEPT:
            self._kept.append((time.monotonic(), connection))
        else:
            connection.close()


def _is_silent(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has nothing to read: otherwise the server has closed it."""
    if connection.sock is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return not selector.select(0)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
