"""What tests of the HTTP API share: the application, and a client that needs no socket."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.server.access import Access, Persons
from sesbounce.server.app import Server
from sesbounce.server.rate import RateLimit
from sesbounce.server.routes import OPERATIONS, Operation
from sesbounce.server.service import Service
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope, Token
from tests import stored
from tests.support import AT


class Client:
    """Sends requests to the application, one after the other."""

    def __init__(self, app: Any, token: str | None = None) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(
            transport=transport, base_url="http://localhost:8080", headers=headers
        )

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


class Api:
    """Makes applications and tokens for one database.

    Attributes:
        now: what the application takes for the present.
    """

    def __init__(self, engine: sa.Engine, keys: HashKeys = NO_KEYS) -> None:
        self.engine = engine
        self.keys = keys
        self.store = stored.store(engine, keys=keys)
        self.now = AT
        self._clients: list[Client] = []

    def token(self, *scopes: Scope, name: str = "crm") -> str:
        made = Token(name=name, scopes=scopes, created_at=AT, created_by="jane")
        return tokens.create(self.engine, made)

    def app(
        self,
        *,
        only_loopback: bool = True,
        rate: float = 1000.0,
        operations: Sequence[Operation] = OPERATIONS,
        persons: Persons | None = None,
    ) -> Any:
        service = Service(self.engine, self.store, self.keys, lambda: self.now)
        access = Access(self.engine, service.clock, only_loopback=only_loopback, persons=persons)
        return Server(service, access, RateLimit(rate, self._seconds), 2).app(operations)

    def client(self, token: str | None = None, **more: Any) -> Client:
        client = Client(self.app(**more), token)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _seconds(self) -> float:
        return self.now.timestamp()
