"""What tests of the outbox, the relay and the targets share: a store with targets, a target."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sqlalchemy as sa

from sesbounce.errors import DeliveryError
from sesbounce.outbound.relay import Deliveries, Relay, Target
from sesbounce.outbound.webhook import Webhook
from sesbounce.store.outbox import Outbox, OutboxEntry
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from sesbounce.webhook_settings import ONLY, Endpoint, signing_keys
from tests import stored
from tests.listening import listening

SECRET = "a secret of some length"

Deliver = Callable[..., Deliveries]


class Pigeon:
    """A target in memory that fails a number of times."""

    name = "pigeon"
    longest_seconds = 0.0

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.entries: list[OutboxEntry] = []

    def deliver(self, entry: OutboxEntry) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryError("the pigeon is lost")
        self.entries.append(entry)

    @property
    def delivered(self) -> list[tuple[bool, str]]:
        return [(entry.suppressed, entry.parameters["address"]) for entry in self.entries]


class Server:
    """An HTTP server that notes what it is asked and answers with what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = (self.command, self.path, dict(self.headers), self.rfile.read(length))
                server.requests.append(asked)
                self.send_response(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            do_POST = do_PUT = do_DELETE = answer  # noqa: N815  the names are the library's

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server that is reachable while the block runs."""
    made = Server()
    with listening(made.http):
        yield made


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment


def make(engine: sa.Engine, *targets: Target) -> tuple[Store, Deliver]:
    """A store whose outbox is for the targets, and one round of deliveries to them."""
    store = stored.store(engine, StrikeOff(), Outbox(target.name for target in targets))

    def deliver(
        now: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
    ) -> Deliveries:
        return Relay(engine, targets, now).deliver(stopping)

    return store, deliver


def hook(url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Webhook:
    """The webhook of SESBOUNCE_WEBHOOK_URL."""
    return Webhook(Endpoint(ONLY, url, signing_keys(SECRET)), now)
