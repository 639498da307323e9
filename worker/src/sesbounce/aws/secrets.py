"""Reads secrets by their ARNs, as ECS does for a task: AWS Lambda reads none for a function."""

from typing import Any, NamedTuple, Self

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text, open_client, region_in
from sesbounce.errors import SecretError

# The parts of the ARN of a secret; its key, stage and version may follow.
_ARN_PARTS = 7
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=5
)


class SecretReference(NamedTuple):
    """Names a secret in Secrets Manager, or a key of it.

    Attributes:
        arn: the ARN of the secret.
        key: a key of the JSON object that the secret holds; empty for the whole secret.
        stage: the label of a version; empty for the current one.
        version: the id of a version; empty for the one of the label.
    """

    arn: str
    key: str
    stage: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `ARN` or `ARN:KEY:STAGE:VERSION`, of which each may be empty, as ECS writes it.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
        """
        parts = text.split(":")
        return cls(":".join(parts[:_ARN_PARTS]), *[*parts[_ARN_PARTS:], "", "", ""][:3])

    def text(self) -> str | None:
        """The text of the whole secret, from the region of its ARN; None where it is binary.

        Raises:
            SecretError: AWS rejects the call or can't be reached.
            ConfigurationError: boto3's own settings can't be used.
        """
        which = {"VersionStage": self.stage, "VersionId": self.version}
        answer = _call(
            ("secretsmanager", "get_secret_value", "GetSecretValue"),
            self.arn,
            SecretId=self.arn,
            **{name: value for name, value in which.items() if value},
        )
        text: str | None = answer.get("SecretString")
        return text


def read_secret(reference: str) -> str:
    """Read one secret.

    Args:
        reference: what a task definition of ECS takes: `SecretReference.parse` reads it; or the
            ARN of a parameter.

    Raises:
        SecretError: AWS rejects the call or can't be reached, or there is no such secret or key.
        ConfigurationError: boto3's own settings can't be used.
    """
    match reference.split(":"):
        case ["arn", _, "secretsmanager", _, *_]:
            return _from_secrets_manager(SecretReference.parse(reference))
        case ["arn", _, "ssm", _, *_]:
            return _from_parameter_store(reference)
    # Somebody may have written the secret itself: the message does not show it.
    raise SecretError("the text is the ARN of no secret and of no parameter")


def _from_secrets_manager(reference: SecretReference) -> str:
    text = reference.text()
    if text is None:
        raise SecretError(f"{reference.arn} is binary, and settings are texts")
    return _value(reference, text) if reference.key else text


def _value(reference: SecretReference, text: str) -> str:
    """The value of a key in a secret that is a JSON object."""
    try:
        values = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        # Its text may hold a part of the secret.
        raise SecretError(
            f"a key of {reference.arn} is named, but the secret is no JSON object"
        ) from None
    if reference.key not in values:
        raise SecretError(f"the secret {reference.arn} has no key {reference.key}")
    return str(values[reference.key])


def _from_parameter_store(arn: str) -> str:
    answer = _call(
        ("ssm", "get_parameters", "GetParameters"), arn, Names=[arn], WithDecryption=True
    )
    if not answer["Parameters"]:
        raise SecretError(f"there is no parameter {arn}")
    return str(answer["Parameters"][0]["Value"])


def _call(call: tuple[Any, str, str], arn: str, **arguments: Any) -> Any:
    """Call AWS in the region of an ARN.

    Args:
        call: boto3's name of the service, of the method, and IAM's name of the action.
        arn: what is read.
        arguments: those of the method.
    """
    service, method, action = call
    try:
        return getattr(open_client(service, _CONFIG, region_in(arn)), method)(**arguments)
    except ClientError as error:
        raise SecretError(
            f"{arn} can't be read: {error_text(error)}. The role needs {service}:{action} on it, "
            "and kms:Decrypt where a key of yours encrypts it"
        ) from error
    except BotoCoreError as error:
        raise SecretError(
            f"{arn} can't be read: {' '.join(str(error).split())}. In a VPC, this needs a NAT "
            f"gateway, or a VPC endpoint of {service}"
        ) from error
