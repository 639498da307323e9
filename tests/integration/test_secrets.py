"""The function in AWS Lambda reads its secrets from LocalStack's Secrets Manager and SSM."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.local import localstack
from scripts.local.localstack import LocalStack
from sesbounce.errors import SecretError
from sesbounce.lambda_function.function import Function
from sesbounce.store.engine import open_database
from tests.invoking import Remaining, bounced, failures, messages
from tests.stored import rows
from tests.support import disposed


@pytest.fixture
def client(aws: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a service of LocalStack, which this process takes for AWS."""
    for name, value in localstack.environment(aws.endpoint).items():
        monkeypatch.setenv(name, value)
    return lambda service: boto3.client(service, region_name="us-east-1")


def test_a_cold_start_reads_the_secrets(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/sesbounce.sqlite3"
    secret = client("secretsmanager").create_secret(
        Name="sesbounce-function", SecretString=json.dumps({"url": url})
    )["ARN"]
    key = client("ssm").put_parameter(
        Name="/sesbounce/hash-key", Value="k" * 32, Type="SecureString"
    )
    assert key["Version"] == 1
    parameter = client("ssm").get_parameter(Name="/sesbounce/hash-key")["Parameter"]["ARN"]
    references = {"SESBOUNCE_DATABASE_URL": f"{secret}:url::", "SESBOUNCE_HASH_KEY": parameter}
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sesbounce")
    monkeypatch.setenv("SESBOUNCE_SECRETS", json.dumps(references))
    function = Function()
    assert function.invoke(messages(bounced()), Remaining()) == failures()
    function.close()
    with disposed(open_database(url)) as engine:
        assert rows(engine, "SELECT address FROM suppressed") == [("jane@example.com",)]
    missing = {"SESBOUNCE_HASH_KEY": f"{secret[:-6]}AbCdEf"}
    monkeypatch.setenv("SESBOUNCE_SECRETS", json.dumps(missing))
    with pytest.raises(SecretError, match="ResourceNotFoundException"):
        function.invoke(messages(bounced()), Remaining())
