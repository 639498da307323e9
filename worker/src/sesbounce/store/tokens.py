"""The table of the tokens of the HTTP API: it holds their SHA-256, and never a token itself."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from sesbounce.errors import TokenError
from sesbounce.oidc_settings import Scope as Scope  # noqa: PLC0414  others take it from here
from sesbounce.store import schema
from sesbounce.store.driver_errors import is_locked
from sesbounce.store.engine import answering, translated, write

_table = schema.token
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# The prefix lets secret scanners and people recognise a token.
_PREFIX = "sesbounce_"
_TOKEN = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}")
_BYTES = 32


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token, without the secret.

    Attributes:
        name: the name by which people know it.
        scopes: what it permits.
        created_at: when it was made, UTC.
        created_by: the person who made it.
        expires_at: when it ends, UTC; None where it has no end.
        revoked_at: when a person revoked it, UTC; None where nobody has.
        revoked_by: the person who revoked it; None where the database does not record that.
        last_used_on: the last day of a request with it, UTC; None where there was none.
    """

    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_on: date | None = None

    def is_valid_at(self, now: datetime) -> bool:
        """Whether requests with this token are answered at a time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def permits(self, scope: Scope) -> bool:
        """Whether it has a scope; `admin` includes all others."""
        return permits(self.scopes, scope)


def permits(scopes: Collection[Scope], scope: Scope) -> bool:
    """Whether a scope is among some others; `admin` includes all."""
    return scope in scopes or Scope.ADMIN in scopes


def create(engine: sa.Engine, token: Token) -> str:
    """Record a new token, and return its secret text, which the database does not hold.

    Raises:
        TokenError: the name is no name for a token, or is taken; or the token has no scope.
        StoreError: the database can't be used.
    """
    if not _NAME.fullmatch(token.name):
        raise TokenError(
            f"{token.name!r} is no name for a token: use at most 64 lower-case letters, digits, "
            "dots, hyphens and underscores, and begin with a letter or a digit"
        )
    if not token.scopes:
        raise TokenError("a token without a scope permits nothing: give it at least one")
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    values = msgspec.structs.asdict(token)
    values |= {"hash": digest(secret), "scopes": " ".join(sorted(set(token.scopes)))}
    with translated("the token was not recorded"), write(engine) as connection:
        taken = sa.select(_table.c.name).where(_table.c.name == token.name)
        if connection.scalar(taken) is not None:
            raise TokenError(
                f"there is a token {token.name} already: choose another name; "
                "`sesbounce token list` prints all"
            )
        connection.execute(sa.insert(_table).values(values))
    return secret


def revoke(engine: sa.Engine, names: Collection[str], now: datetime, by: str) -> list[Token]:
    """Revoke tokens, and return them; one that is revoked already keeps its time and person.

    Raises:
        TokenError: there is no token of one of the names; none is revoked then.
        StoreError: the database can't be used.
    """
    with translated("the tokens were not revoked"), write(engine) as connection:
        chosen = _table.c.name.in_(names)
        found = set(connection.scalars(sa.select(_table.c.name).where(chosen)))
        if missing := sorted(set(names) - found):
            raise TokenError(
                f"there is no token {missing[0]}, and none is revoked: `sesbounce token list` "
                "prints all"
            )
        valid = _table.c.revoked_at.is_(None)
        connection.execute(
            sa.update(_table).where(chosen, valid).values(revoked_at=now, revoked_by=by)
        )
        return _read(connection, sa.select(_table).where(chosen))


def all_tokens(engine: sa.Engine) -> list[Token]:
    """All tokens by name, also those that are revoked or have expired."""
    with answering("the tokens can't be read"), engine.connect() as connection:
        return _read(connection, sa.select(_table))


def any_token(engine: sa.Engine) -> bool:
    """Whether there is a token, valid or not."""
    with answering("the tokens can't be read"), engine.connect() as connection:
        return connection.scalar(sa.select(_table.c.name).limit(1)) is not None


def find(engine: sa.Engine, secret: str, now: datetime) -> Token | None:
    """The token with this secret text; None if no valid one has it."""
    if not _TOKEN.fullmatch(secret):
        return None
    query = sa.select(_table).where(_table.c.hash == digest(secret))
    with answering("the tokens can't be read"), engine.connect() as connection:
        found = _read(connection, query)
    return next((token for token in found if token.is_valid_at(now)), None)


def note_use(engine: sa.Engine, name: str, day: date) -> bool:
    """Record that a request came with a token on a day, unless one was recorded then or later.

    The request waits for the answer, so this waits for no other transaction.

    Returns:
        Whether that is done; False if another transaction writes to SQLite at this moment.

    Raises:
        StoreError: the database can't be used.
    """
    last = _table.c.last_used_on
    earlier = sa.or_(last.is_(None), last < day)
    own = _table.c.name == name
    free = sa.select(_table.c.name).where(own, earlier).with_for_update(skip_locked=True)
    with translated("the use of the token was not recorded"):
        try:
            with write(engine, wait=False) as connection:
                # Who has locked the row records the same, or revokes the token.
                if connection.scalar(free) is not None:
                    connection.execute(sa.update(_table).where(own).values(last_used_on=day))
        except OperationalError as error:
            if is_locked(error):
                return False
            raise
    return True


def digest(secret: str) -> str:
    """What the table holds instead of a token.

    A token has 256 random bits, so nobody can guess it from its SHA-256.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(connection: sa.Connection, query: sa.Select[Any]) -> list[Token]:
    return [
        Token(
            name=row.name,
            # A newer version may have made tokens with scopes that this one does not know.
            scopes=tuple(Scope(scope) for scope in row.scopes.split() if scope in _KNOWN),
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            revoked_by=row.revoked_by,
            last_used_on=row.last_used_on,
        )
        for row in connection.execute(query.order_by(_table.c.name))
    ]


_KNOWN = frozenset(scope.value for scope in Scope)
