"""AWS as the scripts see it through boto3: who we are there, and where."""

import os
from collections.abc import Mapping

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from scripts import ScriptError
from sesbounce.aws.clients import error_text

_ANYWHERE = "us-east-1"


class AwsError(ScriptError):
    """AWS can't be asked, or does not let us in."""


def region(environment: Mapping[str, str] = os.environ) -> str | None:
    """The region that the environment names, as Terraform finds it; boto3 knows no AWS_REGION."""
    return environment.get("AWS_REGION") or boto3.Session().region_name


def session(region: str) -> boto3.Session:
    """A session in one region."""
    return boto3.Session(region_name=region)


def account(region: str | None) -> str:
    """The number of the account that the credentials are of.

    Raises:
        AwsError: there are no credentials, or none that AWS accepts.
    """
    try:
        client = session(region or _ANYWHERE).client("sts")
        return str(client.get_caller_identity()["Account"])
    except NoCredentialsError as error:
        raise AwsError(
            "There are no AWS credentials: log in (`aws sso login`), or set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except ClientError as error:
        raise AwsError(
            f"AWS does not accept the credentials: {error_text(error)}. Log in again, or look at "
            "AWS_PROFILE and AWS_ACCESS_KEY_ID."
        ) from error
    except BotoCoreError as error:
        raise AwsError(
            f"AWS can't be asked who we are: {error} Look at AWS_PROFILE, AWS_REGION and the "
            "network, or log in again."
        ) from error
