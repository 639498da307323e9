"""The settings: environment variables with one prefix, read once and checked at the start."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sesbounce.errors import ConfigurationError
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import HashKeys

PREFIX = "SESBOUNCE_"
_DEFAULT = Policy()
# Shorter ones might be guessed, and with them the addresses.
_HASH_KEY_LENGTH = 32


class Settings(BaseSettings):
    """Every setting of sesbounce; `queue_url` is read from `SESBOUNCE_QUEUE_URL`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    queue_url: str | None = Field(
        default=None, pattern=r"^https?://", description="URL of the SQS queue to drain"
    )
    database_url: str = Field(
        default="sqlite:///sesbounce.sqlite3",
        description="SQLAlchemy URL of the database",
    )
    database_password: SecretStr | None = Field(
        default=None,
        description="password for the database, in place of one in its URL",
    )
    migrate: bool = Field(
        default=True, description="bring the database's schema up to date at the start"
    )
    strike_off_sql: str | None = Field(
        default=None,
        description="SQL that is run for each address that becomes suppressed",
    )
    restore_sql: str | None = Field(
        default=None,
        description="SQL that is run for each address that ceases to be",
    )
    strike_off_database_url: str | None = Field(
        default=None,
        description="URL of another database, in which the two statements are run instead",
    )
    ses_suppression_list: bool = Field(
        default=False, description="keep SES's own suppression list of the account in step"
    )
    webhook_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="HTTPS URL that is told of each address struck off or restored",
    )
    webhook_secret: str | None = Field(
        default=None, min_length=16, description="secret that signs what the webhook gets"
    )
    webhook_insecure: bool = Field(default=False, description="allow a webhook without TLS")
    topic_arns: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="topics whose messages are believed, separated by commas; empty: all",
    )
    verify_signatures: bool = Field(default=False, description="believe only what SNS has signed")
    wait_seconds: int = Field(
        default=20, ge=0, le=20, description="how long one receive waits for messages"
    )
    visibility_seconds: int = Field(
        default=60,
        ge=10,
        le=43200,
        description="how long a message stays invisible to others; extended while it is in hand",
    )
    pollers: int = Field(
        default=8,
        ge=1,
        le=64,
        description="how many receives may run at once; one while the queue is idle",
    )
    batch_size: int = Field(
        default=200, ge=1, le=1000, description="most messages that are committed at once"
    )
    batch_wait_ms: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="how long a batch that is not full waits for more, in milliseconds",
    )
    processes: int = Field(
        default=1, ge=1, le=64, description="how many processes work, for more than one CPU"
    )
    shutdown_seconds: int = Field(
        default=25,
        ge=1,
        le=3600,
        description="by when it has ended after SIGTERM; less than what stops it allows",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port that serves `/metrics` for Prometheus and `/healthz`; empty: none",
    )
    metrics_host: str = Field(default="127.0.0.1", description="address that the port is opened on")
    emf: bool = Field(
        default=False, description="print metrics as lines that CloudWatch reads from the log"
    )
    strikes: int = Field(
        default=_DEFAULT.strikes,
        ge=1,
        le=16,
        description="strikes, with no delivery in between, that suppress an address",
    )
    strike_window_days: int = Field(
        default=_DEFAULT.window.days, ge=1, le=365, description="within how many days"
    )
    probation_days: int = Field(
        default=_DEFAULT.probation.days, ge=1, le=3650, description="for how many days, at first"
    )
    probation_growth: float = Field(
        default=_DEFAULT.probation_growth,
        ge=1,
        le=10,
        description="by what each further probation is longer",
    )
    probation_longest_days: int = Field(
        default=_DEFAULT.probation_longest.days, ge=1, le=3650, description="the longest probation"
    )
    not_attempted_days: int = Field(
        default=_DEFAULT.not_attempted.days,
        ge=1,
        le=3650,
        description="how long an address is suppressed that SES itself refused to try",
    )
    possible_complaint: Literal["strike", "suppress", "ignore"] = Field(
        default=_DEFAULT.possible_complaint,
        description="what a complaint does that names several recipients",
    )
    hash_key: Annotated[list[SecretStr], NoDecode] = Field(
        default=[],
        description="secret that keeps forgotten addresses suppressed, of at least 32 characters; "
        "several separated by commas, the newest first",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="log lines as JSON or text; auto: text on a terminal"
    )
    redact: bool = Field(default=True, description="leave addresses out of the log")

    @field_validator("topic_arns", "hash_key", mode="before")
    @classmethod
    def _split(cls, value: str | list[str]) -> list[str]:
        entries = value.split(",") if isinstance(value, str) else value
        return [entry.strip() for entry in entries if entry.strip()]

    @field_validator("topic_arns")
    @classmethod
    def _are_arns(cls, value: list[str]) -> list[str]:
        if any(not arn.startswith("arn:") for arn in value):
            raise ValueError("every entry should start with arn:")
        return value

    @field_validator("hash_key")
    @classmethod
    def _are_long(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(len(key) < _HASH_KEY_LENGTH for key in value):
            raise ValueError("a key is too short; make one with `openssl rand -hex 32`")
        return value

    @model_validator(mode="after")
    def _webhook_is_safe(self) -> Self:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("SESBOUNCE_WEBHOOK_URL needs SESBOUNCE_WEBHOOK_SECRET beside it")
        if (self.webhook_url or "").startswith("http://") and not self.webhook_insecure:
            raise ValueError(
                "SESBOUNCE_WEBHOOK_URL should begin with https://, or set "
                "SESBOUNCE_WEBHOOK_INSECURE=true"
            )
        return self

    @property
    def database(self) -> str:
        """The database's URL, with the password in it."""
        if self.database_password is None:
            return self.database_url
        # Not above: `sesbounce health` runs every few seconds and needs no database.
        from sqlalchemy import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        try:
            url = make_url(self.database_url)
        except ArgumentError:
            return self.database_url  # whoever opens it says what is wrong
        url = url.set(password=self.database_password.get_secret_value())
        return url.render_as_string(hide_password=False)

    @property
    def hash_keys(self) -> HashKeys:
        """The keys of the hashes that forgotten addresses leave."""
        return HashKeys([key.get_secret_value() for key in self.hash_key])

    @property
    def policy(self) -> Policy:
        """The policy that these settings amount to."""
        return Policy(
            strikes=self.strikes,
            window=timedelta(days=self.strike_window_days),
            probation=timedelta(days=self.probation_days),
            probation_growth=self.probation_growth,
            probation_longest=timedelta(days=self.probation_longest_days),
            not_attempted=timedelta(days=self.not_attempted_days),
            possible_complaint=self.possible_complaint,
        )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: one is missing or wrong; it names the variable and what it should be.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(e) for e in error.errors())) from None


def _explain(error: Any) -> str:
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    return f"{PREFIX}{name.upper()}: {error['msg']}. It is: {field.description}."
