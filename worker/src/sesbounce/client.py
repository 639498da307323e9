"""For the code that sends mail: may I mail these addresses?

from sesbounce.client import may_mail

allowed = may_mail(["jane@example.com", "Mary <mary@example.com>"])
# {"jane@example.com": False, "Mary <mary@example.com>": True}
"""

import atexit
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sesbounce.database_password import PasswordSource
from sesbounce.database_settings import load_database_settings
from sesbounce.feedback.address import Address, as_list, parse
from sesbounce.policy.answer import Answer
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Lookup

if TYPE_CHECKING:
    from sesbounce.policy.gate import SendingAnswer

__all__ = ["Address", "Answer", "answers", "close", "may_mail", "may_send", "parse"]

# One engine, and so one pool of connections, for each URL. That of another process stays unused and
# open: it has forked this one, which may neither use its connections nor close them.
_engines: dict[tuple[str, bool, int], sa.Engine] = {}


def may_mail(
    addresses: Iterable[str],
    database: str | sa.Engine | None = None,
    stream: str | None = None,
) -> dict[str, bool]:
    """Whether each address may be mailed now, with one query for each 1,000 addresses.

    Args:
        addresses: in any spelling, with or without a display name.
        database: an engine, a database URL, or None for `SESBOUNCE_DATABASE_URL`. The connections
            to a URL stay open until `close`, or the end of the process.
        stream: the stream of the mail, as `SESBOUNCE_STREAM_BY` says. An address may be mailed in
            it if it is suppressed neither in all streams nor in this one. Without it, an address
            that is suppressed in any stream may not be mailed.

    Returns:
        True or False by address, in the spelling that was given. A text that is not an address
        may not be mailed.

    Raises:
        TypeError: `addresses` is one address, a dict, or holds what is no text.
        StoreError: the database can't answer.
        ConfigurationError: the text is not a database URL, or a setting is wrong or missing.
    """
    return _lookup(database).may_mail(as_list(addresses), datetime.now(UTC), stream)


def answers(
    addresses: Iterable[str],
    database: str | sa.Engine | None = None,
    stream: str | None = None,
) -> dict[str, Answer]:
    """Answer as `may_mail` does, with the reason, the times and the verdict in one sentence."""
    return _lookup(database).answers(as_list(addresses), datetime.now(UTC), stream)


def may_send(
    identity: str | None = None,
    database: str | sa.Engine | None = None,
    stream: str | None = None,
) -> "SendingAnswer":
    """Whether mail may be sent, by the sender's rates of hard bounces and complaints.

    Args:
        identity: the address or domain that the mail is from; None for all senders.
        database: as for `may_mail`.
        stream: the stream of the mail; `critical` passes a stop.

    Returns:
        The answer, whose `may_send` is None where the counts can't tell.

    Raises:
        StoreError: the database can't answer.
        ConfigurationError: the text is not a database URL, or a setting is wrong or missing.
    """
    from sesbounce.store import gate  # noqa: PLC0415  few programs ask

    return gate.may_send(_engine(database), datetime.now(UTC), identity, stream)


def close() -> None:
    """Close all connections that this module has opened; the next call opens new ones."""
    for key in [key for key in list(_engines) if key[-1] == os.getpid()]:
        if engine := _engines.pop(key, None):
            engine.dispose()


atexit.register(close)


def _lookup(database: str | sa.Engine | None) -> Lookup:
    return Lookup(_engine(database), load_database_settings().hash_keys)


def _engine(database: str | sa.Engine | None) -> sa.Engine:
    if isinstance(database, sa.Engine):
        return database
    settings = load_database_settings()
    return _open(database) if database else _open(settings.url, settings.passwords)


def _open(url: str, passwords: PasswordSource | None = None) -> sa.Engine:
    # The same URL without a source of passwords is another way to log in.
    key = (url, passwords is not None, os.getpid())
    engine = _engines.get(key)
    if engine is None:
        # Of two threads that come here at once, the second one uses the engine of the first.
        engine = _engines.setdefault(key, open_database(url, read_only=True, passwords=passwords))
    return engine
