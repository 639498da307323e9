"""boto3 against the stub as a process of its own, and the stub's answers."""

import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sesbounce.feedback.decode import decode
from sesbounce.feedback.reason import Reason
from tests.bench.backlog import Backlog
from tests.bench.sqs_stub import QUEUE, Counts, Stub

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

ROOT = Path(__file__).parents[3]


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """The address of a stub that answers at once."""
    command = [sys.executable, "-m", "tests.bench.sqs_stub", "--delay-ms", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


def client_of(address: str) -> "SQSClient":
    return boto3.client(
        "sqs",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )


def counts_of(address: str) -> dict[str, Any]:
    host = urlsplit(address)
    with socket.create_connection((str(host.hostname), int(host.port or 0))) as connection:
        # In two pieces, as a network may deliver them.
        connection.sendall(b"GET /counts HT")
        connection.sendall(b"TP/1.1\r\nHost: stub\r\n\r\n")
        answer = connection.recv(65536)
    counts: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return counts


def test_boto3_receives_and_deletes_until_nothing_is_left() -> None:
    with serving("--messages", "12") as address:
        sqs, url = client_of(address), f"{address}/{QUEUE}"
        first = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        rest = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert (len(first), len(rest)) == (10, 2)
        assert "Messages" not in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        entries: list[Any] = [
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(first)
        ]
        deleted = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        assert [entry["Id"] for entry in deleted["Successful"]] == [e["Id"] for e in entries]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=rest[0]["ReceiptHandle"])
        names: list[Any] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        assert [left[name] for name in names] == ["0", "1"]
        assert counts_of(address) == {
            "calls": {
                "ReceiveMessage": 3,
                "DeleteMessageBatch": 1,
                "DeleteMessage": 1,
                "GetQueueAttributes": 1,
            },
            "received": 12,
            "deleted": 11,
        }


def test_boto3_finds_the_queue_and_changes_visibility() -> None:
    with serving() as address:
        sqs = client_of(address)
        url = sqs.get_queue_url(QueueName="feedback")["QueueUrl"]
        assert url == f"{address}/{QUEUE}"
        handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        changed = sqs.change_message_visibility_batch(
            QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 0}]
        )
        assert [entry["Id"] for entry in changed["Successful"]] == ["a"]


def test_an_operation_that_the_stub_does_not_know_is_refused_and_counted() -> None:
    with serving() as address:
        with pytest.raises(ClientError) as caught:
            client_of(address).purge_queue(QueueUrl=f"{address}/{QUEUE}")
        assert caught.value.response["Error"]["Code"].endswith("UnsupportedOperation")
        assert counts_of(address)["calls"] == {"PurgeQueue": 1}


def messages(backlog: Backlog, most: int) -> list[dict[str, Any]]:
    received: list[dict[str, Any]] = json.loads(backlog.take(most))["Messages"]
    return received


def test_each_message_is_a_bounce_of_a_mail_of_its_own() -> None:
    told = messages(Backlog(), 10)
    events = [event for message in told for event in decode(message["Body"]).events]
    assert {event.reason for event in events} == {Reason.NO_SUCH_MAILBOX}
    for distinct in (
        {event.dedupe_key for event in events},
        {event.address for event in events},
        {message["MessageId"] for message in told},
        {message["ReceiptHandle"] for message in told},
    ):
        assert len(distinct) == 10


def test_a_body_has_the_digest_that_is_said() -> None:
    for message in messages(Backlog(), 10):
        digest = hashlib.md5(message["Body"].encode(), usedforsecurity=False)
        assert digest.hexdigest() == message["MD5OfBody"]


def test_the_numbers_go_on_from_one_receive_to_the_next() -> None:
    backlog = Backlog()
    first, second = messages(backlog, 10), messages(backlog, 10)
    assert len({message["MessageId"] for message in first + second}) == 20


def test_the_same_message_comes_again_and_again_if_so_asked() -> None:
    backlog = Backlog(same=True)
    told = messages(backlog, 10) + messages(backlog, 10)
    assert len({message["Body"] for message in told}) == 1


def test_an_answer_is_due_after_the_same_time_but_for_a_poll_that_finds_nothing() -> None:
    stub = Stub(Backlog(10), delay_seconds=0.01)
    poll = b'{"MaxNumberOfMessages":10,"WaitTimeSeconds":20}'
    assert stub.answer("ReceiveMessage", poll)[1] == 0.01
    assert stub.answer("DeleteMessage", b"{}")[1] == 0.01
    assert stub.answer("ReceiveMessage", poll) == (b"{}", 20)
    assert stub.answer("ReceiveMessage", b"{}") == (b"{}", 0.01)
    assert stub.counts == Counts({"ReceiveMessage": 3, "DeleteMessage": 1}, 10, 1)
