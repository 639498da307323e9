"""The main job: what SES publishes to the topic ends in the sender's own table."""

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Mail, Scenario, Schema, messages
from tests.integration.conftest import Applied
from tests.integration.worker_process import Worker
from tests.support import AT, mail, said

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient
    from types_boto3_sqs.client import SQSClient

MEMBERS = ("Jane@Example.com", "mary@example.com")


@pytest.fixture
def sns(session: Any) -> "SNSClient":
    client: SNSClient = session.boto3.client("sns")
    return client


@pytest.fixture
def worker(
    sqs: "SQSClient",  # the queues are empty
    environment: Mapping[str, str],
    outputs: dict[str, Any],
    tmp_path: Path,
) -> Worker:
    return Worker.make(environment, outputs["queue_url"], tmp_path, *MEMBERS)


@pytest.fixture(scope="class", params=[False, True], ids=["sns-envelope", "raw-delivery"])
def envelope(request: pytest.FixtureRequest, applied: Applied) -> Iterator[None]:
    """The stack with each of the two envelopes; Terraform switches between them."""
    raw: bool = request.param
    if raw:
        applied.stack(raw_message_delivery=True).apply()
    yield
    if raw:
        applied.stack().apply()


def depth(sqs: "SQSClient", queue_url: str) -> int:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    attributes: Mapping[str, str] = answer["Attributes"]  # type: ignore[assignment]
    return sum(int(attributes[name]) for name in names)


@pytest.mark.usefixtures("envelope")
@pytest.mark.parametrize("schema", SCHEMAS)
class TestEachEnvelopeAndSchema:
    def publish(
        self, sns: "SNSClient", outputs: Mapping[str, Any], *told: tuple[Scenario, Schema, Mail]
    ) -> None:
        for scenario, schema, about in told:
            for message in messages(scenario, about, AT, schema):
                sns.publish(TopicArn=outputs["topic_arn"], Message=json.dumps(message))

    def test_a_hard_bounce_strikes_the_member_off(
        self, sns: "SNSClient", worker: Worker, outputs: dict[str, Any], schema: Schema
    ) -> None:
        self.publish(sns, outputs, (Scenario.BOUNCE, schema, mail("jane@example.com")))
        counts = {"SESBOUNCE_DEAD_LETTER_QUEUE_URL": outputs["dlq_url"]}
        counting = Worker({**worker.environment, **counts}, worker.folder)
        assert "1 message received, 1 deleted" in counting.drain()
        assert worker.rows("SELECT address, reason, why FROM suppressed") == [
            (
                "jane@example.com",
                "no_such_mailbox",
                "hard bounce: no such mailbox (5.1.1), 2026-11-20; not to be mailed again",
            )
        ]
        assert worker.members() == {"Jane@Example.com": 0, "mary@example.com": 1}
        # What the console shows of the run.
        columns = "mode, queue, version, waits_for, visible, in_flight, dead_letters"
        queue = outputs["queue_url"].rpartition("/")[2]
        assert worker.rows(
            f"SELECT {columns} FROM feedback_worker WHERE ended_at = seen_at AND polled_at >= "
            "started_at AND oldest_seconds >= 0"
        ) == [("until_empty", queue, version("sesbounce"), "", 0, 0, 0)]

    def test_a_complaint_strikes_the_member_off(
        self, sns: "SNSClient", worker: Worker, outputs: dict[str, Any], schema: Schema
    ) -> None:
        self.publish(sns, outputs, (Scenario.COMPLAINT, schema, mail("Jane@example.com")))
        worker.drain()
        assert worker.rows("SELECT address, reason FROM suppressed") == [
            ("jane@example.com", "complaint_abuse")
        ]
        assert worker.members()["Jane@Example.com"] == 0

    def test_a_transient_bounce_is_a_strike_and_no_more(
        self, sns: "SNSClient", worker: Worker, outputs: dict[str, Any], schema: Schema
    ) -> None:
        self.publish(sns, outputs, (Scenario.MAILBOX_FULL, schema, mail("jane@example.com")))
        worker.drain()
        assert worker.rows("SELECT effect FROM feedback_event") == [("soft",)]
        assert worker.rows("SELECT * FROM suppressed") == []
        assert worker.members()["Jane@Example.com"] == 1

    def test_a_delivery_is_recorded_and_suppresses_nobody(
        self, sns: "SNSClient", worker: Worker, outputs: dict[str, Any], schema: Schema
    ) -> None:
        self.publish(sns, outputs, (Scenario.SUCCESS, schema, mail("jane@example.com")))
        worker.drain()
        assert worker.rows("SELECT kind, address FROM feedback_event") == [
            ("delivery", "jane@example.com")
        ]
        assert worker.rows("SELECT * FROM suppressed") == []


def test_the_same_event_told_twice_counts_once(
    sns: "SNSClient", worker: Worker, outputs: dict[str, Any]
) -> None:
    for schema in (*SCHEMAS, *SCHEMAS):
        sns.publish(TopicArn=outputs["topic_arn"], Message=json.dumps(said(schema=schema)))
    assert "1 event recorded, 3 known already; 1 address suppressed" in worker.drain()
    assert worker.rows("SELECT struck FROM member WHERE email LIKE 'jane%'") == [(1,)]


def test_a_malformed_message_goes_to_the_dlq_and_the_others_are_handled(
    sns: "SNSClient", sqs: "SQSClient", worker: Worker, outputs: dict[str, Any]
) -> None:
    told = [json.dumps(said(about=mail(f"{n}@example.com", f"mail-{n}"))) for n in range(9)]
    for message in (*told[:5], '{"notificationType": "Bounce"}', *told[5:]):
        sns.publish(TopicArn=outputs["topic_arn"], Message=message)
    log = worker.drain()
    assert "9 events recorded" in log
    assert '"problem": "a Bounce without its object", "place": "$.bounce"' in log
    assert '"fingerprint": "59b8a4b84299"' in log
    assert worker.rows("SELECT count(*) FROM suppressed") == [(9,)]
    assert depth(sqs, outputs["queue_url"]) == 0
    (dead,) = sqs.receive_message(QueueUrl=outputs["dlq_url"], MaxNumberOfMessages=10)["Messages"]
    assert json.loads(dead["Body"])["Message"] == '{"notificationType": "Bounce"}'
    receipt = dead["ReceiptHandle"]
    sqs.change_message_visibility(
        QueueUrl=outputs["dlq_url"], ReceiptHandle=receipt, VisibilityTimeout=0
    )
    # The command finds both dead-letter queues by the queue.
    assert "59b8a4b84299 a Bounce without its object (at $.bounce)" in worker.run("dlq", "list")
    sqs.send_message(QueueUrl=outputs["subscription_dlq_url"], MessageBody="no JSON")
    undelivered = worker.run("dlq", "list", "--queue", "subscription")
    assert f"1 dead letter in {outputs['subscription_dlq_url'].rpartition('/')[2]}" in undelivered


def test_a_row_that_can_t_be_struck_off_costs_nobody_else_anything(
    sns: "SNSClient", sqs: "SQSClient", worker: Worker, outputs: dict[str, Any]
) -> None:
    with_constraint = "CREATE TRIGGER keep BEFORE UPDATE ON member WHEN old.email LIKE 'jane%' "
    worker.rows(with_constraint + "BEGIN SELECT raise(ABORT, 'this one stays'); END")
    for recipient in ("jane@example.com", "mary@example.com"):
        message = said(about=mail(recipient, recipient))
        sns.publish(TopicArn=outputs["topic_arn"], Message=json.dumps(message))
    assert '"problem": "SESBOUNCE_STRIKE_OFF_SQL: this one stays", "addresses": 1' in worker.drain()
    assert worker.members() == {"Jane@Example.com": 1, "mary@example.com": 0}
    assert len(worker.rows("SELECT address FROM suppressed")) == 2
    worker.rows("DROP TRIGGER keep")
    worker.drain()  # the sweep at its start tries again
    assert worker.members() == {"Jane@Example.com": 0, "mary@example.com": 0}
    assert depth(sqs, outputs["dlq_url"]) == 0


def test_the_message_of_ses_that_sets_the_topic_up_is_deleted(
    sns: "SNSClient", worker: Worker, outputs: dict[str, Any]
) -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    sns.publish(TopicArn=outputs["topic_arn"], Message=line)
    assert "1 message received, 1 deleted, 0 not understood" in worker.drain()


def test_support_can_ask_why(sns: "SNSClient", worker: Worker, outputs: dict[str, Any]) -> None:
    sns.publish(TopicArn=outputs["topic_arn"], Message=json.dumps(said()))
    worker.drain()
    assert 'bounce: no_such_mailbox [words "user … unknown"]' in worker.run(
        "why", "jane@example.com"
    )
    assert worker.run("check", "mary@example.com").startswith("mary@example.com: yes")
