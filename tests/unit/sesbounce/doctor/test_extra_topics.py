"""The checks of extra topics."""

from dataclasses import replace
from typing import Any

import pytest

from sesbounce.doctor import extra_topics
from tests.unit.sesbounce.doctor.stubbed import EXTRA, TOPIC, WIRING, sent_by, texts


def extra(answers: Any, sent: dict[str, Any], entries: list[dict[str, str]]) -> Any:
    answers.to("sqs", "get_queue_attributes", sent)
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    return texts(extra_topics.extra_topics(replace(WIRING, extra_topic_arns=(EXTRA,)), answers))


SUBSCRIBED = {"SubscriptionArn": f"{EXTRA}:1", "Endpoint": WIRING.queue_arn}


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"RedrivePolicy": "{}"}, []),
        ({}, [("broken", f"the queue's subscription to {EXTRA} has no dead-letter queue")]),
        (
            {"RedrivePolicy": "{}", "RawMessageDelivery": "true"},
            [
                (
                    "broken",
                    f"raw message delivery of {EXTRA} is on, unlike that of the stack's topic",
                )
            ],
        ),
        (
            {"RedrivePolicy": "{}", "FilterPolicy": '{"notificationType": ["Bounce"]}'},
            [("broken", f"the queue's subscription to {EXTRA} has a filter")],
        ),
    ],
)
def test_an_extra_topic_is_asked_in_its_own_region(
    answers: Any, attributes: dict[str, str], found: list[tuple[str, str]]
) -> None:
    answers.client("sns")
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": [SUBSCRIBED]})
    answers.to("sns", "get_subscription_attributes", {"Attributes": attributes})
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    assert texts(extra_topics.extra_topics(wired, answers)) == found
    assert answers.regions[-1] == "us-east-1"


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], "missing"),
        ([SUBSCRIBED | {"Endpoint": "another"}], "missing"),
        ([SUBSCRIBED | {"SubscriptionArn": "PendingConfirmation"}], "not confirmed"),
        ([SUBSCRIBED | {"SubscriptionArn": "Deleted"}], "missing"),
    ],
)
def test_an_extra_topic_without_the_queue_is_found(
    answers: Any, entries: list[dict[str, str]], state: str
) -> None:
    what = f"the queue's subscription to {EXTRA} is {state}"
    assert extra(answers, sent_by(TOPIC, EXTRA), entries) == [("broken", what)]


def test_a_second_subscription_that_waits_changes_nothing(answers: Any) -> None:
    entries = [SUBSCRIBED | {"SubscriptionArn": "PendingConfirmation"}, SUBSCRIBED]
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    answers.to("sns", "get_subscription_attributes", {"Attributes": {"RedrivePolicy": "{}"}})
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    assert texts(extra_topics.extra_topics(wired, answers)) == []


def test_an_extra_topic_that_is_gone_is_broken_and_hides_no_other(answers: Any) -> None:
    another = f"{EXTRA}-2"
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA, another))
    answers.refuses("sns", "list_subscriptions_by_topic", "NotFound")
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": []})
    wired = replace(WIRING, extra_topic_arns=(EXTRA, another))
    assert texts(extra_topics.extra_topics(wired, answers)) == [
        ("broken", f"AWS finds no topic {EXTRA}"),
        ("broken", f"the queue's subscription to {another} is missing"),
    ]


def test_an_extra_topic_that_the_queue_does_not_accept_is_found(answers: Any) -> None:
    first, _ = extra(answers, sent_by(TOPIC), [])
    assert first == ("broken", f"the policy of the queue does not let {EXTRA} send to it")


def test_an_extra_topic_that_can_t_be_asked_is_a_hint(answers: Any) -> None:
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.refuses("sns", "list_subscriptions_by_topic", "AuthorizationError")
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    what = f"the subscriptions to {EXTRA} can't be read (AuthorizationError: no)"
    assert texts(extra_topics.extra_topics(wired, answers)) == [("hint", what)]
