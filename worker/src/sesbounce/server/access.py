"""Decides who asks, and who may do what.

A token identifies a program, and a load balancer a person whom it has authenticated.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Protocol

import msgspec
import sqlalchemy as sa
import structlog

from sesbounce.errors import StoreError
from sesbounce.hosts import is_loopback
from sesbounce.server.problems import RequestError
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope, Token

log = structlog.get_logger()

_BEARER = "bearer"
# A name, an address of IPv4, or one of IPv6 in brackets; then maybe a port. RFC 9110, 7.2.
_HOST = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::[0-9]+)?")
_CHALLENGE = 'Bearer realm="sesbounce"'
# The methods of which a browser may send a request for a page of another site without harm.
_SAFE = frozenset({"GET", "HEAD"})
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
_IDENTITY = "x-amzn-oidc-data"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A program with a token, a person whom a load balancer has authenticated, or anyone.

    Attributes:
        id: differs from that of all others, holds neither a blank nor an address, and is in the
            log: the token's name, or `person:` and digits; empty where nobody is identified.
        name: what a decision says of the caller; None where nobody is identified.
        scopes: what the caller may do.
        is_person: whether a load balancer has authenticated the caller.
    """

    id: str
    name: str | None
    scopes: frozenset[Scope]
    is_person: bool = False

    def permits(self, scope: Scope) -> bool:
        """Whether the caller has a scope; `admin` includes all others."""
        return tokens.permits(self.scopes, scope)


ANYONE = Caller(id="", name=None, scopes=frozenset({Scope.ADMIN}))
"""Whoever asks, where no token is needed."""


class Persons(Protocol):
    """Identifies people; `sesbounce.server.people` has the one for a load balancer of AWS."""

    def identify(self, data: str, /) -> Caller:
        """The person of whom the header `x-amzn-oidc-data` speaks.

        Raises:
            RequestError: the header is not valid, or can't be verified at the moment.
        """


class Access:
    """Checks tokens in the database for each request, so that a revoked one ends at once."""

    def __init__(
        self,
        engine: sa.Engine,
        clock: Callable[[], datetime],
        *,
        only_loopback: bool,
        persons: Persons | None = None,
    ) -> None:
        """Make one.

        Args:
            engine: the database.
            clock: tells the time, UTC.
            only_loopback: whether the server listens on the loopback interface alone: then it
                answers without a token, as long as no token was ever made, and no person can be
                identified.
            persons: identifies people; None where no load balancer does.
        """
        self._engine = engine
        self._clock = clock
        self._only_loopback = only_loopback
        self._persons = persons
        # The day on which this process last recorded the use of a token, by the token's name.
        self._noted: dict[str, date] = {}

    def demand(self, scope: Scope, method: str, headers: Mapping[str, str]) -> Caller:
        """Make sure that a request may do what needs a scope.

        Args:
            scope: the scope.
            method: the HTTP method.
            headers: the headers of the request, by their names in lower case.

        Returns:
            Who asks.

        Raises:
            RequestError: nobody is identified, or the caller lacks the scope.
            StoreError: the database can't answer.
        """
        caller = self.caller(method, headers)
        if not caller.permits(scope):
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                f"the person lacks the scope {scope}: SESBOUNCE_SERVE_OIDC_GRANTS can grant it"
                if caller.is_person
                else f"the token lacks the scope {scope}: make one that has it with `sesbounce "
                "token`",
                headers={"WWW-Authenticate": challenge},
            )
        return caller

    def caller(self, method: str, headers: Mapping[str, str]) -> Caller:
        """Identify the caller. A token counts before what the load balancer says.

        Args:
            method: the HTTP method.
            headers: the headers of the request, by their names in lower case.

        Raises:
            RequestError: nobody is identified; or a page of another site may have sent the request.
            StoreError: the database can't answer.
        """
        if (authorization := headers.get("authorization")) is not None:
            return self._by_token(authorization)
        if self._persons and (data := headers.get(_IDENTITY)) is not None:
            person = self._persons.identify(data)
            if method not in _SAFE and not is_own_page(headers):
                raise RequestError(
                    HTTPStatus.FORBIDDEN,
                    "the request does not come from a page of this server (Sec-Fetch-Site, "
                    "Origin): programs send a token",
                )
            return person
        if self._is_open(headers.get("host")):
            return ANYONE
        raise unauthorized("the request has no token: send `Authorization: Bearer TOKEN`")

    def with_token(self, secret: str) -> Caller | None:
        """The caller that has a token; None where it is unknown, revoked or expired.

        Raises:
            StoreError: the database can't answer.
        """
        now = self._clock()
        token = tokens.find(self._engine, secret, now)
        if token is None:
            return None
        self._note_use(token, now.date())
        return Caller(id=token.name, name=f"token {token.name}", scopes=frozenset(token.scopes))

    def _note_use(self, token: Token, day: date) -> None:
        """Record the day, which one request in a day does."""
        if day in {token.last_used_on, self._noted.get(token.name)}:
            return
        self._noted[token.name] = day
        try:
            if not tokens.note_use(self._engine, token.name, day):
                self._noted.pop(token.name, None)  # the next request tries it
        except StoreError as error:
            # The request is answered from a database that is read-only as well.
            log.warning("use of a token not recorded", token=token.name, problem=str(error))

    def _by_token(self, authorization: str) -> Caller:
        kind, _, secret = authorization.partition(" ")
        caller = self.with_token(secret.strip()) if kind.lower() == _BEARER else None
        if caller is None:
            raise unauthorized(
                "the token is not valid: it is unknown, revoked or expired", 'error="invalid_token"'
            )
        return caller

    def _is_open(self, host: str | None) -> bool:
        # A page in a browser on this machine may have a name of its own lead to 127.0.0.1: the
        # header Host then holds that name.
        named = _HOST.fullmatch(host or "")
        if self._persons or not self._only_loopback:
            return False
        if not named or not is_loopback(named[1] or named[2]):
            return False
        return not tokens.any_token(self._engine)


def is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser has sent a request for a page of this server, by the browser's own word.

    A cookie identifies a person also if a page of another site sends the request. Browsers say in
    Sec-Fetch-Site where a request comes from, and older ones in Origin.
    https://www.w3.org/TR/fetch-metadata/
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is not None and origin.partition("://")[2] == headers.get("host")


def unauthorized(problem: str, error: str = "") -> RequestError:
    """The error for a request of which nobody knows who sends it."""
    challenge = f"{_CHALLENGE}, {error}" if error else _CHALLENGE
    return RequestError(HTTPStatus.UNAUTHORIZED, problem, headers={"WWW-Authenticate": challenge})
