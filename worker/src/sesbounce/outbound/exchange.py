"""One exchange with an HTTP server of the sender, which ends after ten seconds in any case."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import urllib3
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationValueError

from sesbounce.errors import ConfigurationError, DeliveryError

# A connection, and each wait for bytes.
_TIMEOUT_SECONDS = 5.0
# The whole exchange, however slowly the bytes come.
EXCHANGE_SECONDS = 10.0
# The rest of an answer is not read.
_MOST_BYTES = 65_536


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: the HTTP status.
        retry_after: the header `Retry-After`; None without one.
    """

    status: int
    retry_after: str | None


class Exchanges:
    """Posts to one URL. One thread at a time may post."""

    def __init__(self, url: str) -> None:
        """Prepare the connections; nothing is connected yet.

        Raises:
            ConfigurationError: the environment names a proxy of an unknown kind.
        """
        self._url = url
        self._manager = _manager(url)
        self._deadline = _Deadline()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body; follows no redirect.

        Raises:
            DeliveryError: the server can't be reached, or has not answered in time.
        """
        try:
            with self._deadline.after(EXCHANGE_SECONDS):
                return self._post(body, headers)
        except HTTPError as error:
            problem = f"it can't be reached: {type(error).__name__}"
            if self._deadline.is_over:
                problem = f"it has not answered within {EXCHANGE_SECONDS:.0f} seconds"
            raise DeliveryError(problem, unreachable=True) from error

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = self._manager.request(
            "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
        )
        if self._deadline.is_over:  # of a head that is cut off, too, the library makes an answer
            answer.close()
            raise urllib3.exceptions.TimeoutError
        # The connection can be used again if the answer ends soon. The status has said all.
        with suppress(HTTPError):
            answer.read(_MOST_BYTES, decode_content=False)
        answer.close()
        return Answer(answer.status, answer.headers.get("Retry-After"))


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
