from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.stub import Stubber

from scripts.deploy import aws
from scripts.deploy.aws import AwsError
from sesbounce.aws.clients import error_text


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Any:
    session: Any = boto3.Session("test", "test", region_name="eu-west-1")
    client = session.client("sts")
    monkeypatch.setattr(session, "client", lambda _: client)
    monkeypatch.setattr(aws, "session", lambda _: session)
    return client


def test_the_region_is_terraform_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert aws.region({"AWS_REGION": "eu-west-1"}) == "eu-west-1"
    assert aws.region({}) == "eu-central-1"


def test_a_session_repeats_what_aws_throttles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    session: Any = aws.session("eu-west-1")
    ses = session.client("ses")
    assert ses.meta.region_name == "eu-west-1"
    assert ses.meta.config.retries == {"mode": "standard", "total_max_attempts": 10}


def test_the_account_is_read_from_aws(sts: Any) -> None:
    with Stubber(sts) as stub:
        stub.add_response("get_caller_identity", {"Account": "123456789012"})
        assert aws.account("eu-west-1") == "123456789012"


def test_credentials_that_aws_rejects_are_reported(sts: Any) -> None:
    with Stubber(sts) as stub:
        stub.add_client_error("get_caller_identity", "ExpiredToken", "The token has expired")
        with pytest.raises(AwsError, match=r"ExpiredToken: The token has expired\. Log in again"):
            aws.account("eu-west-1")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoCredentialsError(), "There are no AWS credentials: log in"),
        (
            ProfileNotFound(profile="work"),
            r"profile \(work\) could not be found\. Check AWS_PROFILE",
        ),
        (
            PartialCredentialsError(provider="env", cred_var="KEY"),
            "missing: KEY. Check AWS_PROFILE",
        ),
    ],
)
def test_other_reasons_are_reported(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fails(_: str) -> None:
        raise error

    monkeypatch.setattr(aws, "session", fails)
    with pytest.raises(AwsError, match=message):
        aws.account(None)


def test_the_words_are_on_one_line() -> None:
    error = ClientError({"Error": {"Code": "404", "Message": "<html>\n  Not found.\n"}}, "GetX")
    assert error_text(error) == "404: <html> Not found"
