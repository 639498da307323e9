"""The target that posts each verdict to an HTTPS endpoint of the sender."""

import hashlib
import hmac
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import msgspec
import urllib3
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationValueError

from sesbounce.errors import ConfigurationError, DeliveryError
from sesbounce.store.outbox import OutboxEntry
from sesbounce.store.statements import EVENT_NAMES

# A connection, and each wait for bytes.
_TIMEOUT_SECONDS = 5.0
# The whole exchange, however slowly the bytes come.
_EXCHANGE_SECONDS = 10.0
# The rest of an answer is not read.
_MOST_BYTES = 65_536
# HTTP statuses: from 300 on the endpoint has not accepted this entry, from 500 on it accepts none.
_REJECTED_FROM = 300
_REDIRECTS = range(300, 400)
_FAILING_FROM = 500


class Webhook:
    """An HTTPS endpoint of the sender, which gets a JSON object signed with a shared secret.

    `X-Sesbounce-Signature: sha256=…` is the HMAC-SHA-256 of the body in hex. An answer with a
    status from 200 to 299 means that the endpoint has accepted the object. One thread at a time
    may deliver.
    """

    name = "webhook"
    longest_seconds = _EXCHANGE_SECONDS

    def __init__(self, url: str, secret: str) -> None:
        """Prepare the deliveries; nothing is connected yet.

        Raises:
            ConfigurationError: the environment names a proxy of an unknown kind.
        """
        self._url = url
        self._secret = secret.encode()
        self._manager = _manager(url)
        self._deadline = _Deadline()

    def deliver(self, entry: OutboxEntry) -> None:
        """Post the entry."""
        action = "strike_off" if entry.suppressed else "restore"
        about = {n: value for n, value in entry.parameters.items() if n not in EVENT_NAMES}
        body = msgspec.json.encode({"action": action, **about})
        try:
            with self._deadline.after(_EXCHANGE_SECONDS):
                status = self._post(body)
        except HTTPError as error:
            problem = f"it can't be reached: {type(error).__name__}"
            if self._deadline.is_over:
                problem = f"it has not answered within {_EXCHANGE_SECONDS:.0f} seconds"
            raise DeliveryError(problem, unreachable=True) from error
        if status >= _REJECTED_FROM:
            problem = f"it answers with HTTP status {status}"
            if status in _REDIRECTS:
                problem += "; sesbounce follows no redirect: set SESBOUNCE_WEBHOOK_URL to its goal"
            raise DeliveryError(problem, unreachable=status >= _FAILING_FROM)

    def _post(self, body: bytes) -> int:
        """Post the body; returns the status of the answer."""
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        answer = self._manager.request(
            "POST",
            self._url,
            body=body,
            headers={
                "Content-Type": "application/json",
                "X-Sesbounce-Signature": f"sha256={signature}",
            },
            redirect=False,
            preload_content=False,
        )
        if self._deadline.is_over:  # of a head that is cut off, too, the library makes an answer
            answer.close()
            raise urllib3.exceptions.TimeoutError
        # The connection can be used again if the answer ends soon. The status has said all.
        with suppress(HTTPError):
            answer.read(_MOST_BYTES, decode_content=False)
        answer.close()
        return answer.status


class _Deadline:
    """Shuts the socket of an exchange down when the time of the exchange is over.

    The timeouts of sockets are not enough: they limit each wait for bytes, and an endpoint that
    sends a byte now and then would keep the thread forever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_over = False

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Limit the exchange of the block, which runs in this thread."""
        self.is_over = False
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        token = _deadline.set(self)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _deadline.reset(token)
            self._forget()

    def watch(self, connected: socket.socket) -> None:
        """Watch the socket that the exchange uses from now on."""
        self._forget()
        with self._lock:
            # A copy: TLS takes its own descriptor away from a socket.
            self._socket = socket.socket(fileno=os.dup(connected.fileno()))
            if self.is_over:
                _shut(self._socket)

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket:
                _shut(self._socket)

    def _forget(self) -> None:
        with self._lock:
            if self._socket:
                self._socket.close()
                self._socket = None


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # the endpoint may have closed the connection
        connected.shutdown(socket.SHUT_RDWR)


_deadline: ContextVar[_Deadline] = ContextVar("_deadline")


class _HttpConnection(HTTPConnection):
    """A connection whose socket is watched, from before a TLS handshake on."""

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        _deadline.get().watch(connected)
        return connected

    def request(self, *arguments: Any, **more: Any) -> None:
        """Send a request; the connection may be one of an earlier exchange."""
        if self.sock:
            _deadline.get().watch(self.sock)
        super().request(*arguments, **more)


class _HttpsConnection(_HttpConnection, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


def _manager(url: str) -> urllib3.PoolManager:
    """Connections to a URL, by the proxy that boto3 would take: HTTPS_PROXY, NO_PROXY."""
    proxies = ProxyConfiguration(get_environ_proxies(url))
    proxy = proxies.proxy_url_for(url)
    timeout = urllib3.Timeout(_TIMEOUT_SECONDS)
    if proxy:
        try:
            manager: urllib3.PoolManager = urllib3.ProxyManager(
                proxy,
                proxy_headers=proxies.proxy_headers_for(proxy),
                timeout=timeout,
                retries=False,
            )
        except LocationValueError:
            raise ConfigurationError(
                "HTTPS_PROXY or HTTP_PROXY names no proxy that the webhook can use: set it to "
                "http://host:port, or list the webhook's host in NO_PROXY"
            ) from None
    else:
        manager = urllib3.PoolManager(timeout=timeout, retries=False)
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager
