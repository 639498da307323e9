"""Checks the topics of other regions and accounts that send to the queue."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.queues import attributes_of, written_by
from sesbounce.doctor.topic import PENDING

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient

_REDO = "Apply the module feedback_topic in the region of the topic"


def extra_topics(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each topic may send to the queue, and the queue is subscribed to it."""
    if not wiring.extra_topic_arns:
        return
    attributes = attributes_of(session, wiring.queue_url)
    for topic_arn in wiring.extra_topic_arns:
        yield from written_by(topic_arn, wiring, session, wiring.queue_arn, attributes, "the queue")
        try:
            yield from _subscription(topic_arn, wiring, session)
        except (BotoCoreError, ClientError) as error:
            reason = error_text(error) if isinstance(error, ClientError) else str(error)
            yield hint(
                f"the subscriptions to {topic_arn} can't be read ({reason})",
                "whether its messages reach the queue is not checked",
                "Allow these credentials to call sns:ListSubscriptionsByTopic on it, or look in "
                "the AWS console of its account and region",
            )


def _subscription(topic_arn: str, wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The queue's subscription to one topic, as the topic's region has it."""
    client: SNSClient = session.client("sns", region_name=topic_arn.split(":")[3])
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    found = [
        entry["SubscriptionArn"]
        for page in pages
        for entry in page["Subscriptions"]
        if entry["Endpoint"] == wiring.queue_arn
    ]
    if not found or found == [PENDING]:
        missing = "is not confirmed" if found else "is missing"
        yield broken(
            f"the queue's subscription to {topic_arn} {missing}",
            "no message of the topic reaches the worker",
            _REDO,
        )
        return
    answer = client.get_subscription_attributes(SubscriptionArn=found[0])["Attributes"]
    if "RedrivePolicy" not in answer:
        yield broken(
            f"the queue's subscription to {topic_arn} has no dead-letter queue",
            "messages that SNS can't deliver are lost",
            _REDO,
        )
    if (answer.get("RawMessageDelivery") == "true") != wiring.raw:
        yield broken(
            f"raw message delivery of {topic_arn} is {'off' if wiring.raw else 'on'}, unlike that "
            "of the stack's topic",
            "its messages arrive in another form than their readers expect",
            _REDO,
        )
