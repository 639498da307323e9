"""The settings: environment variables with one prefix, read and checked once, at the start."""

import os
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sesbounce.database_password import PasswordSource, check_source
from sesbounce.database_settings import (
    DEFAULT_URL,
    long_enough,
    password_source,
    split,
    with_password,
)
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.attribution import MOST_TAGS
from sesbounce.feedback.stream import StreamBy, read_stream_by
from sesbounce.feedback.tags import TAG_NAME
from sesbounce.oidc_settings import DEFAULT_SCOPES, LoadBalancer, read_load_balancer
from sesbounce.policy.outage import Detection
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.variables import PREFIX, bare, check_names, is_service_url
from sesbounce.webhook_settings import ONLY, Endpoint, check_url, read_endpoints, signing_keys

__all__ = ["PREFIX", "Settings", "load_settings"]

_DEFAULT = Policy()
_DETECTION = Detection()


class Settings(BaseSettings):
    """Every setting of sesbounce; `queue_url` is read from `SESBOUNCE_QUEUE_URL`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

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
    topic_arns: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="ARNs of the SNS topics whose messages the worker accepts, separated by "
        "commas; empty accepts all topics",
    )
    verify_signatures: bool = Field(
        default=False, description="whether the worker accepts only messages that SNS has signed"
    )
    tags: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="names of the message tags that sesbounce keeps with each event, separated by "
        "commas, at most 10; SES's own (`ses:from-domain`) may be among them",
    )
    wait_seconds: int = Field(
        default=20, ge=0, le=20, description="seconds that one receive waits for messages"
    )
    visibility_seconds: int = Field(
        default=60,
        ge=10,
        le=43200,
        description="seconds that a received message stays invisible to other workers; the worker "
        "extends them while the message is in flight",
    )
    pollers: int = Field(
        default=12,
        ge=1,
        le=64,
        description="number of receives that may run at once; one runs while the queue is idle",
    )
    sqs_direct: bool = Field(
        default=True,
        description="whether the worker receives, deletes and returns messages by requests of its "
        "own, for a fraction of boto3's CPU time; false makes boto3 send every request",
    )
    batch_size: int = Field(
        default=200, ge=1, le=1000, description="number of messages that one commit takes at most"
    )
    batch_wait_ms: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="milliseconds that a batch with room left waits for more messages",
    )
    processes: int = Field(
        default=1, ge=1, le=64, description="number of worker processes; each uses one CPU"
    )
    shutdown_seconds: int = Field(
        default=25,
        ge=1,
        le=3600,
        description="seconds from SIGTERM to exit; keep it below the container's stop timeout",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port on which the worker serves `/metrics` for Prometheus and `/healthz`; "
        "empty opens no port",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="IP address on which the worker opens that port"
    )
    serve_host: str = Field(
        default="127.0.0.1",
        description="IP address on which `sesbounce serve` listens; one that other machines reach "
        "needs a token or a load balancer that authenticates (docs/api.md)",
    )
    serve_port: int = Field(
        default=8080, ge=1, le=65535, description="port on which `sesbounce serve` listens"
    )
    serve_rate: float = Field(
        default=100.0,
        gt=0,
        le=1_000_000,
        description="number of requests that `sesbounce serve` answers in a second for one "
        "token or person, on average; ten seconds' worth may come at once",
    )
    serve_oidc_load_balancer: str | None = Field(
        default=None,
        description="ARN of the Application Load Balancer whose header `x-amzn-oidc-data` tells "
        "`sesbounce serve` which person asks (docs/api.md)",
    )
    serve_oidc_issuer: str | None = Field(
        default=None,
        description="issuer in the authenticate action of that load balancer's listener",
    )
    serve_oidc_client: str | None = Field(default=None, description="client id in that action")
    serve_oidc_scopes: str = Field(
        default=DEFAULT_SCOPES,
        description="scopes of every person whom that load balancer lets in, separated by commas; "
        "`none` for no scope",
    )
    serve_oidc_grants: str | None = Field(
        default=None,
        description="further scopes of some people: a JSON object with lists of scopes by "
        "`CLAIM=VALUE`",
    )
    serve_console: bool = Field(
        default=False,
        description="whether `sesbounce serve` serves the console (docs/console.md) as well",
    )
    serve_secret: Annotated[list[SecretStr], NoDecode] = Field(
        default=[],
        description="secret of at least 32 characters that encrypts the sessions and links of the "
        "console; commas separate several, the newest first; empty: each process makes its own, "
        "and people log in once more after it starts",
    )
    emf: bool = Field(
        default=False,
        description="whether the worker prints lines from which CloudWatch makes metrics (EMF)",
    )
    emf_metrics: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="names of the metrics that CloudWatch makes from these lines, separated by "
        "commas; empty means all, and those by reason and kind",
    )
    strikes: int = Field(
        default=_DEFAULT.strikes,
        ge=1,
        le=16,
        description="number of strikes, with no delivery in between, that suppress an address; the "
        "failing mails of one day (UTC) are one strike",
    )
    strike_window_days: int = Field(
        default=_DEFAULT.window.days,
        ge=1,
        le=365,
        description="number of days within which the strikes must fall; one strike within as many "
        "days after a probation begins the next one",
    )
    probation_days: int = Field(
        default=_DEFAULT.probation.days,
        ge=1,
        le=3650,
        description="number of days for which strikes suppress an address the first time",
    )
    probation_growth: float = Field(
        default=_DEFAULT.probation_growth,
        ge=1,
        le=10,
        description="factor by which each further probation of an address is longer",
    )
    probation_longest_days: int = Field(
        default=_DEFAULT.probation_longest.days,
        ge=1,
        le=3650,
        description="number of days that a probation lasts at most",
    )
    not_attempted_days: int = Field(
        default=_DEFAULT.not_attempted.days,
        ge=1,
        le=3650,
        description="number of days for which sesbounce suppresses an address that SES did not try",
    )
    possible_complaint: Literal["strike", "suppress", "ignore"] = Field(
        default=_DEFAULT.possible_complaint,
        description="what a complaint does to each recipient when it names several: `strike`, "
        "`suppress` or `ignore`",
    )
    stream_by: str = Field(
        default="none",
        description="what divides your mail into streams, to which complaints and opt-outs are "
        "limited: `none`, `configuration-set`, `tenant`, `topic` or `tag:NAME`",
    )
    incidents: Literal["off", "warn", "hold"] = Field(
        default="hold",
        description="what the worker does when hard bounces show the outage of a provider: with "
        "`hold` those of addresses with an earlier delivery count as strikes, with `warn` the "
        "worker only reports it, with `off` it looks for none; without Delivery events, `hold` "
        "does what `warn` does",
    )
    incident_addresses: int = Field(
        default=_DETECTION.addresses,
        ge=2,
        le=1_000_000,
        description="number of addresses at one provider that must bounce hard within an hour, "
        "before the worker suspects an outage",
    )
    incident_times: float = Field(
        default=_DETECTION.times,
        gt=1,
        le=1000,
        description="factor by which hard bounces must be more frequent in that hour than in the "
        "14 days before",
    )
    hash_key: Annotated[list[SecretStr], NoDecode] = Field(
        default=[],
        description="secret of at least 32 characters that keeps forgotten addresses suppressed; "
        "commas separate several, the newest first",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="format of log lines, `json` or `text`; auto is text on a terminal, else JSON",
    )
    redact: bool = Field(
        default=True, description="whether the worker leaves e-mail addresses out of its log"
    )

    @model_validator(mode="before")
    @classmethod
    def _are_set(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The settings that hold more than blanks; of the others the defaults hold."""
        return {
            name: value
            for name, value in values.items()
            if not isinstance(value, str) or value.strip()
        }

    @field_validator("topic_arns", "hash_key", "serve_secret", "tags", "emf_metrics", mode="before")
    @classmethod
    def _split(cls, value: str | list[str]) -> list[str]:
        return split(value) if isinstance(value, str) else value

    # It runs before `_split`: of two such validators the later one comes first.
    @field_validator("*", mode="before")
    @classmethod
    def _is_bare(cls, value: Any, info: ValidationInfo) -> Any:
        """The value without what a file of variables may leave around it."""
        return bare(value, info.field_name in _SECRETS) if isinstance(value, str) else value

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

    @field_validator("topic_arns")
    @classmethod
    def _are_arns(cls, value: list[str]) -> list[str]:
        if any(not arn.startswith("arn:") for arn in value):
            raise ValueError("every entry must begin with arn:")
        return value

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, value: list[str]) -> list[str]:
        if len(value) > MOST_TAGS:
            raise ValueError(f"there are more than {MOST_TAGS} names")
        if not all(map(TAG_NAME.fullmatch, value)):
            raise ValueError(
                "a name of a tag holds at most 256 letters, digits, `_`, `-`, `.` and `:`"
            )
        return list(dict.fromkeys(value))

    @field_validator("stream_by")
    @classmethod
    def _divides(cls, value: str) -> str:
        read_stream_by(value)
        return value

    @field_validator("hash_key", "serve_secret")
    @classmethod
    def _are_long(cls, value: list[SecretStr]) -> list[SecretStr]:
        long_enough([key.get_secret_value() for key in value])
        return value

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

    @model_validator(mode="after")
    def _load_balancer_is_whole(self) -> Self:
        _ = self.load_balancer
        return self

    @property
    def load_balancer(self) -> LoadBalancer | None:
        """The load balancer that tells `sesbounce serve` which person asks."""
        return read_load_balancer(
            self.serve_oidc_load_balancer,
            self.serve_oidc_issuer,
            self.serve_oidc_client,
            self.serve_oidc_scopes,
            self.serve_oidc_grants,
        )

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

    @property
    def hash_keys(self) -> HashKeys:
        """The keys of the hashes that stand for forgotten addresses."""
        return HashKeys([key.get_secret_value() for key in self.hash_key])

    @property
    def streams(self) -> StreamBy:
        """What the stream of a mail is."""
        return read_stream_by(self.stream_by)

    @property
    def detection(self) -> Detection:
        """The thresholds for incidents that these settings describe."""
        return Detection(addresses=self.incident_addresses, times=self.incident_times)

    @property
    def policy(self) -> Policy:
        """The policy that these settings describe."""
        return Policy(
            strikes=self.strikes,
            window=timedelta(days=self.strike_window_days),
            probation=timedelta(days=self.probation_days),
            probation_growth=self.probation_growth,
            probation_longest=timedelta(days=self.probation_longest_days),
            not_attempted=timedelta(days=self.not_attempted_days),
            possible_complaint=self.possible_complaint,
        )


_SECRETS = ("database_password", "webhook_secret")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: a setting is wrong, or a variable with the prefix is no setting; the
            message names the variable and explains it, and shows no value.
    """
    check_names(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_explain, error.errors()))) from None


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _explain(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "bool_parsing":
        message = "the value should be true or false"
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    variable = f"{PREFIX}{name.upper()}"
    field = Settings.model_fields[name]
    return f"{variable}: {message}. It sets the following: {field.description}.{_hint(variable)}"


def _hint(variable: str) -> str:
    """What else may be wrong: Kubernetes may have set a variable of the same name."""
    if not is_service_url(os.environ.get(variable, "")):
        return ""
    return " Kubernetes has set the variable for a service: set enableServiceLinks: false."
