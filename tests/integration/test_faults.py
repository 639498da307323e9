"""The worker process killed and stopped: nothing is lost, and nothing counts twice."""

import json
import signal
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.localstack import LocalStack
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Worker, kill
from tests.support import mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient


def publish(session: Any, topic_arn: str, *messages: dict[str, Any]) -> None:
    sns = session.boto3.client("sns")
    for message in messages:
        sns.publish(TopicArn=topic_arn, Message=json.dumps(message))


def test_killed_between_commit_and_delete(
    aws: LocalStack,
    session: Any,
    sqs: "SQSClient",
    environment: Mapping[str, str],
    outputs: dict[str, Any],
    tmp_path: Path,
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path, "jane@example.com")
    publish(session, outputs["topic_arn"], said())
    proxy = Proxy(aws.endpoint)
    proxy.hold("DeleteMessageBatch")
    with proxy.running(), worker.running(AWS_ENDPOINT_URL=proxy.url) as process:
        assert proxy.held.wait(timeout=60), process.poll()
        kill(process)
        # It was committed, and it was not deleted.
        assert worker.rows("SELECT address FROM suppressed") == [("jane@example.com",)]
        (entry,) = json.loads(proxy.bodies[0])["Entries"]
    # What the visibility timeout does in two minutes.
    sqs.change_message_visibility(
        QueueUrl=outputs["queue_url"], ReceiptHandle=entry["ReceiptHandle"], VisibilityTimeout=0
    )
    assert "1 messages received, 1 deleted" in (log := worker.drain())
    assert "0 facts recorded, 1 known already; 0 addresses suppressed" in log
    assert worker.rows("SELECT count(*) FROM feedback_event") == [(1,)]
    assert worker.rows("SELECT mailable, struck FROM member") == [(0, 1)]


def test_sigterm_while_it_waits_ends_it_cleanly(
    sqs: "SQSClient",
    environment: Mapping[str, str],
    aws: LocalStack,
    outputs: dict[str, Any],
    tmp_path: Path,
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path)
    proxy = Proxy(aws.endpoint)
    settings = {"AWS_ENDPOINT_URL": proxy.url, "SESBOUNCE_WAIT_SECONDS": "3"}
    with proxy.running(), worker.running(**settings) as process:
        proxy.wait_for("ReceiveMessage")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "0 messages received" in output


def test_sigterm_finishes_what_is_in_hand(
    session: Any,
    sqs: "SQSClient",
    environment: Mapping[str, str],
    aws: LocalStack,
    outputs: dict[str, Any],
    tmp_path: Path,
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path)
    publish(
        session, outputs["topic_arn"], *(said(about=mail(message_id=f"m{n}")) for n in range(5))
    )
    proxy = Proxy(aws.endpoint)
    proxy.hold("DeleteMessageBatch")
    with proxy.running(), worker.running(AWS_ENDPOINT_URL=proxy.url) as process:
        assert proxy.held.wait(timeout=60)
        process.send_signal(signal.SIGTERM)
        proxy.release()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    received = worker.rows("SELECT count(*) FROM feedback_event")[0][0]
    assert f"{received} messages received, {received} deleted" in output
    remaining = worker.drain()
    assert f"{5 - received} messages received, {5 - received} deleted" in remaining


def test_a_queue_that_is_not_there_is_a_clear_error(
    environment: Mapping[str, str], outputs: dict[str, Any], tmp_path: Path
) -> None:
    worker = Worker.make(environment, outputs["queue_url"] + "-not", tmp_path)
    with worker.running() as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "sesbounce: the queue can't receive" in output
    assert "check SESBOUNCE_QUEUE_URL and AWS_REGION" in output
    assert "Traceback" not in output


def test_a_database_that_is_gone_loses_nothing(
    session: Any,
    sqs: "SQSClient",
    environment: Mapping[str, str],
    aws: LocalStack,
    outputs: dict[str, Any],
    tmp_path: Path,
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path)
    publish(session, outputs["topic_arn"], said())
    proxy = Proxy(aws.endpoint)
    proxy.hold("ReceiveMessage")
    settings = {
        "AWS_ENDPOINT_URL": proxy.url,
        "SESBOUNCE_DATABASE_URL": f"sqlite:///{worker.database}?timeout=0.5",
    }
    with proxy.running(), worker.running(**settings) as process:
        assert proxy.held.wait(timeout=60)
        with closing(sqlite3.connect(worker.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # and never ends
            proxy.release()
            output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "sesbounce: the batch was not recorded: database is locked" in output
    attributes = sqs.get_queue_attributes(
        QueueUrl=outputs["queue_url"], AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
