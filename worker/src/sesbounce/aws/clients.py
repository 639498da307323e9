"""Opens boto3's clients, configured by its own settings (`AWS_REGION`, credentials, …)."""

import os
from typing import TYPE_CHECKING, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoRegionError

from sesbounce.errors import ConfigurationError

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_sqs.client import SQSClient


@overload
def open_client(service: Literal["sqs"], config: Config) -> "SQSClient": ...
@overload
def open_client(service: Literal["sesv2"], config: Config) -> "SESV2Client": ...
def open_client(service: Literal["sqs", "sesv2"], config: Config) -> "SQSClient | SESV2Client":
    """Open a client of one service.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    try:
        # boto3 itself reads only AWS_DEFAULT_REGION; ECS and Lambda set AWS_REGION.
        region = os.environ.get("AWS_REGION") or None
        return boto3.client(service, region_name=region, config=config)
    except NoRegionError:
        raise ConfigurationError("AWS_REGION is not set: name the region to use") from None
    except ValueError as error:
        raise ConfigurationError(f"AWS_ENDPOINT_URL is no URL: {error}") from None


def error_text(error: ClientError) -> str:
    """AWS's error code and message on one line: `AccessDenied: User … is not authorized`."""
    details = error.response.get("Error", {})
    text = f"{details.get('Code', 'error')}: {details.get('Message') or error}"
    return " ".join(text.split()).rstrip(".")
