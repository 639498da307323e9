"""The settings that say where the queues, the databases and the webhooks are."""

from typing import Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from sesbounce.database_password import PasswordSource, check_source
from sesbounce.database_settings import DEFAULT_URL, password_source, with_password
from sesbounce.errors import ConfigurationError
from sesbounce.webhook_settings import ONLY, Endpoint, check_url, read_endpoints, signing_keys


class ConnectionSettings(BaseModel):
    """What the worker connects to, and what it changes there."""

    queue_url: str | None = Field(
        default=None,
        description="URL of the SQS queue that the worker drains (`terraform output queue_url`)",
    )
    dead_letter_queue_url: str | None = Field(
        default=None,
        description="URL of the queue's dead-letter queue: the worker counts its messages every "
        "five minutes for the console, and needs `sqs:GetQueueAttributes` on it; without it, the "
        "console does not know them",
    )
    database_url: SecretStr = Field(
        default=SecretStr(DEFAULT_URL),
        description="SQLAlchemy URL of the database: SQLite, PostgreSQL 15+ (`postgresql://…`), "
        "MySQL 8 or MariaDB 10.11+ (`mysql://…`)",
    )
    database_password: SecretStr | None = Field(
        default=None,
        description="password of the database, where its URL holds none",
    )
    database_password_from: str | None = Field(
        default=None,
        description="where each new connection gets the password: the ARN of a secret in Secrets "
        "Manager (`ARN:KEY::` for one key of a JSON secret; default `password`), or `rds-iam` for "
        "RDS IAM authentication",
    )
    migrate: bool = Field(
        default=True,
        description="whether the worker creates its tables and brings them up to date when it "
        "starts; in a database that holds other tables, it creates them only if you set this, or "
        "a statement for those tables",
    )
    strike_off_sql: str | None = Field(
        default=None,
        description="SQL statement that sesbounce runs for each address that becomes suppressed; "
        "a JSON list holds several",
    )
    restore_sql: str | None = Field(
        default=None,
        description="SQL statement that sesbounce runs for each address that is released; a JSON "
        "list holds several",
    )
    strike_off_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="number of seconds that one transaction spends on these statements; the "
        "database stops a statement that takes longer, and the worker runs the rest later",
    )
    strike_off_database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of another database, in which the worker runs the statements",
    )
    strike_off_database_password_from: str | None = Field(
        default=None,
        description="where each new connection to that database gets the password; the same values "
        "as for SESBOUNCE_DATABASE_PASSWORD_FROM",
    )
    ses_suppression_list: bool = Field(
        default=False,
        description="whether the worker puts addresses that are suppressed for good on SES's "
        "account suppression list, and takes them off when they are allowed",
    )
    webhook_url: SecretStr | None = Field(
        default=None,
        description="HTTPS URL to which the worker posts each address to strike off or to restore",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="secret with which the worker signs what it posts: `whsec_` and base64, or a "
        "text of at least 16 characters; commas separate several, the newest first",
    )
    webhooks: SecretStr | None = Field(
        default=None,
        description="several webhooks: a JSON object that holds, by names of your choice, the "
        "`url` of each and maybe its `types` and `reasons` (docs/webhooks.md)",
    )
    webhook_secrets: SecretStr | None = Field(
        default=None,
        description="secrets of these webhooks: a JSON object by the same names, whose values are "
        "as for SESBOUNCE_WEBHOOK_SECRET",
    )
    webhook_insecure: bool = Field(
        default=False, description="whether the URL of a webhook may begin with `http://`"
    )

    @field_validator("queue_url", "dead_letter_queue_url", "webhook_url")
    @classmethod
    def _is_url(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        if value and not _text(value).startswith(("http://", "https://")):
            raise ValueError("the value must begin with https://")
        return value

    @field_validator("database_password_from", "strike_off_database_password_from")
    @classmethod
    def _is_source(cls, value: str | None) -> str | None:
        return check_source(value) if value else value

    @field_validator("webhook_secret")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            signing_keys(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _webhooks_are_safe(self) -> Self:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("SESBOUNCE_WEBHOOK_URL needs SESBOUNCE_WEBHOOK_SECRET beside it")
        for endpoint in self.endpoints:
            check_url(endpoint, insecure=self.webhook_insecure)
        return self

    @model_validator(mode="after")
    def _password_is_of_a_database(self) -> Self:
        if self.strike_off_database_password_from and not self.strike_off_database_url:
            raise ValueError(
                "SESBOUNCE_STRIKE_OFF_DATABASE_PASSWORD_FROM needs "
                "SESBOUNCE_STRIKE_OFF_DATABASE_URL beside it"
            )
        return self

    @model_validator(mode="after")
    def _other_database_has_statements(self) -> Self:
        if self.strike_off_database_url and not (self.strike_off_sql or self.restore_sql):
            raise ValueError(
                "SESBOUNCE_STRIKE_OFF_DATABASE_URL needs SESBOUNCE_STRIKE_OFF_SQL or "
                "SESBOUNCE_RESTORE_SQL beside it"
            )
        return self

    @property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints of the webhooks."""
        several = read_endpoints(_text(self.webhooks or ""), _text(self.webhook_secrets or ""))
        if not (self.webhook_url and self.webhook_secret):
            return several
        keys = signing_keys(_text(self.webhook_secret))
        return [Endpoint(ONLY, _text(self.webhook_url), keys), *several]

    @property
    def queue(self) -> str:
        """The URL of the queue that the worker drains.

        Raises:
            ConfigurationError: SESBOUNCE_QUEUE_URL is not set.
        """
        if not self.queue_url:
            raise ConfigurationError(
                "SESBOUNCE_QUEUE_URL is not set: set it to the URL of the SQS queue, which "
                "Terraform prints as the output queue_url"
            )
        return self.queue_url

    @property
    def database(self) -> str:
        """The database's URL, with the password in it.

        Raises:
            ConfigurationError: two settings contradict each other.
        """
        password = self.database_password
        return with_password(
            self.database_url.get_secret_value(),
            password.get_secret_value() if password else None,
        )

    @property
    def passwords(self) -> PasswordSource | None:
        """Where each connection to the database gets its password, if its URL holds none.

        Raises:
            ConfigurationError: two settings contradict each other.
        """
        return password_source(self.database_password_from, self.database)

    @property
    def strike_off_passwords(self) -> PasswordSource | None:
        """Where each connection to the strike-off database gets its password.

        Raises:
            ConfigurationError: two settings contradict each other.
        """
        url = self.strike_off_database_url
        return password_source(
            self.strike_off_database_password_from,
            url.get_secret_value() if url else "",
            "STRIKE_OFF_DATABASE",
        )

    @property
    def migrate_is_set(self) -> bool:
        """Whether SESBOUNCE_MIGRATE is set, instead of left at its default."""
        return "migrate" in self.model_fields_set


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
