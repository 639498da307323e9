"""The settings that a question to the database needs, read without pydantic.

To import pydantic takes longer than to answer whether an address may be mailed: so `check` and
`sesbounce.client` read these environment variables here. `sesbounce.settings` has them too, and
reads them with the functions of this module.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from sesbounce.database_password import PasswordSource, check_source
from sesbounce.errors import ConfigurationError
from sesbounce.extras import needed_by
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.variables import bare, check_names

DEFAULT_URL = "sqlite:///sesbounce.sqlite3"
# Somebody might guess a shorter key, and with it the addresses.
_HASH_KEY_LENGTH = 32
_NAMES = (
    "SESBOUNCE_DATABASE_URL",
    "SESBOUNCE_DATABASE_PASSWORD",
    "SESBOUNCE_DATABASE_PASSWORD_FROM",
    "SESBOUNCE_HASH_KEY",
)


class DatabaseSettings(NamedTuple):
    """Where the database is, and how it names the addresses that were forgotten.

    Attributes:
        url: the URL of SQLAlchemy, with the password in it.
        hash_keys: the keys of the hashes that stand for forgotten addresses.
        passwords: where each connection gets its password, if the URL holds none.
    """

    url: str
    hash_keys: HashKeys
    passwords: PasswordSource | None


def load_database_settings() -> DatabaseSettings:
    """Read the settings from environment variables; an empty one counts as not set.

    Raises:
        ConfigurationError: a setting is wrong; the message names the variable.
    """
    check_names(os.environ)
    values = {name: os.environ.get(name, "") for name in _NAMES}
    given = {name: _bare(name, value) for name, value in values.items() if value.strip()}
    url = given.get("SESBOUNCE_DATABASE_URL", DEFAULT_URL)
    try:
        keys = long_enough(split(given.get("SESBOUNCE_HASH_KEY", "")))
    except ValueError as error:
        raise ConfigurationError(f"SESBOUNCE_HASH_KEY: {error}") from None
    url = with_password(url, given.get("SESBOUNCE_DATABASE_PASSWORD"))
    source = given.get("SESBOUNCE_DATABASE_PASSWORD_FROM")
    try:
        if source:
            check_source(source)
    except ValueError as error:
        raise ConfigurationError(f"SESBOUNCE_DATABASE_PASSWORD_FROM: {error}") from None
    return DatabaseSettings(url, HashKeys(keys), password_source(source, url))


def _bare(name: str, value: str) -> str:
    try:
        return bare(value, secret=name.endswith("_PASSWORD"))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def split(text: str) -> list[str]:
    """The values of a setting that separates them by commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def long_enough(keys: Sequence[str]) -> Sequence[str]:
    """The secret keys of a setting.

    Raises:
        ValueError: a key is too short.
    """
    if any(len(key) < _HASH_KEY_LENGTH for key in keys):
        raise ValueError("a key is too short; make one with `openssl rand -hex 32`")
    return keys


def with_password(url: str, password: str | None) -> str:
    """The database's URL, with the password that is kept apart from it.

    Raises:
        ConfigurationError: the URL holds another password, or its database has none.
    """
    if password is None:
        return url
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        return url  # `open_database` explains what is wrong
    if parsed.drivername.startswith("sqlite"):
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_PASSWORD is set, but SQLite has no passwords: set "
            "SESBOUNCE_DATABASE_URL to the URL of your server, or unset the password"
        )
    if parsed.password not in (None, "", password):
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_URL and SESBOUNCE_DATABASE_PASSWORD hold two different passwords: "
            "remove the one in the URL"
        )
    return parsed.set(password=password).render_as_string(hide_password=False)


def password_source(text: str | None, url: str, of: str = "DATABASE") -> PasswordSource | None:
    """The source that a setting names; None where it is not set.

    Args:
        text: the value of the setting.
        url: the URL of the database.
        of: the name of both settings without what they have in common.

    Raises:
        ConfigurationError: the URL holds a password as well, or its database has none.
    """
    if text is None:
        return None
    variable = f"SESBOUNCE_{of}_PASSWORD_FROM"
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        return None  # `open_database` explains what is wrong
    if parsed.drivername.startswith("sqlite"):
        raise ConfigurationError(
            f"{variable} is set, but SQLite has no passwords: set SESBOUNCE_{of}_URL to the URL of "
            f"your server, or unset {variable}"
        )
    if parsed.password:
        raise ConfigurationError(
            f"{variable} is set, and the URL in SESBOUNCE_{of}_URL holds a password as well"
            f"{' (or SESBOUNCE_DATABASE_PASSWORD)' if of == 'DATABASE' else ''}: remove one of them"
        )
    with needed_by(variable):
        from sesbounce.aws.database_password import open_source  # noqa: PLC0415  it imports boto3

    return open_source(text, variable)
