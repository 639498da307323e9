"""For the code that sends mail: may I mail these addresses?

from sesbounce.client import may_mail

allowed = may_mail(["jane@example.com", "Mary <mary@example.com>"])
# {"jane@example.com": False, "Mary <mary@example.com>": True}
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa

from sesbounce.database_settings import load_database_settings
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Answer, Lookup

__all__ = ["Answer", "answers", "may_mail"]


def may_mail(addresses: Iterable[str], database: str | sa.Engine | None = None) -> dict[str, bool]:
    """Whether each address may be mailed now; one query for every thousand of them.

    Args:
        addresses: written in any way, with or without a display name.
        database: an engine, a database URL, or None for `SESBOUNCE_DATABASE_URL`.

    Returns:
        True or False by address, as it was written. What is no address may not be mailed.

    Raises:
        TypeError: `addresses` is one address, a dict, or holds what is no text.
        StoreError: the database can't answer.
        ConfigurationError: the URL is none, or a setting is wrong or missing.
    """
    return {address: answer.may_mail for address, answer in answers(addresses, database).items()}


def answers(addresses: Iterable[str], database: str | sa.Engine | None = None) -> dict[str, Answer]:
    """The same, with the reason, since when, until when, and the why in one sentence."""
    engine = database if isinstance(database, sa.Engine) else _engine(database)
    return Lookup(engine, load_database_settings().hash_keys).may_mail(
        _addresses(addresses), datetime.now(UTC)
    )


def _addresses(given: Iterable[str]) -> list[str]:
    """The addresses, of which a caller without type checks may have passed something else.

    One text would be taken for a list of letters, each of which is no address.
    """
    kind = type(given).__name__
    if isinstance(given, str | bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"pass a list of addresses, may_mail([address]); this is one {kind}")
    addresses = list(given)
    for number, address in enumerate(addresses, 1):
        if not isinstance(address, str):
            raise TypeError(
                f"pass a list of addresses, each a str; number {number} is a "
                f"{type(address).__name__}"
            )
    return addresses


@lru_cache(maxsize=8)
def _engine(url: str | None) -> sa.Engine:
    """One engine, and so one pool of connections, for each URL."""
    return open_database(url or load_database_settings().url, read_only=True)
