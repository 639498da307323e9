"""What this process calls AWS with: credentials, region and clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from sesbounce.doctor import local

SESSION: Any = boto3.Session("test", "test", region_name="eu-west-1")
STS: Any = SESSION.client("sts")
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/feedback"


class Session:
    """A session with one client, whose answers a test has."""

    region_name = "eu-west-1"

    def client(self, name: str) -> Any:
        assert name == "sts"
        return STS


@pytest.mark.parametrize(
    ("seconds", "weights"), [(0, []), (-90, ["hint"]), (90, ["hint"]), (400, ["broken"])]
)
def test_a_wrong_clock_is_found(seconds: float, weights: list[str]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    with Stubber(STS) as stub:
        metadata = {"HTTPHeaders": {"date": date}, "HTTPStatusCode": 200}
        stub.add_response("get_caller_identity", {"ResponseMetadata": metadata})
        found = list(local.clock(Session(), QUEUE))  # type: ignore[arg-type]
    assert [str(finding.weight) for finding in found] == weights


def test_rejected_credentials_are_found() -> None:
    with Stubber(STS) as stub:
        stub.add_client_error("get_caller_identity", "InvalidClientTokenId", "no such key")
        (found,) = local.credentials(Session(), QUEUE)  # type: ignore[arg-type]
    assert found.what == "AWS rejects the credentials (InvalidClientTokenId: no such key)"


def test_missing_credentials_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (found,) = local.credentials(boto3.Session(region_name="eu-west-1"), QUEUE)
    assert found.what == "Unable to locate credentials"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (QUEUE, []),
        ("http://127.0.0.1:4566/000000000000/feedback", []),
        (
            QUEUE.replace("eu-west-1", "us-east-1"),
            ["the queue is in us-east-1, and AWS_REGION is eu-west-1"],
        ),
    ],
)
def test_a_region_that_is_not_the_queue_s_is_found(url: str, found: list[str]) -> None:
    assert [f.what for f in local.region(SESSION, url)] == found
