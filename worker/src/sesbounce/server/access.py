"""Decides who may do what: by the token of a request and the scope of the route."""

import re
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

import sqlalchemy as sa

from sesbounce.hosts import is_loopback
from sesbounce.server.problems import RequestError
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope

_BEARER = "bearer"
# A name, an address of IPv4, or one of IPv6 in brackets; then maybe a port. RFC 9110, 7.2.
_HOST = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::[0-9]+)?")
_CHALLENGE = 'Bearer realm="sesbounce"'


class Access:
    """Checks tokens in the database for each request, so that a revoked one ends at once."""

    def __init__(
        self, engine: sa.Engine, clock: Callable[[], datetime], *, only_loopback: bool
    ) -> None:
        """Make one.

        Args:
            engine: the database.
            clock: tells the time, UTC.
            only_loopback: whether the server listens on the loopback interface alone: then it
                answers without a token, as long as no token was ever made.
        """
        self._engine = engine
        self._clock = clock
        self._only_loopback = only_loopback

    def demand(self, scope: Scope, authorization: str | None, host: str | None) -> str | None:
        """Make sure that a request may do what needs a scope.

        Args:
            scope: the scope.
            authorization: the header of this name.
            host: the header of this name.

        Returns:
            The name of the token; None where none is needed.

        Raises:
            RequestError: the request has no valid token, or the token lacks the scope.
            StoreError: the database can't answer.
        """
        if authorization is None:
            if self._is_open(host):
                return None
            raise _unauthorized("the request has no token: send `Authorization: Bearer TOKEN`")
        kind, _, secret = authorization.partition(" ")
        token = None
        if kind.lower() == _BEARER:
            token = tokens.find(self._engine, secret.strip(), self._clock())
        if token is None:
            raise _unauthorized(
                "the token is not valid: it is unknown, revoked or expired", 'error="invalid_token"'
            )
        if not token.permits(scope):
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                f"the token lacks the scope {scope}: make one that has it with `sesbounce token`",
                headers={"WWW-Authenticate": challenge},
            )
        return token.name

    def _is_open(self, host: str | None) -> bool:
        # A page in a browser on this machine may have a name of its own lead to 127.0.0.1: the
        # header Host then holds that name.
        named = _HOST.fullmatch(host or "")
        if not self._only_loopback or not named or not is_loopback(named[1] or named[2]):
            return False
        return not tokens.any_token(self._engine)


def _unauthorized(problem: str, error: str = "") -> RequestError:
    challenge = f"{_CHALLENGE}, {error}" if error else _CHALLENGE
    return RequestError(HTTPStatus.UNAUTHORIZED, problem, headers={"WWW-Authenticate": challenge})
