"""The settings that a question to the database needs, read without pydantic.

To import pydantic takes longer than to answer whether an address may be mailed: so `check` and
`sesbounce.client` read these three environment variables here. `sesbounce.settings` has them too,
and reads them with the functions of this module.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from sesbounce.errors import ConfigurationError
from sesbounce.privacy.keyed_hash import HashKeys

DEFAULT_URL = "sqlite:///sesbounce.sqlite3"
# Somebody might guess a shorter key, and with it the addresses.
_HASH_KEY_LENGTH = 32


class DatabaseSettings(NamedTuple):
    """Where the database is, and how it names the addresses that were forgotten.

    Attributes:
        url: the URL of SQLAlchemy, with the password in it.
        hash_keys: the keys of the hashes that stand for forgotten addresses.
    """

    url: str
    hash_keys: HashKeys


def load_database_settings(environment: Mapping[str, str] = os.environ) -> DatabaseSettings:
    """Read the settings from environment variables; an empty one counts as not set.

    Raises:
        ConfigurationError: a setting is wrong; the message names the variable.
    """
    given = {name.upper(): value for name, value in environment.items() if value}
    url = given.get("SESBOUNCE_DATABASE_URL", DEFAULT_URL)
    try:
        keys = long_enough(split(given.get("SESBOUNCE_HASH_KEY", "")))
    except ValueError as error:
        raise ConfigurationError(f"SESBOUNCE_HASH_KEY: {error}") from None
    return DatabaseSettings(
        with_password(url, given.get("SESBOUNCE_DATABASE_PASSWORD")), HashKeys(keys)
    )


def split(text: str) -> list[str]:
    """The values of a setting that separates them by commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def long_enough(keys: Sequence[str]) -> Sequence[str]:
    """The hash keys.

    Raises:
        ValueError: a key is too short.
    """
    if any(len(key) < _HASH_KEY_LENGTH for key in keys):
        raise ValueError("a key is too short; make one with `openssl rand -hex 32`")
    return keys


def with_password(url: str, password: str | None) -> str:
    """The database's URL, with the password that is kept apart from it."""
    if password is None:
        return url
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        return url  # `open_database` explains what is wrong
    return parsed.set(password=password).render_as_string(hide_password=False)
