"""AWS on this machine for the pictures of the console, by moto: a path to the queue, dead letters.

It has faults that the doctor finds: the dead letters, and a subscription without a dead-letter
queue.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from scripts.local import localstack
from scripts.local.ses_messages import Mail, Scenario, messages

_LOOPBACK = "127.0.0.1"
_REGION = "eu-west-1"
_NAME = "sesbounce-feedback"
_IDENTITY = "shop.example.com"
_FOURTEEN_DAYS = str(14 * 86400)
# The numbers of letters of each kind: the first ones came while the database was away.
_UNDERSTOOD = {Scenario.SUCCESS: 31, Scenario.BOUNCE: 12, Scenario.COMPLAINT: 2}
_NOT_UNDERSTOOD = {
    "a test of the queue by hand": 3,
    '{"eventType": "Bounce", "mail": {"messageId": "0100"}}': 1,
}


@contextmanager
def running() -> Iterator[tuple[Mapping[str, str], str]]:
    """Run it; gives the environment in which programs use it, and the URL of the queue."""
    server = ThreadedMotoServer(_LOOPBACK, 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment = localstack.environment(f"http://{host}:{port}")
        environment |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), _REGION)
        yield environment, _make(environment["AWS_ENDPOINT_URL"])
    finally:
        server.stop()


def _make(endpoint: str) -> str:
    """Make the path and the dead letters, and return the URL of the queue."""
    session = boto3.Session("test", "test", region_name=_REGION)
    sqs: Any = session.client("sqs", endpoint_url=endpoint)
    sns: Any = session.client("sns", endpoint_url=endpoint)
    topic = sns.create_topic(Name=_NAME)["TopicArn"]
    dead = _queue(sqs, f"{_NAME}-dlq", MessageRetentionPeriod=_FOURTEEN_DAYS)
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": 5}
    queue = _queue(sqs, _NAME, RedrivePolicy=json.dumps(redrive), Policy=json.dumps(_policy(topic)))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=_arn(sqs, queue))
    _publish(session.client("ses", endpoint_url=endpoint), topic)
    for body in _letters(datetime.now(UTC)):
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    return queue


def _publish(ses: Any, topic: str) -> None:
    """Let SES publish to the topic. moto keeps that for configuration sets alone."""
    ses.verify_domain_identity(Domain=_IDENTITY)
    ses.create_configuration_set(ConfigurationSet={"Name": "newsletter"})
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="newsletter",
        EventDestination={
            "Name": "sns",
            "Enabled": True,
            "MatchingEventTypes": ["bounce", "complaint", "delivery"],
            "SNSDestination": {"TopicARN": topic},
        },
    )


def _policy(topic: str) -> Mapping[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }


def _queue(sqs: Any, name: str, **attributes: str) -> str:
    """Create a queue, and return its URL."""
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url


def _arn(sqs: Any, url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = attributes["Attributes"]["QueueArn"]
    return arn


def _letters(now: datetime) -> Iterator[str]:
    """The texts of the dead letters."""
    sent_at = now - timedelta(minutes=1)
    for scenario, count in _UNDERSTOOD.items():
        for number in range(count):
            recipient = f"member-{number}@example.org"
            mail = Mail(f"0100-{scenario}-{number}", f"news@{_IDENTITY}", recipient, sent_at)
            yield json.dumps(messages(scenario, mail, now, "event")[-1])
    for body, count in _NOT_UNDERSTOOD.items():
        yield from [body] * count
