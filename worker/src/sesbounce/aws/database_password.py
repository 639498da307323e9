"""Passwords of databases that AWS keeps or makes; each new connection asks for one.

So a password that Secrets Manager rotates, or a token of RDS that is valid for minutes, needs no
restart.
"""

import json
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text, open_client, region_in
from sesbounce.database_password import RDS_IAM, Login, PasswordSource
from sesbounce.errors import ConfigurationError, StoreError

# As ECS writes it: the ARN of the secret, and then, where they are given, a key of its JSON, the
# label of a version and the id of a version.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
_PARTS_OF_ARN = 7
_KEY = "password"
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=5
)


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
        parts = text.split(":")
        self._arn = ":".join(parts[:_PARTS_OF_ARN])
        self._key, self._label, self._version = (*parts[_PARTS_OF_ARN:], "", "", "")[:3]
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
            f"{self._variable} names the secret {self._arn}, whose password is not that of the "
            "database's user: correct one of them; the next connection reads the secret"
        )

    def _read(self) -> str:
        wanted = {"VersionStage": self._label, "VersionId": self._version}
        try:
            client = open_client("secretsmanager", _CONFIG, region_in(self._arn))
            answer = client.get_secret_value(
                SecretId=self._arn, **{name: value for name, value in wanted.items() if value}
            )
        except ClientError as error:
            raise StoreError(
                f"{self._variable}: Secrets Manager rejects the call for {self._arn}: "
                f"{error_text(error)}. The role needs secretsmanager:GetSecretValue on the secret, "
                "and kms:Decrypt where a key of yours encrypts it"
            ) from error
        except BotoCoreError as error:
            raise StoreError(
                f"{self._variable}: the secret {self._arn} can't be read: {_line(error)}"
            ) from error
        return self._password_in(answer.get("SecretString") or "")

    def _password_in(self, text: str) -> str:
        """The password in the text of the secret, which is JSON or the password itself."""
        try:
            values: Any = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            if self._key:
                raise StoreError(
                    f"{self._variable} names the key {self._key}, and the secret {self._arn} holds "
                    "no JSON object: leave out the key, or correct the secret"
                )
            found: Any = text
        else:
            found = values.get(self._key or _KEY)
        if not isinstance(found, str) or not found:
            what = f"no text under the key {self._key or _KEY}" if values else "no text"
            raise StoreError(
                f"{self._variable}: the secret {self._arn} holds {what}: correct the secret, or "
                "name the key of the password (ARN:KEY::)"
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
                f"no token for {login.variable} can be signed: {_line(error)}"
            ) from error
        return token


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
