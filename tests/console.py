"""What tests of the console share: its server, and a browser without a screen."""

import asyncio
import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from sesbounce.console.app import routes
from sesbounce.console.roles import ROLES
from sesbounce.feedback.recording import Recording
from sesbounce.opening import Opened
from sesbounce.server.access import Access, Persons
from sesbounce.server.app import Server
from sesbounce.server.rate import RateLimit
from sesbounce.server.service import Service
from sesbounce.server.serving import Parts
from sesbounce.settings import Settings
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope, Token
from tests import stored
from tests.support import AT

SECRET = "a secret that this server has for its tests"
FORM = "application/x-www-form-urlencoded"
HOME = "http://localhost:8080"


class Browser:
    """Asks for pages, one after the other, and keeps cookies as a browser does."""

    def __init__(self, app: Any, home: str = HOME, headers: Mapping[str, str] = {}) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url=home, headers=headers
        )

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def send(self, path: str, /, **fields: str) -> httpx.Response:
        """Send a form of the console."""
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
        return self.ask("POST", path, data=fields, headers=headers)

    def follow(self, response: httpx.Response) -> httpx.Response:
        """The page to which an answer leads."""
        assert response.status_code == 303, response.text
        return self.get(response.headers["Location"])

    def look_up(self, address: str) -> httpx.Response:
        """The page of an address."""
        return self.follow(self.send("/console/look-up", address=address))

    def path_of(self, address: str) -> str:
        """The path of the page of an address."""
        path: str = self.send("/console/look-up", address=address).headers["Location"]
        return path

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


class Site:
    """Servers of the console for one database.

    Attributes:
        now: what the servers take for the present.
    """

    def __init__(self, engine: sa.Engine, **settings: Any) -> None:
        self.engine = engine
        self.settings = Settings(**{"serve_secret": SECRET, "strike_off_sql": "", **settings})
        self.store = stored.store(engine, keys=self.settings.hash_keys)
        self.now = AT
        self._browsers: list[Browser] = []

    def record(self, *recordings: Recording) -> None:
        self.store.record(recordings, self.now)

    def token(self, *scopes: Scope, name: str = "mary", expires_in: timedelta | None = None) -> str:
        made = Token(
            name=name,
            scopes=scopes,
            created_at=AT,
            created_by="ann",
            expires_at=AT + expires_in if expires_in else None,
        )
        return tokens.create(self.engine, made)

    def app(
        self,
        targets: Sequence[Any] = (),
        rate: float = 1000.0,
        persons: Persons | None = None,
        options: Mapping[str, str] = {},
        **settings: Any,
    ) -> Any:
        service = Service(self.engine, self.store, self.settings.hash_keys, self._clock)
        access = Access(self.engine, service.clock, only_loopback=True, persons=persons)
        limit = RateLimit(rate, self._seconds)
        server = Server(service, access, limit, 2)
        parts = Parts(
            Opened(self.engine, self.store, targets),
            self.settings.model_copy(update=settings),
            service,
            access,
            limit,
            server.in_thread,
            only_loopback=True,
        )
        return server.app(more=routes(parts, options))

    def browser(self, app: Any = None, home: str = HOME, **headers: str) -> Browser:
        browser = Browser(app or self.app(), home, headers)
        self._browsers.append(browser)
        return browser

    def logged_in(self, *scopes: Scope, app: Any = None, name: str = "mary") -> Browser:
        """A browser of a person with these scopes."""
        browser = self.browser(app)
        token = self.token(*scopes, name=name)
        assert browser.send("/console/login", token=token).status_code == 303
        return browser

    def with_role(self, role: str) -> Browser:
        return self.logged_in(*ROLES[role], name=role)

    def close(self) -> None:
        for browser in self._browsers:
            browser.close()

    def _clock(self) -> datetime:
        return self.now

    def _seconds(self) -> float:
        return self.now.timestamp()


def forms(page: str) -> dict[str, dict[str, str]]:
    """The hidden fields of the forms of a page, by the text of the button."""
    found = {}
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        path = re.search(r'action="([^"]*)"', form)
        button = re.search(r"<button[^>]*>([^<]*)</button>", form)
        assert path
        assert button
        found[html.unescape(button[1])] = {"path": path[1], **fields}
    return found


def press(browser: Browser, page: httpx.Response | str, button: str, **more: str) -> httpx.Response:
    fields = forms(page if isinstance(page, str) else page.text)[button]
    return browser.send(fields.pop("path"), **fields, **more)


def text_of(answer: httpx.Response) -> str:
    """What a person reads on a page."""
    main = answer.text.partition("<main")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", main).split()))
