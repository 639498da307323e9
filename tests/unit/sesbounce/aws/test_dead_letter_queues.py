"""The dead-letter queues are found by the queue, its policy and its subscriptions."""

import json
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from sesbounce.aws import clients, dead_letter_queues
from sesbounce.aws.dead_letter_queues import (
    main_dead_letter_queue,
    subscription_dead_letter_queue,
    topics_in,
)
from sesbounce.errors import QueueError
from tests.unit.sesbounce.dead_letter_queue import rejected

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/feedback"
ARN = "arn:aws:sqs:eu-west-1:123456789012:feedback"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:feedback"
OTHER = "arn:aws:sns:us-east-1:123456789012:feedback"


def redrive(name: str, region: str = "eu-west-1") -> str:
    return json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{region}:123456789012:{name}"})


def statement(*topics: str, effect: str = "Allow") -> dict[str, Any]:
    sources = list(topics) if len(topics) > 1 else topics[0]
    return {"Effect": effect, "Condition": {"ArnEquals": {"aws:SourceArn": sources}}}


class Account:
    """The queue and its subscriptions, in all regions.

    Attributes:
        attributes: those of the queue.
        subscriptions: the redrive policy of each subscription of the queue, by topic.
        denied: the actions that IAM does not allow.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {"QueueArn": ARN}
        self.subscriptions: dict[str, str] = {}
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def open(self, service: str, _config: object, region: str) -> Any:
        def answer(name: str, result: Callable[..., Any]) -> Callable[..., Any]:
            def call(**arguments: Any) -> Any:
                self.asked.append((name, region))
                if name in self.denied:
                    raise rejected("AccessDenied", "not authorized")
                return result(**arguments)

            return call

        return SimpleNamespace(
            meta=SimpleNamespace(endpoint_url=f"https://{service}.{region}.amazonaws.com"),
            get_queue_attributes=answer(
                "GetQueueAttributes", lambda **_: {"Attributes": self.attributes}
            ),
            get_queue_url=answer(
                "GetQueueUrl",
                lambda QueueName, **_: {"QueueUrl": f"{region}/{QueueName}"},  # noqa: N803
            ),
            get_paginator=lambda name: SimpleNamespace(
                paginate=self.all_pages if name == "list_subscriptions" else self.pages
            ),
            get_subscription_attributes=answer(
                "GetSubscriptionAttributes",
                lambda SubscriptionArn: {"Attributes": self._of(SubscriptionArn)},  # noqa: N803
            ),
        )

    def pages(self, TopicArn: str) -> list[Any]:  # noqa: N803
        others = [
            {"Endpoint": "jane@example.com", "SubscriptionArn": f"{TopicArn}:mail"},
            {"Endpoint": ARN, "SubscriptionArn": "PendingConfirmation"},
        ]
        own = {"Endpoint": ARN, "SubscriptionArn": f"{TopicArn}:1"}
        return [{"Subscriptions": others}, {"Subscriptions": [own]}]

    def all_pages(self) -> Iterator[Any]:
        if "ListSubscriptions" in self.denied:
            raise rejected("AccessDenied", "not authorized")
        for topic in self.subscriptions:
            yield from self.pages(topic)

    def _of(self, arn: str) -> Mapping[str, str]:
        policy = self.subscriptions.get(arn.removesuffix(":1"))
        return {"RedrivePolicy": policy} if policy else {}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    for module in (clients, dead_letter_queues):
        monkeypatch.setattr(module, "open_client", account.open)
    return account


def test_the_queue_names_its_own(account: Account) -> None:
    account.attributes["RedrivePolicy"] = redrive("feedback-dlq")
    assert main_dead_letter_queue(URL) == "eu-west-1/feedback-dlq"


def test_a_queue_without_one(account: Account) -> None:
    with pytest.raises(QueueError, match="has no dead-letter queue"):
        main_dead_letter_queue(URL)


def test_a_right_that_is_missing_is_named_with_its_resource(account: Account) -> None:
    account.attributes["RedrivePolicy"] = redrive("feedback-dlq")
    account.denied = {"GetQueueUrl"}
    with pytest.raises(QueueError) as caught:
        main_dead_letter_queue(URL)
    assert f"sqs:GetQueueUrl on {ARN}-dlq failed: AccessDenied" in str(caught.value)
    assert "consumer_may_redrive = true" in str(caught.value)


@pytest.mark.parametrize("topics", [[], [TOPIC]])
def test_that_of_the_subscription_is_found_by_the_topics(
    account: Account, topics: list[str]
) -> None:
    account.attributes["Policy"] = json.dumps({"Statement": [statement(TOPIC)]})
    account.subscriptions[TOPIC] = redrive("feedback-subscription-dlq")
    url = subscription_dead_letter_queue(URL, topics)
    assert url == "eu-west-1/feedback-subscription-dlq"


def test_several_have_to_be_told_apart(account: Account) -> None:
    account.subscriptions = {TOPIC: redrive("one"), f"{TOPIC}2": redrive("two")}
    with pytest.raises(QueueError, match=r"several dead-letter queues .*--queue-url"):
        subscription_dead_letter_queue(URL, [TOPIC, f"{TOPIC}2"])


def test_topics_of_other_regions_have_queues_of_their_own(account: Account) -> None:
    account.subscriptions = {TOPIC: redrive("one"), OTHER: redrive("other", "us-east-1")}
    assert subscription_dead_letter_queue(URL, [TOPIC, OTHER]) == "eu-west-1/one"
    assert {region for _, region in account.asked} == {"eu-west-1"}
    # Each topic is asked in its own region, and so is its queue.
    assert subscription_dead_letter_queue(URL, [OTHER]) == "us-east-1/other"
    assert ("GetSubscriptionAttributes", "us-east-1") in account.asked


@pytest.mark.parametrize("policy", [None, TOPIC])
def test_there_may_be_none(account: Account, policy: str | None) -> None:
    if policy:
        account.attributes["Policy"] = json.dumps({"Statement": [statement(policy)]})
    with pytest.raises(QueueError, match="no subscription of the queue"):
        subscription_dead_letter_queue(URL, [])


def test_a_queue_without_its_policy_still_has_its_subscription(account: Account) -> None:
    """A policy that somebody has removed is the usual cause of letters in that queue."""
    account.subscriptions[TOPIC] = redrive("feedback-subscription-dlq")
    assert subscription_dead_letter_queue(URL, []) == "eu-west-1/feedback-subscription-dlq"
    account.denied = {"ListSubscriptions"}
    with pytest.raises(
        QueueError, match=r"names no topic: set SESBOUNCE_TOPIC_ARNS, or .*--queue-url"
    ):
        subscription_dead_letter_queue(URL, [])


def test_the_topics_of_a_policy() -> None:
    statements = [
        statement(TOPIC, OTHER),
        statement("arn:aws:sns:*:*:*"),
        statement("arn:aws:s3:::bucket"),
        statement(f"{TOPIC}2", effect="Deny"),
        {"Effect": "Allow"},
    ]
    assert topics_in(json.dumps({"Statement": statements})) == {TOPIC, OTHER}
    assert topics_in(json.dumps({"Statement": statement(TOPIC)})) == {TOPIC}
    assert topics_in(None) == set()
