import json
from collections.abc import Callable
from typing import Any

import pytest

from sesbounce.aws import secrets
from sesbounce.aws.secrets import read_secret
from sesbounce.errors import ConfigurationError, SecretError
from sesbounce.lambda_function.settings import load_function_settings

ARN = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:mail-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-west-1:000000000000:parameter/mail/hash-key"


class Aws:
    """Secrets Manager and Parameter Store in memory, which note the calls."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.calls: list[Any] = []

    def client(self, service: str, _config: object, region: str) -> "Aws":
        self.calls.append((service, region))
        return self

    def get_secret_value(self, **which: str) -> dict[str, Any]:
        self.calls.append(which)
        return {"SecretString": self.values[which["SecretId"]]}

    def get_parameters(self, **which: Any) -> dict[str, Any]:
        self.calls.append(which)
        found = [{"Value": self.values[name]} for name in which["Names"] if name in self.values]
        return {"Parameters": found}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    aws = Aws()
    monkeypatch.setattr(secrets, "open_client", aws.client)
    return aws


@pytest.fixture
def named(variables: pytest.MonkeyPatch) -> Callable[..., None]:
    """Names secrets for settings, and unsets these."""

    def name(**references: str) -> None:
        for setting in references:
            variables.delenv(setting, raising=False)
        variables.setenv("SESBOUNCE_SECRETS", json.dumps(references))

    return name


def test_secrets_become_settings_and_no_variables(
    aws: Aws, named: Callable[..., None], variables: pytest.MonkeyPatch
) -> None:
    aws.values = {
        ARN: json.dumps({"url": "postgresql://me@host/mail", "port": 1}),
        PARAMETER: "k" * 32,
    }
    named(SESBOUNCE_DATABASE_URL=f"{ARN}:url::", SESBOUNCE_HASH_KEY=PARAMETER)
    variables.setenv("SESBOUNCE_DATABASE_PASSWORD", "of-the-environment")
    settings = load_function_settings()
    assert settings.database == "postgresql://me:of-the-environment@host/mail"
    assert [key.get_secret_value() for key in settings.hash_key] == ["k" * 32]
    assert aws.calls == [
        *(("secretsmanager", "eu-west-1"), {"SecretId": ARN}),
        *(("ssm", "eu-west-1"), {"Names": [PARAMETER], "WithDecryption": True}),
    ]
    assert "k" * 32 not in repr(settings)


def test_stage_and_version_follow_the_key(aws: Aws) -> None:
    aws.values = {ARN: "whole"}
    assert read_secret(f"{ARN}::AWSPREVIOUS:") == "whole"
    assert read_secret(f"{ARN}:::1234") == "whole"
    asked = [call for call in aws.calls if isinstance(call, dict)]
    assert asked == [
        {"SecretId": ARN, "VersionStage": "AWSPREVIOUS"},
        {"SecretId": ARN, "VersionId": "1234"},
    ]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        (f"{ARN}:password::", "has no key password"),
        (f"{ARN}x:password::", "no JSON object"),
        (PARAMETER, "there is no parameter"),
        ("mail", "the ARN of no secret"),
        ("arn:aws:ssm", "the ARN of no secret"),
        ("postgresql://me:hidden@ssm:5432/mail", "the ARN of no secret"),
        ("hidden", "the ARN of no secret"),
        ("arn:aws:s3:::bucket", "the ARN of no secret"),
    ],
)
def test_what_can_not_be_read_is_an_error_without_the_secret(
    aws: Aws, reference: str, problem: str
) -> None:
    aws.values = {ARN: '{"url": "hidden"}', f"{ARN}x": "hidden"}
    with pytest.raises(SecretError, match=problem) as caught:
        read_secret(reference)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "no JSON object of ARNs"),
        ('{"SESBOUNCE_HASH_KEY": 1}', "no JSON object of ARNs"),
        ('{"SESBOUNCE_PASSWORD": "x"}', "names SESBOUNCE_PASSWORD, which is no setting"),
        ('{"SESBOUNCE_DATABASE_URL": "x"}', "SESBOUNCE_DATABASE_URL is set, and"),
    ],
)
def test_a_wrong_list_of_secrets_is_an_error(
    variables: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    variables.setenv("SESBOUNCE_SECRETS", text)
    with pytest.raises(ConfigurationError, match=problem):
        load_function_settings()


def test_an_error_names_the_setting_and_not_what_stands_in_the_place_of_an_arn(
    named: Callable[..., None],
) -> None:
    named(SESBOUNCE_DATABASE_URL="postgresql://me:hidden@host/mail")
    with pytest.raises(SecretError, match="SESBOUNCE_SECRETS: SESBOUNCE_DATABASE_URL: ") as caught:
        load_function_settings()
    assert "hidden" not in str(caught.value)


def test_only_the_function_reads_secrets(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("SESBOUNCE_SECRETS", "{}")
    assert load_function_settings().database_url
    variables.delenv("AWS_LAMBDA_FUNCTION_NAME")
    with pytest.raises(ConfigurationError, match="only the function in AWS Lambda reads"):
        load_function_settings()
