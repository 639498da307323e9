"""Calls SQS without boto3's client, which costs some 900 µs of CPU a call; this costs a fifth.

Only a plain success counts. Of anything else the caller learns nothing but that it should make
the call by the client, which knows all errors and retries. While calls fail one after the other,
the direct path rests, so that nobody pays for both for long.
"""

import http.client
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import create_urllib3_context, get_cert_path
from urllib3.util import wait_for_read

from sesbounce.aws.http import ca_bundle
from sesbounce.aws.sigv4 import Signer
from sesbounce.aws.sqs_protocol import CONTENT_TYPE, Operation
from sesbounce.aws.sqs_unusual import unusual

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# The path rests after this many failures in a row, in all threads together.
_MOST_FAILURES = 5
_REST_SECONDS = 60.0
_OK = 200

_Answer = TypeVar("_Answer")

log = structlog.get_logger()


class UnexpectedAnswerError(Exception):
    """An answer that is not a plain success."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where the requests go, and how they are signed.

    Attributes:
        url: the URL of the service.
        region: the region that is signed for.
        service: the name of the service that is signed for.
        user_agent: the value of the header User-Agent.
        connect_seconds: the longest wait for a connection.
        ca_bundle: the file of the certificates to trust; None for botocore's own.
    """

    url: str
    region: str
    service: str
    user_agent: str
    connect_seconds: float
    ca_bundle: str | None = None


class DirectCalls:
    """Calls SQS over connections that stay open, one for each thread."""

    def __init__(self, endpoint: Endpoint, credentials: Callable[[], ReadOnlyCredentials]) -> None:
        """Make the calls of one endpoint.

        Args:
            endpoint: where the requests go.
            credentials: returns the credentials of the moment. Its exceptions are raised by
                `call`: the client's own attempt would end in the same.
        """
        self._signer = Signer(endpoint.url, endpoint.region, endpoint.service)
        self._credentials = credentials
        self._user_agent = endpoint.user_agent
        self._path = urlsplit(endpoint.url).path or "/"
        self._make_connection = _connector(endpoint)
        self._local = threading.local()
        self._rest = _Rest()

    def call(
        self, operation: Operation[_Answer], parameters: Any, timeout_seconds: float
    ) -> _Answer | None:
        """Make one call.

        Args:
            operation: the operation to call.
            parameters: its parameters, named as for boto3's client.
            timeout_seconds: the longest wait for each part of the answer.

        Returns:
            The answer; None where the client should make the call instead.
        """
        if self._rest.resting:
            return None
        body = operation.encode(parameters)
        headers = self._signer.sign(operation.headers, body, self._credentials(), datetime.now(UTC))
        headers["user-agent"] = self._user_agent
        try:
            answer = operation.decode(self._exchange(body, headers, timeout_seconds))
        except (
            OSError,
            http.client.HTTPException,
            UnexpectedAnswerError,
            msgspec.MsgspecError,
            ValueError,  # no UTF-8; or a header that HTTP does not allow, out of odd credentials
        ) as error:
            self._close()
            self._rest.failed(operation.name, error)
            return None
        self._rest.succeeded()
        return answer

    def _exchange(self, body: bytes, headers: dict[str, str], timeout_seconds: float) -> bytes:
        """Send a request, and return the body of its answer."""
        connection = self._connection()
        connection.sock.settimeout(timeout_seconds)
        connection.request("POST", self._path, body, headers)
        with connection.getresponse() as response:
            answer = response.read()
        if response.status != _OK or response.headers.get_content_type() != CONTENT_TYPE:
            kind = response.headers.get("content-type")
            raise UnexpectedAnswerError(f"status {response.status}, content type {kind}")
        return answer

    def _connection(self) -> "_Connection":
        """This thread's connection, open."""
        kept: _Connection | None = getattr(self._local, "connection", None)
        if kept and kept.usable:
            return kept
        self._close()
        connection = self._local.connection = self._make_connection()
        connection.connect()
        return connection

    def _close(self) -> None:
        kept: _Connection | None = self._local.__dict__.pop("connection", None)
        if kept:
            kept.close()


def open_direct_calls(client: "SQSClient") -> DirectCalls | None:
    """Open the direct path beside a client, with the client's endpoint and credentials.

    Returns:
        The direct calls; None where only the client can honour its configuration.
    """
    if reason := unusual(client):
        log.info("direct calls of SQS are off: boto3 makes them", reason=reason)
        return None
    internals: Any = client  # which `unusual` has looked at
    signer, config = internals._request_signer, internals.meta.config  # noqa: SLF001
    endpoint = Endpoint(
        url=client.meta.endpoint_url,
        region=signer.region_name,
        service=signer.signing_name,
        user_agent=config.user_agent,
        connect_seconds=config.connect_timeout,
        ca_bundle=ca_bundle(),
    )
    return DirectCalls(endpoint, signer._credentials.get_frozen_credentials)  # noqa: SLF001


class _Connection(http.client.HTTPConnection):
    """A connection that is closed when its thread ends."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._process = os.getpid()

    @property
    def usable(self) -> bool:
        """Whether a request may be sent.

        An idle connection has nothing to say: if it does, the server has closed it, or speaks
        of another request. One of a parent process is the parent's.
        """
        return (
            self.sock is not None
            and self._process == os.getpid()
            and not wait_for_read(self.sock, timeout=0)
        )

    def __del__(self) -> None:
        self.close()


class _TLSConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


def _connector(endpoint: Endpoint) -> Callable[[], _Connection]:
    """A function that makes a connection to the endpoint, which is not yet open."""
    url = urlsplit(endpoint.url)
    host = url.hostname or ""
    if url.scheme != "https":
        return lambda: _Connection(host, url.port or 80, timeout=endpoint.connect_seconds)
    context = create_urllib3_context()
    context.check_hostname = True
    context.load_verify_locations(endpoint.ca_bundle or get_cert_path(True))
    return lambda: _TLSConnection(
        host, url.port or 443, timeout=endpoint.connect_seconds, context=context
    )


class _Rest:
    """Rests the direct path while its calls fail. It may be used by several threads at once."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0
        self._logged = False

    @property
    def resting(self) -> bool:
        """Whether no call should be made."""
        return bool(self._until) and time.monotonic() < self._until

    def failed(self, operation: str, error: Exception) -> None:
        """Count a failure; the path rests when there were several in a row."""
        self._failures += 1
        if self._failures < _MOST_FAILURES:
            return
        self._until = time.monotonic() + _REST_SECONDS
        if not self._logged:
            self._logged = True
            log.warning(
                "direct calls of SQS fail: boto3 makes them",
                operation=operation,
                problem=str(error) or repr(error),
                retried_every_seconds=_REST_SECONDS,
            )

    def succeeded(self) -> None:
        """Forget the failures."""
        if self._failures:
            self._failures, self._until = 0, 0.0
            if self._logged:
                self._logged = False
                log.info("direct calls of SQS succeed again")
