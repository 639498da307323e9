"""What a page knows of a request, and how it answers."""

import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sesbounce.console.examiner import Examiner
from sesbounce.console.rendering import render
from sesbounce.console.roles import role_of
from sesbounce.console.sealing import Sealer, new_key
from sesbounce.console.sessions import Session, Sessions
from sesbounce.console.texts import LANGUAGES, Texts
from sesbounce.errors import SesBounceError
from sesbounce.extras import needed_by
from sesbounce.server.access import Caller
from sesbounce.server.serving import Parts
from sesbounce.store.tokens import Scope

if TYPE_CHECKING:
    from sesbounce.console.letter_queues import LetterQueues

HOME = "/console"
OVERVIEW = "/console/overview"
SUPPRESSIONS = "/console/suppressions"
INCIDENTS = "/console/incidents"
WHAT_IF = "/console/what-if"
DEAD_LETTERS = "/console/dead-letters"
DELIVERIES = "/console/deliveries"
DOCTOR = "/console/doctor"
AUDIT = "/console/audit"
SETTINGS = "/console/settings"
# A person's note about a decision, in characters.
LONGEST_NOTE = 2000
# Longer than a session: a link on a page works as long as the page can be used.
_LINKS = timedelta(days=1)
_T = TypeVar("_T")
_OWN_PATH = re.compile(r"/console(/[A-Za-z0-9_-]+)*(\?[A-Za-z0-9_=&-]*)?")


class PageError(SesBounceError):
    """A page can't be shown; the text with the key `error.KEY` explains it to the person."""

    def __init__(
        self, status: HTTPStatus, key: str, headers: Mapping[str, str] | None = None, **values: Any
    ) -> None:
        super().__init__(f"the console can't answer: {key}")
        self.status = status
        self.key = key
        self.headers = headers
        self.values = values


class Console:
    """What all pages share.

    Attributes:
        parts: what the console shares with the API.
        options: the options of the command that override a setting, by the name of the setting.
        sessions: begins, reads and ends sessions.
        addresses: seals addresses for links.
        views: seals the filters and places of lists for links.
        counting: whoever counts a difference holds it, so that one thread at most does so.
        examiner: makes the checks of the doctor.
        receiving: whoever receives dead letters holds it, for the same reason.
    """

    def __init__(self, parts: Parts, options: Mapping[str, str]) -> None:
        clock = parts.service.clock
        keys = [key.get_secret_value() for key in parts.settings.serve_secret] or [new_key()]
        self.parts = parts
        self.options = options
        self.sessions = Sessions(keys, clock, parts.opened.engine)
        self.addresses = Sealer(keys, "address", clock, _LINKS)
        self.views = Sealer(keys, "view", clock, _LINKS)
        self.counting = threading.Lock()
        self.examiner = Examiner(parts.settings, clock)
        self.receiving = threading.Lock()

    @cached_property
    def letters(self) -> "LetterQueues":
        """The dead-letter queues.

        Raises:
            MissingExtraError: boto3 is not installed, which the console itself does not need.
        """
        with needed_by("the page of the dead letters"):
            from sesbounce.console.letter_queues import LetterQueues  # noqa: PLC0415

        return LetterQueues(self.parts.settings, self.receiving)

    @property
    def engine(self) -> sa.Engine:
        """The database."""
        return self.parts.opened.engine

    def now(self) -> datetime:
        """The current time, UTC."""
        return self.parts.service.clock()

    def address_path(self, address: str) -> str:
        """The path of the page of an address; it does not show the address."""
        return f"{HOME}/address/{self.addresses.seal(address)}"

    def address_in(self, handle: str) -> str:
        """The address in such a path.

        Raises:
            PageError: it is none of this server, or too old.
        """
        opened = self.addresses.open(handle, str)
        if opened is None:
            raise PageError(HTTPStatus.NOT_FOUND, "link")
        return opened[0]


class Place(NamedTuple):
    """A place in the navigation."""

    path: str
    key: str
    scope: Scope


PLACES: Sequence[Place] = (
    Place(OVERVIEW, "overview", Scope.READ),
    Place(HOME, "look_up", Scope.CHECK),
    Place(SUPPRESSIONS, "suppressions", Scope.EXPORT),
    Place(INCIDENTS, "incidents", Scope.READ),
    Place(WHAT_IF, "what_if", Scope.EXPORT),
    Place(DEAD_LETTERS, "dead_letters", Scope.READ),
    Place(DELIVERIES, "deliveries", Scope.READ),
    Place(DOCTOR, "doctor", Scope.READ),
    Place(AUDIT, "audit", Scope.EXPORT),
    Place(SETTINGS, "settings", Scope.ADMIN),
)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request for a page, which was permitted.

    Attributes:
        console: what all pages share.
        texts: the texts in the person's language.
        caller: the person; None where nobody is logged in.
        session: the person's session, if any.
        secure: whether cookies need TLS.
        back: the path of this page, if a browser can go back to it; otherwise the home page.
        path: the parameters in the path.
        query: the parameters of the query.
        form: the fields of the form.
    """

    console: Console
    texts: Texts
    caller: Caller | None = None
    session: Session | None = None
    secure: bool = True
    back: str = HOME
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> Caller:
        """The person.

        Raises:
            RuntimeError: nobody is logged in; pages with a scope are not shown then.
        """
        if self.caller is None:
            raise RuntimeError("this page needs a person who is logged in")
        return self.caller

    @property
    def by(self) -> str:
        """The person who decides, as the audit names them."""
        return self.who.name or "console"

    @property
    def by_if_unnamed(self) -> str | None:
        """The same for the service, which knows the name of a person who has one: then None."""
        return None if self.who.name else self.by

    @property
    def note(self) -> str:
        """The note in the form."""
        return self.form.get("note", "").strip()

    @property
    def user(self) -> str | None:
        """The name of the person for the page; None where nobody needs to be logged in."""
        if self.caller is None:
            return None
        return self.caller.name if self.caller.is_person else self.caller.id or None

    @property
    def role(self) -> str:
        """What people call the scopes of the person."""
        return role_of(self.who)

    def may(self, scope: Scope) -> bool:
        """Whether the person has a scope."""
        return self.caller is not None and self.caller.permits(scope)

    def demand(self, scope: Scope) -> None:
        """Demand a scope beside that of the page.

        Raises:
            PageError: the person does not have it.
        """
        if not self.may(scope):
            raise PageError(HTTPStatus.FORBIDDEN, "forbidden", scope=scope)

    def page(
        self,
        template: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """A page of a template, which gets this request as `ask` and the texts as `t`."""
        places = [place for place in PLACES if self.may(place.scope)]
        content = render(
            template, ask=self, t=self.texts, places=places, languages=LANGUAGES, **context
        )
        return HTMLResponse(content, int(status), headers)

    def go(self, path: str) -> Response:
        """Lead the browser to another page, which it asks for by GET."""
        return RedirectResponse(path, int(HTTPStatus.SEE_OTHER))

    def error(self, error: PageError) -> Response:
        """The page for an error."""
        explained = self.texts(f"error.{error.key}.text", **error.values)
        title = self.texts(f"error.{error.key}.title")
        return self.page("error", error.status, error.headers, title=title, explained=explained)

    @staticmethod
    def once() -> str:
        """A new identity for a form, so that it is recorded once, however often it is sent."""
        return secrets.token_urlsafe(16)


def note_problem(note: str) -> str | None:
    """The key of the text that says what is wrong with a note; None where nothing is."""
    if not note:
        return "decide.note_missing"
    return "decide.note_long" if len(note) > LONGEST_NOTE else None


def own_path(path: str) -> str:
    """A path that a form gave, if it is one of the console; otherwise that of the home page."""
    return path if _OWN_PATH.fullmatch(path) else HOME


def onward(path: str) -> Mapping[str, str]:
    """The headers of a page that continues by itself, as soon as a browser has shown it."""
    return {"Refresh": f"0; url={path}"}


def unsealed(ask: Ask, sealed: str, kind: type[_T]) -> _T:
    """What a link or a form of a page holds.

    Raises:
        PageError: it is none of this server, or too old.
    """
    opened = ask.console.views.open(sealed, kind)
    if opened is None:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    return opened[0]
