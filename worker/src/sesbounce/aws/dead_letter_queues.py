"""Finds the two dead-letter queues: that of the queue, and that of its subscription to a topic."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.config import Config

from sesbounce.aws.clients import open_client, open_sqs, region_in
from sesbounce.aws.queue_calls import CONFIG, called
from sesbounce.aws.queue_policy import redrive_target, statements, topics_of
from sesbounce.errors import QueueError

_GIVE_URL = "name the dead-letter queue with --queue-url"


def main_dead_letter_queue(queue_url: str, config: Config = CONFIG) -> str:
    """The URL of the queue to which SQS moves the messages that the worker could not handle.

    Args:
        queue_url: the queue that the worker reads.
        config: how the clients call, and how often they retry.

    Raises:
        QueueError: the queue has none, or AWS does not answer.
        ConfigurationError: boto3's own settings can't be used.
    """
    attributes = _attributes(queue_url, config)
    arn = redrive_target(attributes.get("RedrivePolicy"))
    if not arn:
        raise QueueError(
            f"the queue {queue_url} has no dead-letter queue: SQS keeps its messages until they "
            "expire",
            lasting=True,
        )
    return _url_of(arn, config)


def subscription_dead_letter_queue(
    queue_url: str, topic_arns: Sequence[str], config: Config = CONFIG
) -> str:
    """The URL of the queue to which SNS sends the messages that it could not deliver.

    Args:
        queue_url: the queue that is subscribed.
        topic_arns: the topics; empty for those that the policy of the queue lets send to it, or,
            where it names none, as after somebody has removed it, all of the account and region.
            Topics of other regions and accounts count only where no other is among them: their
            subscriptions have dead-letter queues of their own.
        config: how the clients call, and how often they retry.

    Raises:
        QueueError: there is none, there are several, or AWS does not answer.
        ConfigurationError: boto3's own settings can't be used.
    """
    attributes = _attributes(queue_url, config)
    topics = sorted(set(topic_arns)) or sorted(topics_in(attributes.get("Policy")))
    queue_arn = attributes.get("QueueArn", "")
    beside = [topic for topic in topics if topic.split(":")[3:5] == queue_arn.split(":")[3:5]]
    # Without a topic: the subscriptions to all topics of the account and region.
    asked: Sequence[str | None] = beside or topics or [None]
    try:
        found = {arn for topic in asked for arn in _targets(topic, queue_arn, config)}
    except QueueError as error:
        if topics:
            raise
        raise QueueError(
            f"the policy of the queue {queue_url} names no topic: set SESBOUNCE_TOPIC_ARNS, or "
            f"{_GIVE_URL}",
            lasting=error.lasting,
        ) from error
    if not found:
        raise QueueError(
            "no subscription of the queue has a dead-letter queue: SNS deletes what it can't "
            f"deliver. The topics are {', '.join(topics) or 'those of the account and region'}",
            lasting=True,
        )
    if len(found) > 1:
        several = ", ".join(sorted(found))
        raise QueueError(
            f"the subscriptions of the queue have several dead-letter queues ({several}): "
            f"{_GIVE_URL}",
            lasting=True,
        )
    return _url_of(found.pop(), config)


def topics_in(policy: str | None) -> set[str]:
    """The topics that may send to a queue, by the condition `aws:SourceArn` of its policy."""
    allowing = (one for one in statements(policy) if one.get("Effect") == "Allow")
    return {topic for statement in allowing for topic in topics_of(statement)}


def _attributes(queue_url: str, config: Config) -> Mapping[Any, str]:
    client = open_sqs(queue_url, config)
    answer = called(
        "sqs:GetQueueAttributes",
        queue_url,
        lambda: client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"]),
    )
    return answer.get("Attributes") or {}


def _targets(topic_arn: str | None, queue_arn: str, config: Config) -> Iterator[str]:
    """The dead-letter queues of the subscriptions of a queue to a topic, or to any beside it."""
    client = open_client("sns", config, region_in(topic_arn or queue_arn))
    pages: Any = (
        client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        if topic_arn
        else client.get_paginator("list_subscriptions").paginate()
    )
    subscriptions = called(
        "sns:ListSubscriptionsByTopic" if topic_arn else "sns:ListSubscriptions",
        topic_arn or queue_arn,
        lambda: [
            entry["SubscriptionArn"]
            for page in pages
            for entry in page.get("Subscriptions", ())
            # One that is not confirmed has no ARN yet.
            if entry.get("Endpoint") == queue_arn and entry["SubscriptionArn"].startswith("arn:")
        ],
    )
    for arn in subscriptions:
        answer = called(
            "sns:GetSubscriptionAttributes",
            arn,
            lambda arn=arn: client.get_subscription_attributes(SubscriptionArn=arn),  # type: ignore[misc]
        )
        if target := redrive_target(answer.get("Attributes", {}).get("RedrivePolicy")):
            yield target


def _url_of(arn: str, config: Config) -> str:
    client = open_client("sqs", config, region_in(arn))
    *_, account, name = arn.split(":")
    answer = called(
        "sqs:GetQueueUrl",
        arn,
        lambda: client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account),
    )
    return answer["QueueUrl"]
