"""Serves the API by uvicorn, until a signal comes."""

import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from sesbounce.errors import ConfigurationError
from sesbounce.extras import needed_by
from sesbounce.hosts import is_loopback
from sesbounce.opening import Opened, open_store
from sesbounce.server.access import Access, Persons
from sesbounce.server.app import Server
from sesbounce.server.rate import RateLimit
from sesbounce.server.service import Service
from sesbounce.settings import Settings
from sesbounce.signals import end_at_once, signals
from sesbounce.store.tokens import any_token

__all__ = ["MoreRoutes", "Parts", "make_app", "make_server", "serve"]

# Longer than load balancers keep an idle connection (60 seconds by default): otherwise they would
# send a request into a connection that this end closes.
_IDLE_SECONDS = 75
_WAITING_CONNECTIONS = 2048
# A note of 2,000 characters takes up to 24,000 bytes of a query, and an address 12,000 of a path.
_MOST_HEAD_BYTES = 64 * 1024

log = structlog.get_logger()


class Parts(NamedTuple):
    """What further routes of the server share with those of the API.

    Attributes:
        opened: the database.
        settings: all settings.
        service: does what the routes of the API are for.
        access: checks the tokens.
        rate: limits the requests of each token.
        in_thread: does what uses the database in a thread.
        only_loopback: whether no other machine reaches the server.
    """

    opened: Opened
    settings: Settings
    service: Service
    access: Access
    rate: RateLimit
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    only_loopback: bool


MoreRoutes = Callable[[Parts], Sequence[BaseRoute]]


def serve(settings: Settings, more: MoreRoutes | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered.

    Args:
        settings: name the database and where to listen.
        more: makes further routes.

    Raises:
        ConfigurationError: the server can't listen, or must not, because nothing says who asks.
        StoreError: the database can't be used.
    """
    family, address = _resolved(settings.serve_host, settings.serve_port)
    only_loopback = is_loopback(address)
    with open_store(settings) as opened:
        protected = settings.load_balancer is not None or any_token(opened.engine)
        if not only_loopback and not protected:
            raise ConfigurationError(
                f"SESBOUNCE_SERVE_HOST is {settings.serve_host}, which other machines may reach, "
                "and there is no token: make one with `sesbounce token create`, set "
                "SESBOUNCE_SERVE_OIDC_LOAD_BALANCER, or listen on 127.0.0.1"
            )
        app = make_app(opened, settings, more, only_loopback=only_loopback)
        with closing(_listening(family, address, settings)) as listener:
            log.info("serving", host=address, port=settings.serve_port, token_needed=protected)
            if not protected:
                log.warning("no token was made: every program on this machine may use the API")
            _run(app, listener, settings.shutdown_seconds)
            log.info("stopped")


def make_app(
    opened: Opened, settings: Settings, more: MoreRoutes | None = None, *, only_loopback: bool
) -> Starlette:
    """Make the application for a database."""
    service = Service(opened.engine, opened.store, settings.hash_keys)
    persons = _persons(settings, service)
    access = Access(opened.engine, service.clock, only_loopback=only_loopback, persons=persons)
    rate = RateLimit(settings.serve_rate)
    server = Server(service, access, rate, _connections(opened.engine))
    if more is None:
        return server.app()
    parts = Parts(opened, settings, service, access, rate, server.in_thread, only_loopback)
    return server.app(more=more(parts))


def _persons(settings: Settings, service: Service) -> Persons | None:
    balancer = settings.load_balancer
    if balancer is None:
        return None
    with needed_by("SESBOUNCE_SERVE_OIDC_LOAD_BALANCER"):
        from sesbounce.server.people import People  # noqa: PLC0415  boto3 and cryptography

    return People(balancer, service.clock)


def _connections(engine: sa.Engine) -> int:
    """The number of connections that the pool keeps open."""
    return engine.pool.size() if isinstance(engine.pool, sa.QueuePool) else 1


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # the latter for a name like a..b
        raise ConfigurationError(
            f"SESBOUNCE_SERVE_HOST is {host}, which is no address of this machine: {error}"
        ) from error
    return found[0][0], str(found[0][4][0])


def _listening(family: socket.AddressFamily, address: str, settings: Settings) -> socket.socket:
    try:
        listener = socket.create_server(
            (address, settings.serve_port), family=family, backlog=_WAITING_CONNECTIONS
        )
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on {address}, port {settings.serve_port}: {error.strerror}: change "
            "SESBOUNCE_SERVE_PORT or SESBOUNCE_SERVE_HOST, or stop what listens there"
        ) from error
    # Each connection inherits it. Without it the kernel keeps the body of an answer back until the
    # client has acknowledged the head, which takes 40 milliseconds.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class _Uvicorn(uvicorn.Server):
    """uvicorn, for which `sesbounce.signals` hears the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def make_server(app: Starlette, shutdown_seconds: int) -> uvicorn.Server:
    """Make the server of an application; it hears no signals of its own."""
    config = uvicorn.Config(
        app,
        http="h11",
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,  # it holds paths, and these hold addresses
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
    )
    return _Uvicorn(config)


def _run(app: Starlette, listener: socket.socket, shutdown_seconds: int) -> None:
    server = make_server(app, shutdown_seconds)

    def stop(_number: int) -> None:
        server.should_exit = True

    signals.act(stop, end_at_once)
    signals.hear(signal.SIGTERM, signal.SIGINT)
    # What is loaded by now stays. To look through it for garbage takes 30 milliseconds, and that in
    # the middle of a request.
    gc.collect()
    gc.freeze()
    server.run(sockets=[listener])
