"""The real worker, whose calls go to SQS directly or by boto3, on a server that fails.

The server needs no LocalStack: it breaks answers off, closes connections, and verifies signatures.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local import localstack
from tests.both_paths import check_both_paths
from tests.credential_provider import CredentialProvider
from tests.integration.faults.conftest import QUICK
from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.worker_process import Worker
from tests.sqs_server import Answer, SqsServer
from tests.support import in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

MESSAGES = 35
# Receives and deletes of ten messages, without the faults.
FEWEST = 8


def test_localstack_answers_both_paths_alike(
    client: "SQSClient", queue: FeedbackQueue, environment: Mapping[str, str]
) -> None:
    check_both_paths(client, queue.url, environment)


def body(number: int) -> str:
    return in_sns(said(about=mail(f"{number}@example.com", f"mail-{number}")))


@pytest.fixture
def server() -> Iterator[SqsServer]:
    with SqsServer().running() as running:
        yield running


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "boto3"])
def test_no_message_is_lost_whatever_becomes_of_answers_connections_and_credentials(
    server: SqsServer, tmp_path: Path, direct: bool
) -> None:
    provider = CredentialProvider.make(tmp_path)
    environment = {
        **{
            name: value
            for name, value in localstack.environment(server.url).items()
            if name not in {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        },
        **QUICK,
        "AWS_CONFIG_FILE": str(provider.config),
        "SESBOUNCE_SQS_DIRECT": str(direct).lower(),
        "SESBOUNCE_POLLERS": "2",
    }
    server.send(*map(body, range(MESSAGES)))
    server.closes = True
    # The first messages do not arrive, and the second ones only by a retry.
    server.fail(lambda answer: answer.cut(30), Answer.error(503, "SlowDown"))
    worker = Worker.make(environment, server.queue_url, tmp_path)
    with worker.running() as running:
        running.until(lambda: server.handed_out >= MESSAGES)
        server.surface()
        running.until(lambda: server.left == 0)
        assert running.stop() == 0, running.log
    assert server.handed_out > MESSAGES
    assert sorted(server.deleted) == sorted(map(body, range(MESSAGES)))
    recorded = worker.rows("SELECT address FROM feedback_event ORDER BY id")
    assert sorted(recorded) == sorted((f"{n}@example.com",) for n in range(MESSAGES))
    assert all(provider.has_signed(call) for call in server.calls)
    assert len({call.key_id for call in server.calls}) > FEWEST
    calls = [
        call
        for call in server.calls
        if call.operation in {"ReceiveMessage", "DeleteMessageBatch"} and not call.by_boto3
    ]
    assert len(calls) > FEWEST if direct else calls == []
