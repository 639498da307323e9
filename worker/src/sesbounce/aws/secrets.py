"""Reads secrets by their ARNs, as ECS does for a task: AWS Lambda reads none for a function."""

from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text, open_client
from sesbounce.errors import SecretError

_TIMEOUT_SECONDS = 3
# The parts of the ARN of a secret; its key, stage and version may follow.
_ARN_PARTS = 7


def read_secret(reference: str) -> str:
    """Read one secret.

    Args:
        reference: what a task definition of ECS takes: the ARN of a secret in Secrets Manager,
            perhaps with `:KEY:STAGE:VERSION` of which each may be empty, or the ARN of a parameter.
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html

    Raises:
        SecretError: AWS rejects the call or can't be reached, or there is no such secret or key.
        ConfigurationError: boto3's own settings can't be used.
    """
    service, region = [*reference.split(":"), "", "", ""][2:4]
    try:
        match service:
            case "secretsmanager":
                return _from_secrets_manager(reference, region)
            case "ssm":
                return _from_parameter_store(reference, region)
    except ClientError as error:
        problem = f"{error_text(error)}: does the role allow {error.operation_name}?"
        raise SecretError(f"{reference} can't be read: {problem}") from error
    except BotoCoreError as error:
        raise SecretError(
            f"{reference} can't be read: {error}: in a VPC, this needs a NAT gateway, or a VPC "
            f"endpoint of {service}"
        ) from error
    raise SecretError(f"{reference} is the ARN of no secret and of no parameter")


def _from_secrets_manager(reference: str, region: str) -> str:
    parts = reference.split(":")
    key, stage, version = [*parts[_ARN_PARTS:], "", "", ""][:3]
    which = {"VersionStage": stage, "VersionId": version}
    answer = _client("secretsmanager", region).get_secret_value(
        SecretId=":".join(parts[:_ARN_PARTS]), **{n: value for n, value in which.items() if value}
    )
    text = answer.get("SecretString")
    if text is None:
        raise SecretError(f"{reference} is binary, and settings are texts")
    return _value(reference, text, key) if key else str(text)


def _value(reference: str, text: str, key: str) -> str:
    """The value of a key in a secret that is a JSON object."""
    try:
        values = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        # Its text may hold a part of the secret.
        raise SecretError(f"{reference} names a key, but the secret is no JSON object") from None
    if key not in values:
        raise SecretError(f"the secret of {reference} has no key {key}")
    return str(values[key])


def _from_parameter_store(reference: str, region: str) -> str:
    answer = _client("ssm", region).get_parameters(Names=[reference], WithDecryption=True)
    if not answer["Parameters"]:
        raise SecretError(f"there is no parameter {reference}")
    return str(answer["Parameters"][0]["Value"])


def _client(service: Any, region: str) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2},
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
    )
    return open_client(service, config, region)
