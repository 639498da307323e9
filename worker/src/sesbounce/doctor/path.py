"""The checks of the whole path, from SES to the database, by what the settings name."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import boto3
import botocore.session
import sqlalchemy as sa
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from sesbounce.aws.clients import region_in
from sesbounce.doctor import checks, database, local, source
from sesbounce.doctor.declared import Wiring, declared_in
from sesbounce.doctor.discover import discover
from sesbounce.doctor.examine import Check, Group
from sesbounce.doctor.finding import Finding, broken
from sesbounce.doctor.subject import Database
from sesbounce.errors import ConfigurationError, NotCheckedError, NothingDeployedError
from sesbounce.settings import Settings

_CALLS = Config(
    connect_timeout=5,
    read_timeout=15,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_extra="sesbounce-doctor",
)
_NO_QUEUE = "SESBOUNCE_QUEUE_URL is not set, so there is no queue to begin with"


def groups(
    settings: Settings,
    engine: Callable[[], sa.Engine],
    region: str | None,
    state: Path | None = None,
) -> tuple[Group, ...]:
    """All checks, from AWS's credentials to the last event in the database.

    Args:
        settings: those of the worker.
        engine: opens the database for reading; it may raise `StoreError`.
        region: that of AWS_REGION; None for the region of the queue.
        state: what `terraform show -json` has printed; None where nothing is declared.

    Raises:
        ConfigurationError: the file does not hold a state.
    """
    declared = _read(state) if state else None

    @cache
    def client() -> boto3.Session:
        return session(settings, region)

    @cache
    def found() -> Wiring:
        return discover(
            client(),
            _queue_url(settings),
            settings.topic_arns,
            needs_envelope=bool(settings.topic_arns) or settings.verify_signatures,
            fills_suppression_list=settings.ses_suppression_list,
        )

    def subject() -> Database:
        return Database(engine(), settings, datetime.now(UTC))

    def answering() -> Database:
        for finding in database.connection(subject):
            raise NotCheckedError(finding.what)
        return subject()

    return (
        Group(local.CHECKS, lambda: (client(), _queue_url(settings))),
        Group(source.CHECKS, lambda: (found,)),
        Group(_TERRAFORM, lambda: (_known(declared), found())),
        checks.group(lambda: (declared or found(), client()), checks.RIGHTS),
        Group(database.CONNECTION, lambda: (subject,)),
        Group(database.CHECKS, lambda: (answering(),)),
    )


def session(settings: Settings, region: str | None) -> boto3.Session:
    """boto3, in one region, with short times to wait.

    Args:
        settings: name the queue.
        region: the region; None for that of the queue.

    Raises:
        NotCheckedError: no region is known, or boto3's own settings can't be used.
    """
    core = botocore.session.get_session()
    core.set_default_client_config(_CALLS)
    region = region or region_in(_queue_url(settings).partition("//")[2].partition("/")[0])
    try:
        found = boto3.Session(botocore_session=core, region_name=region)
    except BotoCoreError as error:
        raise NotCheckedError(f"boto3's settings can't be used: {error}") from error
    if not found.region_name:
        raise NotCheckedError("AWS_REGION is not set: name the region of the queue")
    return found


def as_declared(declared: Wiring, found: Wiring) -> Iterator[Finding]:
    """The settings and AWS have what Terraform declares."""
    if declared.queue_arn != found.queue_arn:
        yield broken(
            f"SESBOUNCE_QUEUE_URL is {found.queue_arn}, and Terraform declares "
            f"{declared.queue_arn}",
            "the worker reads another queue than the one that SES's events reach",
            "Set it to the output queue_url (make outputs)",
        )
    topics = {declared.topic_arn, *declared.extra_topic_arns}
    for topic in sorted(topics - {found.topic_arn, *found.extra_topic_arns}):
        yield broken(
            f"the declared topic {topic} does not send to the queue",
            "its messages never reach the worker",
            declared.restore,
        )


_TERRAFORM = (Check("terraform.declared", "what Terraform declares is there", as_declared),)


def _read(state: Path) -> Wiring:
    try:
        return declared_in(json.loads(state.read_bytes()))
    except NothingDeployedError as error:
        raise ConfigurationError(f"{state}: {error}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{state} does not hold a state: write it with `terraform show -json > {state}` "
            f"({type(error).__name__}: {error})"
        ) from error


def _known(declared: Wiring | None) -> Wiring:
    if declared is None:
        raise NotCheckedError("no state of Terraform is given (--terraform)")
    return declared


def _queue_url(settings: Settings) -> str:
    if not settings.queue_url:
        raise NotCheckedError(_NO_QUEUE)
    return settings.queue_url
