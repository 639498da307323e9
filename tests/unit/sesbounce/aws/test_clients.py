"""What is wrong with AWS's settings is named by the setting that is wrong."""

import threading
import time

import pytest
from botocore.config import Config

from sesbounce.aws.clients import open_client
from sesbounce.aws.sqs import open_queue
from sesbounce.errors import ConfigurationError

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/feedback"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.mark.parametrize("region", ["us_east_1", "us-east", "US-EAST-1", "us-east-1a", "us east 1"])
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_wrong_region_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, region: str
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(variable, region)
    with pytest.raises(ConfigurationError, match=f"^{variable} is '{region}', which is no region"):
        open_queue(QUEUE, 20, 10)


@pytest.mark.parametrize(
    "region", ["us-gov-west-1", "cn-north-1", "ap-southeast-5", "eusc-de-east-1"]
)
def test_regions_of_every_partition_are_right(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    open_queue(QUEUE, 20, 10)


def test_a_wrong_endpoint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
    with pytest.raises(ConfigurationError, match=r"^AWS_ENDPOINT_URL is no URL"):
        open_queue(QUEUE, 20, 10)


def test_a_profile_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match=r"boto3's settings can't be used: .*nobody"):
        open_queue(QUEUE, 20, 10)


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "[::1]:4566", "sqs.local"])
def test_a_queue_elsewhere_needs_an_endpoint(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    queue = f"http://{host}/000000000000/feedback"
    with pytest.raises(ConfigurationError) as caught:
        open_queue(queue, 20, 10)
    assert f"set AWS_ENDPOINT_URL=http://{host}" in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
    open_queue(queue, 20, 10)


def test_threads_open_their_clients_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's session, which all clients share, may serve one thread at a time."""
    at_work, most = [0], [0]

    def open_slowly(*_: object, **__: object) -> None:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.02)
        at_work[0] -= 1

    monkeypatch.setattr("boto3.client", open_slowly)
    threads = [
        threading.Thread(target=open_client, args=("secretsmanager", Config())) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
