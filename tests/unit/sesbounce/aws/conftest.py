"""A queue on a server that fails on command, called directly or by boto3."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from botocore.retries.standard import ExponentialBackoff

from sesbounce.aws import sqs
from sesbounce.aws.sqs import Queue, open_queue
from sesbounce.errors import QueueError
from tests.boto3_session import use_new_session
from tests.sqs_server import REGION, SqsServer

Path = Literal["direct", "boto3"]
PATHS: tuple[Path, ...] = ("direct", "boto3")
KEY = ("AKIDEXAMPLE", "secret")
# Of the first attempt of the client, and of its retries.
BY_BOTO3: list[Path] = ["boto3"] * 4


@dataclass(frozen=True)
class Scene:
    """A queue that is called by one of the two paths, and the server that it is on."""

    server: SqsServer
    path: Path

    def open(self, connections: int = 4) -> Queue:
        direct = self.path == "direct"
        return open_queue(self.server.queue_url, 0, connections, direct=direct)

    @property
    def paths(self) -> list[Path]:
        """The path of each call that the server has got."""
        return ["boto3" if call.by_boto3 else "direct" for call in self.server.calls]

    @property
    def failing(self) -> list[Path]:
        """The paths of one call that fails each time: the client's retries come last."""
        return BY_BOTO3 if self.path == "boto3" else ["direct", *BY_BOTO3]

    def failure(self) -> QueueError:
        """The error of a receive."""
        with pytest.raises(QueueError) as caught:
            self.open().receive(0, 60)
        return caught.value


def bodies(queue: Queue) -> list[str]:
    """The bodies of the messages that a receive brings."""
    return [message.body for message in queue.receive(0, 60)]


@pytest.fixture(autouse=True)
def _session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    use_new_session(monkeypatch)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings of boto3 that no user's own can change, and no pauses between retries."""
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_SQS", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY[1])
    monkeypatch.setattr(sqs, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sqs, "_TIMEOUT_SECONDS", 5)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    return monkeypatch


@pytest.fixture
def server(aws: pytest.MonkeyPatch) -> Iterator[SqsServer]:
    with SqsServer().running() as server:
        aws.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture(params=PATHS)
def scene(server: SqsServer, request: pytest.FixtureRequest) -> Scene:
    return Scene(server, request.param)
