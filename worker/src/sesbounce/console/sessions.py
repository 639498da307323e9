"""Sessions: a cookie that stands for a token, for some hours.

The cookie holds the token, encrypted by a secret of the server. So each request looks the token up
as those of the API do: one that is revoked or has expired ends its sessions at once, and no table
of sessions is needed. A table holds those that a person has ended, so that a copy of the cookie
is of no use at another process either. Who reads the database can't make up a session, since the
database holds only the SHA-256 of a token; who learns the secret of the server can't either,
without a token.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from sesbounce.console.sealing import Sealer
from sesbounce.store import ended_sessions

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
# The cookie is renewed at most so often.
_RENEWED = timedelta(minutes=1)
# A browser accepts the prefix only with Secure, for this host and all paths (RFC 6265bis, 4.1.3).
_SECURE_NAME = "__Host-sesbounce"
# On http://127.0.0.1 some browsers keep no cookie that is Secure.
_PLAIN_NAME = "sesbounce"


class Session(msgspec.Struct, frozen=True):
    """One session.

    Attributes:
        token: the token.
        began: when the person logged in, UTC.
        number: random; tells sessions apart.
    """

    token: str
    began: datetime
    number: str


class Sessions:
    """Begins sessions, reads them out of cookies, and ends them."""

    def __init__(
        self, keys: Sequence[str], clock: Callable[[], datetime], engine: sa.Engine
    ) -> None:
        """Make one.

        Args:
            keys: the secret keys of the server; see `Sealer`.
            clock: tells the time, UTC.
            engine: the database.
        """
        self._sealer = Sealer(keys, "session", clock, IDLE)
        self._clock = clock
        self._engine = engine

    def begin(self, token: str) -> Session:
        """Begin a session for a token that is valid."""
        return Session(token, self._clock(), secrets.token_hex(16))

    def read(self, cookies: Mapping[str, str], *, secure: bool) -> tuple[Session, bool] | None:
        """The session of a request, and whether its cookie is to be renewed.

        None where there is none, it was idle for too long, or went on for too long. It does not ask
        the database: see `has_ended`.
        """
        opened = self._sealer.open(cookies.get(_name(secure), ""), Session)
        if not opened:
            return None
        session, sealed_at = opened
        if session.began + LONGEST <= self._clock():
            return None
        return session, self._clock() - sealed_at >= _RENEWED

    def end(self, session: Session) -> None:
        """End a session, so that a copy of its cookie is of no use in any process.

        Raises:
            StoreError: the database can't be used.
        """
        oldest = self._clock() - LONGEST
        ended_sessions.end(self._engine, session.number, session.began, oldest)

    def has_ended(self, session: Session) -> bool:
        """Whether a person has ended a session, in this process or in another one.

        Raises:
            StoreError: the database can't be used.
        """
        return ended_sessions.has_ended(self._engine, session.number)

    def give(self, response: Response, session: Session, *, secure: bool) -> None:
        """Have the browser keep a session, until the browser ends."""
        set_cookie(response, _name(secure), self._sealer.seal(session), secure=secure)


def take(response: Response, *, secure: bool) -> None:
    """Have the browser delete the cookie of a session."""
    set_cookie(response, _name(secure), "", secure=secure, seconds=0)


def set_cookie(
    response: Response, name: str, value: str, *, secure: bool, seconds: int | None = None
) -> None:
    """Set a cookie that no script and no other site can use."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
    )


def _name(secure: bool) -> str:
    return _SECURE_NAME if secure else _PLAIN_NAME
