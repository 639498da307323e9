"""Passwords of databases that AWS keeps or makes; each new connection asks for one.

So a password that Secrets Manager rotates, or a token of RDS that is valid for minutes, needs no
restart.
"""

import json
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError

from sesbounce.aws.clients import open_client, region_in
from sesbounce.aws.secrets import SecretReference
from sesbounce.database_password import RDS_IAM, Login, PasswordSource
from sesbounce.errors import ConfigurationError, SecretError, StoreError

# The key that RDS gives to the password of a user it manages.
_KEY = "password"
# Signing calls nothing; only boto3's credentials may.
_CONFIG = Config(connect_timeout=5, read_timeout=5)


def open_source(text: str, variable: str) -> PasswordSource:
    """The source that a setting names; it calls AWS when the first connection asks for a password.

    Args:
        text: `rds-iam`, or the ARN of a secret, which may name a key, a label and a version.
        variable: the setting, for error messages.
    """
    return RdsToken() if text == RDS_IAM else Secret(text, variable)


class Secret:
    """A password in Secrets Manager: it is read once, and once more when a login has failed."""

    needs_tls = False

    def __init__(self, text: str, variable: str) -> None:
        self._secret = SecretReference.parse(text)
        self._variable = variable
        self._password: str | None = None
        self._lock = Lock()

    def password(self, login: Login, refused: str | None = None) -> str:  # noqa: ARG002  a port
        """The password.

        Raises:
            StoreError: the secret can't be read, or holds no password.
        """
        with self._lock:
            if self._password is None or self._password == refused:
                self._password = self._read()
            return self._password

    @property
    def advice(self) -> str:
        """What to do where the database refuses the password."""
        return (
            f"{self._variable} names the secret {self._secret.arn}, whose password is not that of "
            "the database's user: correct one of them; the next connection reads the secret"
        )

    def _read(self) -> str:
        try:
            text = self._secret.text()
        except SecretError as error:
            # As a database that can't be used: the next connection reads the secret.
            raise StoreError(f"{self._variable}: {error}") from error
        return self._password_in(text or "")

    def _password_in(self, text: str) -> str:
        """The password in the text of the secret, which is JSON or the password itself."""
        try:
            values: Any = json.loads(text)
        except ValueError:
            values = None
        arn, key, *_ = self._secret
        if not isinstance(values, dict):
            if key:
                raise StoreError(
                    f"{self._variable} names the key {key}, and the secret {arn} holds no JSON "
                    "object: leave out the key, or correct the secret"
                )
            found: Any = text
        else:
            found = values.get(key or _KEY)
        if not isinstance(found, str) or not found:
            what = f"no text under the key {key or _KEY}" if values else "no text"
            raise StoreError(
                f"{self._variable}: the secret {arn} holds {what}: correct the secret, or name the "
                "key of the password (ARN:KEY::)"
            )
        return found


class RdsToken:
    """A token of RDS IAM authentication, which is valid for 15 minutes.

    boto3 signs it with its credentials, and calls nothing.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
    """

    advice = (
        "RDS accepts no token of this role for this user: the instance needs IAM authentication, "
        "the role rds-db:connect on the user, and the user the grant rds_iam (PostgreSQL) or the "
        "plugin AWSAuthenticationPlugin (MySQL, MariaDB)"
    )
    needs_tls = True

    def __init__(self) -> None:
        self._client: Any = None
        self._lock = Lock()

    def password(self, login: Login, refused: str | None = None) -> str:
        """A new token; RDS would also refuse the next one.

        Raises:
            ConfigurationError: the URL names no host or user.
            StoreError: there are no AWS credentials.
        """
        if refused:
            return refused
        if not login.host or not login.user:
            raise ConfigurationError(f"{login.variable} names no host or no user, for {RDS_IAM}")
        try:
            with self._lock:
                self._client = self._client or open_client("rds", _CONFIG, region_in(login.host))
                token: str = self._client.generate_db_auth_token(login.host, login.port, login.user)
        except BotoCoreError as error:
            raise StoreError(
                f"no token for {login.variable} can be signed: {' '.join(str(error).split())}"
            ) from error
        return token
