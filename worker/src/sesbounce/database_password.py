"""Where the password of a database comes from, if the settings do not hold it.

`sesbounce.aws.database_password` has the sources; to import it takes long.
"""

import re
from typing import NamedTuple, Protocol

RDS_IAM = "rds-iam"
_SECRET = re.compile(
    r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:]*){0,3}"
)


class Login(NamedTuple):
    """Where a connection logs in.

    Attributes:
        host: the host of the database.
        port: its port.
        user: the name of the database's user.
        variable: the setting that holds the URL, for error messages.
    """

    host: str
    port: int
    user: str
    variable: str


class PasswordSource(Protocol):
    """A place that knows the password of a database at the moment.

    Attributes:
        advice: what to do where the database refuses the password, for error messages.
        needs_tls: whether the password must not be sent without TLS.
    """

    @property
    def advice(self) -> str: ...  # noqa: D102  an attribute

    @property
    def needs_tls(self) -> bool: ...  # noqa: D102  an attribute

    def password(self, login: Login, refused: str | None = None) -> str:
        """The password.

        Args:
            login: where the connection logs in.
            refused: the password with which a connection has just failed; the source then looks
                for a newer one, and returns this one if there is none.

        Raises:
            StoreError: there is no password at the moment.
        """


def check_source(text: str) -> str:
    """The value of a setting that names a source.

    Raises:
        ValueError: it names none.
    """
    if text != RDS_IAM and not _SECRET.fullmatch(text):
        raise ValueError(
            f"the value must be {RDS_IAM}, or the ARN of a secret in Secrets Manager, "
            "ARN:KEY:: for one key of a JSON secret"
        )
    return text
