"""AWS through boto3: the region, the account of the credentials, and sessions."""

import os
from collections.abc import Mapping

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from scripts import ScriptError
from sesbounce.aws.clients import error_text

_ANY_REGION = "us-east-1"
_ATTEMPTS = 10


class AwsError(ScriptError):
    """AWS can't be reached, or rejects the credentials or a call."""


def region(environment: Mapping[str, str] = os.environ) -> str | None:
    """The region that the environment sets for Terraform; boto3 does not read AWS_REGION."""
    return environment.get("AWS_REGION") or boto3.Session().region_name


def session(region: str) -> boto3.Session:
    """A session in one region, whose clients repeat a call that AWS throttles.

    SES takes one call a second of most kinds, so that a stack with some identities needs it.
    https://docs.aws.amazon.com/ses/latest/dg/quotas.html
    """
    core = botocore.session.get_session()
    core.set_config_variable("retry_mode", "standard")
    core.set_config_variable("max_attempts", _ATTEMPTS)
    return boto3.Session(botocore_session=core, region_name=region)


def account(region: str | None) -> str:
    """The number of the AWS account of the credentials.

    Raises:
        AwsError: there are no credentials, AWS rejects them, or AWS can't be reached.
    """
    try:
        client = session(region or _ANY_REGION).client("sts")
        return str(client.get_caller_identity()["Account"])
    except NoCredentialsError as error:
        raise AwsError(
            "There are no AWS credentials: log in (`aws sso login`), or set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except ClientError as error:
        raise AwsError(
            f"AWS rejects the credentials: {error_text(error)}. Log in again, or check "
            "AWS_PROFILE and AWS_ACCESS_KEY_ID."
        ) from error
    except BotoCoreError as error:
        raise AwsError(
            f"Can't read the account from AWS: {str(error).rstrip('.')}. Check AWS_PROFILE, "
            "AWS_REGION and the network, or log in again."
        ) from error
