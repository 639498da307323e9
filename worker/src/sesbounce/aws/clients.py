"""Opens boto3's clients, configured by its own settings (`AWS_REGION`, credentials, …)."""

import os
import re
import threading
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, InvalidRegionError, NoRegionError

from sesbounce.errors import ConfigurationError

_REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+")
_AWS = re.compile(r"(^|\.)(amazonaws\.(com(\.cn)?|eu)|api\.aws)$")
# Threads that connect to databases open clients, and boto3's session may serve one at a time.
# https://docs.aws.amazon.com/boto3/latest/guide/session.html
_ONE_AT_A_TIME = threading.Lock()

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_sns.client import SNSClient
    from types_boto3_sqs.client import SQSClient


@overload
def open_client(
    service: Literal["sqs"], config: Config, region: str | None = None
) -> "SQSClient": ...
@overload
def open_client(
    service: Literal["sns"], config: Config, region: str | None = None
) -> "SNSClient": ...
@overload
def open_client(
    service: Literal["sesv2"], config: Config, region: str | None = None
) -> "SESV2Client": ...
@overload
def open_client(
    service: Literal["secretsmanager", "ssm", "rds"], config: Config, region: str | None = None
) -> Any: ...
def open_client(
    service: Literal["sqs", "sns", "sesv2", "secretsmanager", "ssm", "rds"],
    config: Config,
    region: str | None = None,
) -> Any:
    """Open a client of one service.

    Args:
        service: boto3's name of the service.
        config: how the client calls, and how often it retries.
        region: the region; None for the one in boto3's own settings.

    Raises:
        ConfigurationError: the region is missing or wrong, the endpoint is no URL, or boto3's
            own settings can't be used.
    """
    # boto3 itself reads only AWS_DEFAULT_REGION; ECS and Lambda set AWS_REGION.
    of_environment = os.environ.get("AWS_REGION")
    source = "the region" if region else "AWS_REGION" if of_environment else "AWS_DEFAULT_REGION"
    region = region or of_environment or None
    named = region or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    wrong_region = f"{source} is {named!r}, which is no region; for example us-east-1"
    if not _REGION.fullmatch(named):
        raise ConfigurationError(wrong_region)
    try:
        with _ONE_AT_A_TIME:
            return boto3.client(service, region_name=region, config=config)
    except NoRegionError:
        raise ConfigurationError("AWS_REGION is not set: name the region to use") from None
    except InvalidRegionError:
        raise ConfigurationError(wrong_region) from None
    except ValueError as error:
        raise ConfigurationError(f"AWS_ENDPOINT_URL is no URL: {error}") from None
    except BotoCoreError as error:
        raise ConfigurationError(f"boto3's settings can't be used: {error}") from error


def region_in(name: str) -> str | None:
    """The region in an ARN, or in the name of a host of AWS; None where there is none."""
    if name.startswith("arn:"):
        return name.split(":")[3]
    labels = reversed(name.split(".")) if _AWS.search(name) else ()
    return next((label for label in labels if _REGION.fullmatch(label)), None)


def open_sqs(queue_url: str, config: Config) -> "SQSClient":
    """Open a client of SQS in the region that the URL of a queue names, or else in that of boto3.

    Args:
        queue_url: the URL of the queue.
        config: how the client calls, and how often it retries.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL, or boto3 would ask
            AWS for a queue that is elsewhere.
    """
    client = open_client("sqs", config, region_in(urlsplit(queue_url).hostname or ""))
    check_endpoint(client, queue_url)
    return client


def check_endpoint(client: "SQSClient", queue_url: str) -> None:
    """Make sure that boto3 asks the host of the queue's URL where that is not AWS itself.

    Raises:
        ConfigurationError: boto3 would ask AWS for a queue that is elsewhere.
    """
    queue, asked = urlsplit(queue_url), urlsplit(client.meta.endpoint_url)
    if _AWS.search(asked.hostname or "") and not _AWS.search(queue.hostname or ""):
        raise ConfigurationError(
            f"the queue in SESBOUNCE_QUEUE_URL is at {queue.netloc.rpartition('@')[2]}, and boto3 "
            f"would ask AWS for it: set AWS_ENDPOINT_URL={queue.scheme}://"
            f"{queue.netloc.rpartition('@')[2]}"
        )


def error_text(error: ClientError) -> str:
    """AWS's error code and message on one line: `AccessDenied: User … is not authorized`."""
    details = error.response.get("Error", {})
    text = f"{details.get('Code', 'error')}: {details.get('Message') or error}"
    return " ".join(text.split()).rstrip(".")
