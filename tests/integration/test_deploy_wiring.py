"""The checks of the wiring, on resources in LocalStack: sound ones pass, each break is found."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scripts.local import localstack
from scripts.local.localstack import LocalStack
from sesbounce.doctor import checks, queues
from sesbounce.doctor.declared import Wiring, declared
from sesbounce.doctor.examine import examine
from sesbounce.doctor.finding import Finding, Weight
from tests.integration.conftest import Applied

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_sns.client import SNSClient
    from types_boto3_sqs.client import SQSClient

ACCOUNT = "000000000000"

# The findings about what LocalStack does not answer, whatever the stack.
# LocalStack accepts the topics of an identity, and never returns them.
UNREADABLE = "the notifications of the identity"


def found(wiring: Wiring, session: boto3.Session) -> list[Finding]:
    """What the checks find, without what LocalStack does not answer."""
    results = list(examine([checks.group(lambda: (wiring, session))]))
    findings = [finding for result in results for finding in result.findings]
    # Nothing is known to be wrong with what can't be read.
    assert {r.id for r in results if "InternalFailure" in r.reason} == {
        "ses.account",
        "ses.configuration-set-settings",
        "ses.recommendations",
    } - ({"ses.configuration-set-settings"} if not wiring.configuration_sets else set())
    return [finding for finding in findings if not finding.what.startswith(UNREADABLE)]


class Real:
    """A small stack of the test's own, made without Terraform: in seconds."""

    def __init__(self, session: boto3.Session) -> None:
        self.session = session
        self.sqs: SQSClient = session.client("sqs")
        self.sns: SNSClient = session.client("sns")
        self.ses: SESClient = session.client("ses")
        self.name = f"wired-{uuid.uuid4().hex[:8]}"
        topic = self.sns.create_topic(Name=self.name)["TopicArn"]
        urls = [self._queue(f"{self.name}{suffix}") for suffix in ("", "-dlq", "-sdlq")]
        names = [url.rpartition("/")[2] for url in urls]
        arns = [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}" for name in names]
        for url, arn in zip(urls, arns, strict=True):
            self.set_queue(url, Policy=self.queue_policy(arn, topic))
        self.set_queue(urls[0], RedrivePolicy=redrive(arns[1], maxReceiveCount=5))
        subscription = self.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arns[0],
            ReturnSubscriptionArn=True,
            Attributes={"RedrivePolicy": redrive(arns[2])},
        )["SubscriptionArn"]
        self.wiring = Wiring(
            topic_arn=topic,
            subscription_arn=subscription,
            queue_url=urls[0],
            queue_arn=arns[0],
            dlq_url=urls[1],
            dlq_arn=arns[1],
            subscription_dlq_url=urls[2],
            subscription_dlq_arn=arns[2],
            identities={f"{self.name}.example.com": frozenset({"Bounce", "Complaint"})},
            configuration_sets={self.name: frozenset({"BOUNCE", "RENDERINGFAILURE"})},
            ses_v1=True,
        )
        self.let_ses_publish()
        self.ses.verify_domain_identity(Domain=f"{self.name}.example.com")
        self.ses.create_configuration_set(ConfigurationSet={"Name": self.name})
        self.send_events("bounce", "renderingFailure")

    def _queue(self, name: str) -> str:
        return self.sqs.create_queue(QueueName=name)["QueueUrl"]

    def set_queue(self, url: str, **attributes: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]

    def set_subscription(self, name: str, value: str) -> None:
        self.sns.set_subscription_attributes(
            SubscriptionArn=self.wiring.subscription_arn, AttributeName=name, AttributeValue=value
        )

    def queue_policy(self, arn: str, topic: str) -> str:
        return policy("sns", "sqs:SendMessage", arn, {"ArnEquals": {"aws:SourceArn": topic}})

    def let_ses_publish(self, **change: str) -> None:
        condition = {"StringEquals": {"aws:SourceAccount": change.get("account", ACCOUNT)}}
        self.sns.set_topic_attributes(
            TopicArn=self.wiring.topic_arn,
            AttributeName="Policy",
            AttributeValue=policy("ses", "sns:Publish", self.wiring.topic_arn, condition),
        )

    def send_events(self, *types: Any, enabled: bool = True, topic: str | None = None) -> None:
        """Have the configuration set publish these."""
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName=self.name,
            EventDestination={
                "Name": self.name,
                "Enabled": enabled,
                "MatchingEventTypes": types,
                "SNSDestination": {"TopicARN": topic or self.wiring.topic_arn},
            },
        )
        if topic is None:
            self.take_setup_message()

    def take_setup_message(self) -> None:
        """SES tries a new destination out; the message comes a little later."""
        url = self.wiring.queue_url
        received = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        (message,) = received["Messages"]
        assert "Successfully validated SNS topic" in message["Body"]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def another_topic(self) -> str:
        return self.sns.create_topic(Name=f"{self.name}-2")["TopicArn"]

    def send_other_events(self, *types: Any, **more: Any) -> None:
        """Have the configuration set publish these instead."""
        self.ses.delete_configuration_set_event_destination(
            ConfigurationSetName=self.name, EventDestinationName=self.name
        )
        if types:
            self.send_events(*types, **more)

    def remove(self) -> None:
        """Leave nothing behind, whatever a test has left of it."""
        for url in self.sqs.list_queues(QueueNamePrefix=self.name).get("QueueUrls", []):
            self.sqs.delete_queue(QueueUrl=url)
        for topic in (self.wiring.topic_arn, f"{self.wiring.topic_arn}-2"):
            self.sns.delete_topic(TopicArn=topic)
        self.ses.delete_identity(Identity=f"{self.name}.example.com")
        with contextlib.suppress(self.ses.exceptions.ConfigurationSetDoesNotExistException):
            self.ses.delete_configuration_set(ConfigurationSetName=self.name)

    def findings(self, **change: Any) -> list[Finding]:
        """The findings, without those about what LocalStack does not answer."""
        return found(replace(self.wiring, **change), self.session)


def policy(service: str, action: str, resource: str, condition: dict[str, Any]) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def redrive(target: str, **more: int) -> str:
    return json.dumps({"deadLetterTargetArn": target, **more})


@pytest.fixture(scope="module")
def session(aws: LocalStack) -> Iterator[boto3.Session]:
    """boto3 as the scripts have it, with the environment in which AWS is LocalStack."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in localstack.environment(aws.endpoint).items():
            patch.setenv(name, value)
        yield boto3.Session(region_name="us-east-1")


@pytest.fixture
def real(session: boto3.Session) -> Iterator[Real]:
    real = Real(session)
    yield real
    real.remove()


def test_the_stack_that_terraform_makes_is_sound(applied: Applied, session: boto3.Session) -> None:
    wired = declared(applied.outputs, applied.stack().resources())
    sqs = session.client("sqs")
    for url in (wired.queue_url, wired.dlq_url or "", wired.subscription_dlq_url):
        sqs.purge_queue(QueueUrl=url)
    assert set(wired.identities.values()) == {frozenset({"Bounce", "Complaint", "Delivery"})}
    assert set(wired.configuration_sets.values()) == {
        frozenset({"BOUNCE", "COMPLAINT", "DELIVERY"})
    }
    assert found(wired, session) == []


def test_a_sound_stack_has_no_findings(real: Real) -> None:
    assert real.findings() == []


Break = Callable[[Real], object]

BREAKS: dict[str, tuple[Break, str]] = {
    "topic policy for nobody": (
        lambda real: real.let_ses_publish(account="999999999999"),
        "the policy of the topic does not let SES publish for arn:aws:ses:us-east-1:",
    ),
    "queue without a policy": (
        lambda real: real.set_queue(real.wiring.queue_url, Policy=""),
        "the policy of the queue does not let the topic send to it",
    ),
    "queue policy for another topic": (
        lambda real: real.set_queue(
            real.wiring.queue_url,
            Policy=real.queue_policy(real.wiring.queue_arn, f"{real.wiring.topic_arn}-2"),
        ),
        "the policy of the queue does not let the topic send to it",
    ),
    "queue without a dead-letter queue": (
        lambda real: real.set_queue(real.wiring.queue_url, RedrivePolicy=""),
        "the queue does not have the declared dead-letter queue",
    ),
    "queue with another dead-letter queue": (
        lambda real: real.set_queue(
            real.wiring.queue_url,
            RedrivePolicy=redrive(real.wiring.subscription_dlq_arn, maxReceiveCount=5),
        ),
        "the queue does not have the declared dead-letter queue",
    ),
    "queue gone": (
        lambda real: real.sqs.delete_queue(QueueUrl=real.wiring.queue_url),
        "AWS finds no such resource (AWS.SimpleQueueService.NonExistentQueue",
    ),
    "topic gone": (
        lambda real: real.sns.delete_topic(TopicArn=real.wiring.topic_arn),
        "AWS finds no such resource (NotFound",
    ),
    "subscription gone": (
        lambda real: real.sns.unsubscribe(SubscriptionArn=real.wiring.subscription_arn),
        "AWS finds no such resource (NotFound",
    ),
    "subscription without a dead-letter queue": (
        lambda real: real.set_subscription("RedrivePolicy", redrive(real.wiring.dlq_arn or "")),
        "the queue's subscription does not have the declared dead-letter queue",
    ),
    "subscription with a filter": (
        lambda real: real.set_subscription("FilterPolicy", '{"kind": ["bounce"]}'),
        "the queue's subscription has a filter",
    ),
    "raw delivery against what is declared": (
        lambda real: real.set_subscription("RawMessageDelivery", "true"),
        "raw message delivery is on, but declared off",
    ),
    "subscription's dead-letter queue without a policy": (
        lambda real: real.set_queue(real.wiring.subscription_dlq_url, Policy=""),
        "the policy of the subscription's dead-letter queue does not let the topic send to it",
    ),
    "dead letters of the worker": (
        lambda real: real.sqs.send_message(QueueUrl=real.wiring.dlq_url or "", MessageBody="x"),
        "1 message waits in wired-",
    ),
    "dead letters of the subscription": (
        lambda real: real.sqs.send_message(
            QueueUrl=real.wiring.subscription_dlq_url, MessageBody="x", DelaySeconds=900
        ),
        "1 message waits in wired-",
    ),
    "configuration set gone": (
        lambda real: real.ses.delete_configuration_set(ConfigurationSetName=real.name),
        "AWS finds no such resource (ConfigurationSetDoesNotExist",
    ),
    "configuration set that publishes nothing": (
        lambda real: real.send_other_events(),
        "does not publish BOUNCE, RENDERINGFAILURE to the topic",
    ),
    "configuration set that publishes less": (
        lambda real: real.send_other_events("bounce"),
        "does not publish RENDERINGFAILURE to the topic",
    ),
    "configuration set that is switched off": (
        lambda real: real.send_other_events("bounce", "renderingFailure", enabled=False),
        "does not publish BOUNCE, RENDERINGFAILURE to the topic",
    ),
    "configuration set that publishes to another topic": (
        lambda real: real.send_other_events(
            "bounce", "renderingFailure", topic=real.another_topic()
        ),
        "does not publish BOUNCE, RENDERINGFAILURE to the topic",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_break_is_found(real: Real, what: str) -> None:
    break_it, expected = BREAKS[what]
    break_it(real)
    findings = real.findings()
    assert findings
    assert expected in findings[0].what or expected in findings[-1].what, findings
    assert {finding.weight for finding in findings} == {Weight.BROKEN}


def test_raw_delivery_and_a_worker_that_wants_envelopes_do_not_go_together(real: Real) -> None:
    real.set_subscription("RawMessageDelivery", "true")
    assert real.findings(raw=True) == []
    (finding,) = real.findings(raw=True, needs_envelope=True)
    assert finding.weight is Weight.BROKEN
    assert "certain topics only" in finding.what


def test_messages_that_nobody_receives_are_found(real: Real) -> None:
    # Another queue: from that of the stack, messages have been received already.
    url = real.sqs.create_queue(QueueName=f"{real.name}-idle")["QueueUrl"]
    idle = replace(real.wiring, queue_url=url, queue_arn=f"{real.wiring.queue_arn}-idle")
    assert list(queues.backlog(idle, real.session)) == []
    real.sqs.send_message(QueueUrl=url, MessageBody="x")
    real.sqs.send_message(QueueUrl=url, MessageBody="y")
    (finding,) = queues.backlog(idle, real.session)
    assert finding.what.startswith(f"2 messages wait in {real.name}-idle, and none was received")
    assert finding.weight is Weight.HINT  # nobody has waited for long yet
    # A message in flight shows that somebody reads.
    real.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert list(queues.backlog(idle, real.session)) == []


def test_a_stack_that_nothing_publishes_to_is_found(real: Real) -> None:
    (finding,) = real.findings(identities={}, configuration_sets={})
    assert finding.what == "nothing publishes to the topic"


def test_a_finding_says_what_why_and_what_to_do(real: Real) -> None:
    real.set_queue(real.wiring.queue_url, Policy="")
    (finding,) = real.findings()
    assert str(finding) == (
        "broken: the policy of the queue does not let the topic send to it: SNS can't deliver to "
        "it: each message waits in the subscription's dead-letter queue. Restore it: make deploy; "
        "to the policy of a queue of your own, add the statements of the output queue_statements."
    )


EXTRA_REGION = "eu-west-1"


@pytest.fixture
def extra_topic(real: Real) -> Iterator[str]:
    """A topic of another region, to which the queue is subscribed and whose messages it accepts."""
    sns: SNSClient = real.session.client("sns", region_name=EXTRA_REGION)
    sqs: SQSClient = real.session.client("sqs", region_name=EXTRA_REGION)
    topic = sns.create_topic(Name=real.name)["TopicArn"]
    queue = real.wiring.queue_arn
    topics = {"ArnEquals": {"aws:SourceArn": [real.wiring.topic_arn, topic]}}
    real.set_queue(real.wiring.queue_url, Policy=policy("sns", "sqs:SendMessage", queue, topics))
    url = sqs.create_queue(QueueName=f"{real.name}-sdlq")["QueueUrl"]
    attributes = {
        "RedrivePolicy": redrive(f"arn:aws:sqs:{EXTRA_REGION}:{ACCOUNT}:{real.name}-sdlq")
    }
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)
    yield topic
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=url)


def test_a_topic_of_another_region_reaches_the_queue(real: Real, extra_topic: str) -> None:
    assert real.findings(extra_topic_arns=(extra_topic,)) == []
    sns: SNSClient = real.session.client("sns", region_name=EXTRA_REGION)
    sns.publish(TopicArn=extra_topic, Message="from elsewhere")
    received = real.sqs.receive_message(QueueUrl=real.wiring.queue_url, WaitTimeSeconds=20)
    (message,) = received["Messages"]
    assert json.loads(message["Body"])["TopicArn"] == extra_topic
    assert json.loads(message["Body"])["Message"] == "from elsewhere"


def test_an_extra_topic_that_does_not_reach_the_queue_is_found(
    real: Real, extra_topic: str
) -> None:
    queue = real.wiring.queue_arn
    real.set_queue(real.wiring.queue_url, Policy=real.queue_policy(queue, real.wiring.topic_arn))
    sns: SNSClient = real.session.client("sns", region_name=EXTRA_REGION)
    (entry,) = sns.list_subscriptions_by_topic(TopicArn=extra_topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=entry["SubscriptionArn"])
    unknown = f"{extra_topic}-2"
    found = [finding.what for finding in real.findings(extra_topic_arns=(extra_topic, unknown))]
    forbidden = "the policy of the queue does not let {} send to it"
    assert found[:3] == [
        forbidden.format(extra_topic),
        f"the queue's subscription to {extra_topic} is missing",
        forbidden.format(unknown),
    ]
    assert found[3] == f"AWS finds no topic {unknown}"
