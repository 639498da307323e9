"""The settings: environment variables with one prefix, read and checked once, at the start."""

import os
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sesbounce.connection_settings import ConnectionSettings
from sesbounce.database_settings import long_enough, split
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.stream import StreamBy, read_stream_by
from sesbounce.policy.outage import Detection
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.serve_settings import ServeSettings
from sesbounce.variables import PREFIX, bare, check_names, is_service_url
from sesbounce.worker_settings import WorkerSettings

__all__ = ["PREFIX", "Settings", "load_settings"]

_DEFAULT = Policy()
_DETECTION = Detection()


# Of several bases, pydantic lists the settings of the last one first.
class Settings(ServeSettings, WorkerSettings, ConnectionSettings, BaseSettings):
    """Every setting of sesbounce; `queue_url` is read from `SESBOUNCE_QUEUE_URL`, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

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
