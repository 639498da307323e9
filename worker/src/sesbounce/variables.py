"""The environment variables of sesbounce: which there are, and what may stand around a value.

Apart from the settings themselves, which take long to import: commands that answer a question
need only a few of them.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from sesbounce.errors import ConfigurationError

PREFIX = "SESBOUNCE_"
SETTINGS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "BATCH_SIZE",
        "BATCH_WAIT_MS",
        "DATABASE_PASSWORD",
        "DATABASE_PASSWORD_FROM",
        "DATABASE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "EMF",
        "EMF_METRICS",
        "HASH_KEY",
        "INCIDENTS",
        "INCIDENT_ADDRESSES",
        "INCIDENT_TIMES",
        "LOG_FORMAT",
        "METRICS_HOST",
        "METRICS_PORT",
        "MIGRATE",
        "NOT_ATTEMPTED_DAYS",
        "POLLERS",
        "POSSIBLE_COMPLAINT",
        "PROBATION_DAYS",
        "PROBATION_GROWTH",
        "PROBATION_LONGEST_DAYS",
        "PROCESSES",
        "QUEUE_URL",
        "REDACT",
        "RESTORE_SQL",
        "SERVE_CONSOLE",
        "SERVE_HOST",
        "SERVE_OIDC_CLIENT",
        "SERVE_OIDC_GRANTS",
        "SERVE_OIDC_ISSUER",
        "SERVE_OIDC_LOAD_BALANCER",
        "SERVE_OIDC_SCOPES",
        "SERVE_PORT",
        "SERVE_RATE",
        "SERVE_SECRET",
        "SES_SUPPRESSION_LIST",
        "SHUTDOWN_SECONDS",
        "SQS_DIRECT",
        "STREAM_BY",
        "STRIKES",
        "STRIKE_OFF_DATABASE_PASSWORD_FROM",
        "STRIKE_OFF_DATABASE_URL",
        "STRIKE_OFF_SECONDS",
        "STRIKE_OFF_SQL",
        "STRIKE_WINDOW_DAYS",
        "TAGS",
        "TOPIC_ARNS",
        "VERIFY_SIGNATURES",
        "VISIBILITY_SECONDS",
        "WAIT_SECONDS",
        "WEBHOOKS",
        "WEBHOOK_INSECURE",
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRETS",
        "WEBHOOK_URL",
    )
)
# Variables with the prefix that are for the make targets and scripts, not for the command.
OTHER_VARIABLES = frozenset({"SESBOUNCE_TERRAFORM_MIRROR", "SESBOUNCE_TERRAFORM_RELEASES"})
# Read by clients of the HTTP API alone: where it is, and their token.
API_URL, API_TOKEN = f"{PREFIX}API_URL", f"{PREFIX}API_TOKEN"
_KNOWN = SETTINGS | OTHER_VARIABLES | {API_URL, API_TOKEN}
# Read by the function in AWS Lambda alone: elsewhere, what starts the worker reads its secrets.
SECRETS = f"{PREFIX}SECRETS"
# Lambda sets it. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
_RENAMED = {f"{PREFIX}REFUSAL_DAYS": f"{PREFIX}NOT_ATTEMPTED_DAYS"}
# Kubernetes tells each pod about a service called `sesbounce` or `sesbounce-metrics` by variables
# with the same prefix, which end in SERVICE_HOST, or in PORT with a value such as tcp://10.0.0.1:90.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_NAME = re.compile(
    r"SESBOUNCE_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")
_QUOTES = ("'", '"')
# Of `difflib`: SEBOUNCE_ is a slip, and BOUNCE_ belongs to another program.
_SAME_PREFIX = 0.85
_SIMILAR = 0.6


def check_names(environment: Mapping[str, str]) -> None:
    """Make sure that every variable that looks like a setting is one.

    Raises:
        ConfigurationError: one is none; the message names the setting that is most like it.
    """
    if unknown := list(_unknown(environment)):
        raise ConfigurationError("; ".join(unknown))


def bare(value: str, secret: bool) -> str:
    """A value without the blanks that a file of variables may leave around it.

    Args:
        value: what the variable holds.
        secret: whether it may begin and end with blanks; the end of a line is never part of it.

    Raises:
        ValueError: it is in quotes, which some programs take away, and others do not.
    """
    value = value.strip("\r\n" if secret else None)
    if len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]:
        raise ValueError("the value is in quotes, which belong to no value; remove them")
    return value


def is_service_url(value: str) -> bool:
    """Whether Kubernetes has set a variable to this value."""
    return bool(_SERVICE_URL.match(value))


def _unknown(environment: Mapping[str, str]) -> Iterable[str]:
    """A sentence for each variable that looks like a setting and is none."""
    for name in sorted(name for name in environment if _looks_like_ours(name)):
        if name in _KNOWN:
            continue
        value = environment[name]
        if name == SECRETS:
            if _IN_LAMBDA not in environment:
                yield f"only the function in AWS Lambda reads {name}: set its settings themselves"
            continue
        if _SERVICE_NAME.fullmatch(name) or (name.endswith("_PORT") and is_service_url(value)):
            continue
        nearest = _nearest(name)
        hint = f"use {nearest}" if nearest else "unset it; docs/settings.md lists all settings"
        yield f"{name} is no setting of sesbounce: {hint}"


@lru_cache(1024)  # each call of `may_mail` looks at all variables of its process
def _looks_like_ours(name: str) -> bool:
    """Whether a name has the prefix: also `sesbounce_emf`, `SES_BOUNCE_EMF` and `SEBOUNCE_EMF`."""
    if _letters(name).startswith("SESBOUNCE"):
        return True
    prefix, _, rest = name.upper().partition("_")
    return f"{PREFIX}{rest}" in SETTINGS and bool(_closest(prefix, ["SESBOUNCE"], _SAME_PREFIX))


def _nearest(name: str) -> str | None:
    """The setting whose name is most like this one; None where no name is like it."""
    name = name.upper()
    if name in _RENAMED:
        return _RENAMED[name]
    same = f"{PREFIX}{name.partition('_')[2]}"
    if same in SETTINGS:
        return same
    # Without the prefix and the underscores, which would make all names alike.
    names = {_letters(known).removeprefix("SESBOUNCE"): known for known in sorted(SETTINGS)}
    found = _closest(_letters(name).removeprefix("SESBOUNCE"), names, _SIMILAR)
    return names[found[0]] if found else None


def _closest(name: str, names: Iterable[str], cutoff: float) -> list[str]:
    from difflib import get_close_matches  # noqa: PLC0415  only an error needs it

    return get_close_matches(name, list(names), n=1, cutoff=cutoff)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).upper()
