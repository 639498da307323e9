"""Checks the topics of other regions and accounts that send to the queue."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.queues import attributes_of, written_by
from sesbounce.doctor.topic import PENDING, is_filtered

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient

_NO_MESSAGE = "no message of the topic reaches the worker"
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
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NotFound":
                yield broken(f"AWS finds no topic {topic_arn}", _NO_MESSAGE, _REDO)
            else:
                yield _unread(topic_arn, error_text(error))
        except BotoCoreError as error:
            yield _unread(topic_arn, str(error))


def _unread(topic_arn: str, reason: str) -> Finding:
    return hint(
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
    # SNS lists one that is not confirmed, or was deleted a moment ago, without its ARN.
    confirmed = [arn for arn in found if arn.startswith("arn:")]
    if not confirmed:
        missing = "is not confirmed" if PENDING in found else "is missing"
        yield broken(f"the queue's subscription to {topic_arn} {missing}", _NO_MESSAGE, _REDO)
        return
    answer = client.get_subscription_attributes(SubscriptionArn=confirmed[0])["Attributes"]
    if is_filtered(answer):
        yield broken(
            f"the queue's subscription to {topic_arn} has a filter",
            "messages that do not match it never reach the worker",
            "Remove it in the SNS console of the topic's region",
        )
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
