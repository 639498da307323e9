"""The settings of the function: environment variables, and secrets that it reads itself."""

import os

import msgspec

from sesbounce.errors import ConfigurationError, SecretError
from sesbounce.settings import Settings, load_settings
from sesbounce.variables import PREFIX, SECRETS, SETTINGS


def load_function_settings() -> Settings:
    """Read the settings, those in SESBOUNCE_SECRETS from Secrets Manager and Parameter Store.

    SESBOUNCE_SECRETS is a JSON object: the ARN of a secret or parameter by the setting's name, as
    `aws.secrets.read_secret` takes it. A secret gets into no environment variable.

    Raises:
        ConfigurationError: a setting is wrong.
        SecretError: a secret can't be read.
    """
    return load_settings(**_read_secrets(os.environ.get(SECRETS, "")))


def _read_secrets(text: str) -> dict[str, str]:
    """The values of the secrets by the fields of `Settings`."""
    if not text.strip():
        return {}
    try:
        references = msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(
            f"{SECRETS} is no JSON object of ARNs by the names of settings: {error}"
        ) from None
    if unknown := sorted(references.keys() - SETTINGS):
        raise ConfigurationError(f"{SECRETS} names {unknown[0]}, which is no setting of sesbounce")
    if twice := sorted(name for name in references if os.environ.get(name, "").strip()):
        raise ConfigurationError(f"{twice[0]} is set, and {SECRETS} names it as well: remove one")
    if not references:
        return {}
    # boto3 takes long to import, and a function without secrets needs none of it.
    from sesbounce.aws.secrets import read_secret  # noqa: PLC0415

    values: dict[str, str] = {}
    for name, reference in references.items():
        try:
            values[name.removeprefix(PREFIX).lower()] = read_secret(reference)
        except SecretError as error:
            raise SecretError(f"{SECRETS}: {name}: {error}") from error
    return values
