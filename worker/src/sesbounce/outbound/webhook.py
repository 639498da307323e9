"""The target that posts each verdict to an HTTPS endpoint of the sender, by Standard Webhooks."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from sesbounce.errors import DeliveryError
from sesbounce.outbound.exchange import EXCHANGE_SECONDS, Answer, Exchanges
from sesbounce.outbound.signing import signed_headers
from sesbounce.store.outbox import OutboxEntry
from sesbounce.store.statements import EVENT_NAMES
from sesbounce.webhook_settings import RELEASED, SUPPRESSED, Endpoint

TEST = "sesbounce.test"

# HTTP statuses: only these say that the endpoint has accepted the entry, and from 500 on it accepts
# none. The HTTP library takes 103 for the answer, though another status follows it.
_ACCEPTED = range(200, 300)
_REDIRECTS = range(300, 400)
_GONE = 410
_TOO_MANY = 429
_FAILING_FROM = 500
# "Reduce the rate", says the standard of these.
_BUSY = frozenset({_TOO_MANY, 502, 504})


class Probe(msgspec.Struct, frozen=True):
    """A test event that an endpoint has been sent.

    Attributes:
        name: the name of the endpoint.
        host: its host.
        problem: why it has not accepted the event; None if it has.
        status: the HTTP status of the answer; None without an answer.
        seconds: how long the exchange took.
        headers: the headers that sign the event.
        body: the body.
    """

    name: str
    host: str
    problem: str | None
    status: int | None
    seconds: float
    headers: dict[str, str]
    body: str


class Webhook:
    """An HTTPS endpoint of the sender, which gets signed JSON objects.

    An answer with a status from 200 to 299 means that the endpoint has accepted the object. One
    thread at a time may deliver.
    """

    longest_seconds = EXCHANGE_SECONDS

    def __init__(
        self, endpoint: Endpoint, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Prepare the deliveries; nothing is connected yet.

        Args:
            endpoint: the endpoint.
            now: the clock; returns the current time, UTC.

        Raises:
            ConfigurationError: the environment names a proxy of an unknown kind.
        """
        self.name = endpoint.target
        self._endpoint = endpoint
        self._now = now
        self._exchanges = Exchanges(endpoint.url)

    def deliver(self, entry: OutboxEntry) -> None:
        """Post the entry, unless the endpoint does not want its type or reason."""
        type_ = SUPPRESSED if entry.suppressed else RELEASED
        if not self._endpoint.wants(type_, entry.parameters["reason"]):
            return
        data = {n: value for n, value in entry.parameters.items() if n not in EVENT_NAMES}
        # Receivers from before the standard read the action and the data beside it.
        action = "strike_off" if entry.suppressed else "restore"
        body = _body(type_, entry.at or self._now(), data, {"action": action, **data})
        self._check(self._exchanges.post(body, self._headers(entry.version, body)))

    def probe(self) -> Probe:
        """Post a test event, which is about no address."""
        endpoint = self._endpoint
        body = _body(TEST, self._now(), {"endpoint": endpoint.name}, {})
        headers = self._headers(uuid.uuid4().hex, body)
        began = time.monotonic()
        status = problem = None
        try:
            answer = self._exchanges.post(body, headers)
            status = answer.status
            self._check(answer)
        except DeliveryError as error:
            problem = str(error)
        seconds = round(time.monotonic() - began, 3)
        return Probe(endpoint.name, endpoint.host, problem, status, seconds, headers, body.decode())

    def _headers(self, version: str, body: bytes) -> dict[str, str]:
        signed = signed_headers(f"msg_{version}", self._now(), body, self._endpoint.keys)
        return {"Content-Type": "application/json", **signed}

    def _check(self, answer: Answer) -> None:
        """Make sure that the endpoint has accepted what was posted.

        Raises:
            DeliveryError: it has not.
        """
        status = answer.status
        if status in _ACCEPTED:
            return
        problem = f"it answers with HTTP status {status}"
        if status in _REDIRECTS:
            problem += "; sesbounce follows no redirect: set the URL of the webhook to its goal"
        failing = status == _TOO_MANY or status >= _FAILING_FROM
        retry_after = seconds_of(answer.retry_after, self._now()) if failing else None
        if retry_after is None and status in _BUSY:
            retry_after = 0.0
        gone = status == _GONE
        raise DeliveryError(
            problem, unreachable=failing or gone, gone=gone, retry_after=retry_after
        )


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """The seconds that the header `Retry-After` asks for; None if it is missing or unreadable.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - now).total_seconds(), 0.0)


def _body(type_: str, at: datetime, data: dict[str, Any], flat: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"type": type_, "timestamp": at, "data": data, **flat})
