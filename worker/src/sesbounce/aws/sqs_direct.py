"""Calls SQS without boto3's client, for an eighth of the client's CPU time a call.

A call has one good outcome, a plain success. After any other the caller makes the call by the
client, which knows all errors and retries. When calls fail one after the other the direct path
rests, so that the worker does not pay for two calls in place of one for long.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import create_urllib3_context, get_cert_path

from sesbounce.aws.http import ca_bundle
from sesbounce.aws.kept_connection import KeptConnection, UnexpectedAnswerError
from sesbounce.aws.sigv4 import Signer
from sesbounce.aws.sqs_protocol import Operation
from sesbounce.aws.sqs_unusual import unusual

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# The path rests after this many failures in a row, in all threads together.
_MOST_FAILURES = 5
_REST_SECONDS = 60.0

# All that a call may end in, but for the errors of the credentials. The last one: no UTF-8, or a
# header that HTTP does not allow, out of odd credentials.
_FAILURES = (
    OSError,
    http.client.HTTPException,
    UnexpectedAnswerError,
    msgspec.MsgspecError,
    ValueError,
)

_Answer = TypeVar("_Answer")

log = structlog.get_logger()


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
            credentials: returns the credentials of the moment. `call` raises its exceptions:
                the client's own attempt would end in the same.

        Raises:
            OSError: the CA bundle can't be read.
        """
        self._signer = Signer(endpoint.url, endpoint.region, endpoint.service)
        self._credentials = credentials
        self._endpoint = endpoint
        self._context = _context(endpoint)
        self._unsigned = {"user-agent": endpoint.user_agent, "accept-encoding": "identity"}
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
        credentials = self._credentials()
        try:
            body = operation.encode(parameters)
            headers = self._signer.sign(operation.headers, body, credentials, datetime.now(UTC))
            headers |= self._unsigned
            content = self._connection().post(headers, body, timeout_seconds)
            answer = operation.decode(content)
        except _FAILURES as error:
            self._rest.failed(operation.name, error)
            return None
        self._rest.succeeded()
        return answer

    def _connection(self) -> KeptConnection:
        """This thread's connection."""
        kept: KeptConnection | None = getattr(self._local, "connection", None)
        if kept and kept.usable:
            return kept
        if kept:
            kept.close()
        endpoint = self._endpoint
        made = KeptConnection(endpoint.url, endpoint.connect_seconds, self._context)
        self._local.connection = made
        return made


def open_direct_calls(client: "SQSClient") -> DirectCalls | None:
    """Open the direct path beside a client, with the client's endpoint and credentials.

    Returns:
        The direct calls; None where only the client can honour its configuration.
    """
    reason = unusual(client)
    if not reason:
        try:
            return _open(client)
        except OSError as error:
            reason = f"the CA bundle can't be read: {error}"
    log.info("direct requests to SQS off", reason=reason, advice="boto3 sends them")
    return None


def _open(client: "SQSClient") -> DirectCalls:
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


def _context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """How TLS is spoken with the endpoint: as botocore does, but that OpenSSL checks the host."""
    if not endpoint.url.startswith("https:"):
        return None
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    context.load_verify_locations(endpoint.ca_bundle or get_cert_path(True))
    return context


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
                "direct requests to SQS paused",
                operation=operation,
                problem=str(error) or repr(error),
                advice="boto3 sends them; the worker retries once a minute",
            )

    def succeeded(self) -> None:
        """Forget the failures."""
        if self._failures:
            self._failures, self._until = 0, 0.0
            if self._logged:
                self._logged = False
                log.info("direct requests to SQS resumed")
