"""The checks of the queues, and of the people who subscribe to the topic."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sesbounce.doctor import queues, topic
from sesbounce.doctor.declared import declared
from sesbounce.doctor.finding import Weight
from tests.unit.sesbounce.doctor.stubbed import OUTPUTS, SCHEDULED, TOPIC, WIRING, sent_by, texts


def test_unconfirmed_e_mail_subscriptions_are_counted(answers: Any) -> None:
    entries = [
        {"Protocol": "email", "SubscriptionArn": "PendingConfirmation"},
        {"Protocol": "email", "SubscriptionArn": f"{TOPIC}:2"},
        {"Protocol": "sqs", "SubscriptionArn": f"{TOPIC}:1"},
    ]
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    what = "1 e-mail subscriptions to the topic are not confirmed"
    assert texts(topic.people(WIRING, answers)) == [("hint", what)]


@pytest.mark.parametrize(
    ("dlq_arn", "redrive", "found"),
    [
        (None, {}, [("hint", "the queue has no dead-letter queue")]),
        (None, {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}, []),
    ],
)
def test_a_queue_of_the_user_s_may_have_no_dead_letter_queue(
    answers: Any, dlq_arn: str | None, redrive: dict[str, str], found: list[tuple[str, str]]
) -> None:
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, **redrive))
    assert texts(queues.queue(replace(WIRING, dlq_arn=dlq_arn, dlq_url=None), answers)) == found


@pytest.mark.parametrize(
    ("seconds", "age"),
    [([], ""), ([7200.0], ", the oldest for 2 hours"), ([260000.0], ", the oldest for 3 days")],
)
def test_dead_letters_are_counted_with_the_age_of_the_oldest(
    answers: Any, seconds: list[float], age: str
) -> None:
    for count in ("3", "0"):
        attributes = {"Attributes": {"ApproximateNumberOfMessages": count}}
        answers.to("sqs", "get_queue_attributes", attributes)
    results = {"MetricDataResults": [{"Values": seconds}]}
    answers.to("cloudwatch", "get_metric_data", results)
    (found,) = queues.dead_letters(WIRING, answers)
    assert (found.weight, found.what) == (
        Weight.BROKEN,
        f"3 messages wait in feedback-dlq{age}",
    )


def answer_of_the_metrics(answers: Any, received: list[float], oldest: list[float]) -> None:
    counts = {"ApproximateNumberOfMessages": "5", "ApproximateNumberOfMessagesNotVisible": "0"}
    answers.to("sqs", "get_queue_attributes", {"Attributes": counts})
    for values in (received, oldest):
        at = [datetime(2026, 11, 20, tzinfo=UTC)] * len(values)
        result = {"Id": "metric", "Values": values, "Timestamps": at}
        answers.to("cloudwatch", "get_metric_data", {"MetricDataResults": [result]})


@pytest.mark.parametrize(
    ("received", "oldest", "found"),
    [
        ([3.0], [2000.0], []),
        ([0.0], [60.0], [("hint", "5 messages wait in feedback")]),
        ([], [60.0, 2000.0], [("broken", "5 messages wait in feedback")]),
    ],
)
def test_a_backlog_without_a_reader_breaks_when_it_is_old(
    answers: Any, received: list[float], oldest: list[float], found: list[tuple[str, str]]
) -> None:
    answer_of_the_metrics(answers, received, oldest)
    assert texts(queues.backlog(WIRING, answers)) == [
        (weight, f"{what}, and none was received in 15 minutes") for weight, what in found
    ]


@pytest.mark.parametrize(
    ("received", "oldest", "found"),
    [
        ([3.0], [9000.0], []),
        ([], [3500.0], []),  # before the first run
        ([], [8101.0], [("broken", "5 messages wait in feedback")]),
    ],
)
def test_between_two_runs_messages_may_wait(
    answers: Any, received: list[float], oldest: list[float], found: list[tuple[str, str]]
) -> None:
    answer_of_the_metrics(answers, received, oldest)
    wired = declared(OUTPUTS | SCHEDULED | {"run_interval_seconds": 3600}, [])
    assert texts(queues.backlog(wired, answers)) == [
        (weight, f"{what}, and none was received in 135 minutes") for weight, what in found
    ]
