"""The checks of the alarms."""

import json
from typing import Any

import pytest

from sesbounce.doctor import alarms
from tests.unit.sesbounce.doctor.stubbed import ACCOUNT, WIRING, arn, texts


@pytest.mark.parametrize(
    ("subscriptions", "publisher", "found"),
    [
        (["x"], "cloudwatch.amazonaws.com", []),
        ([], "cloudwatch.amazonaws.com", [("hint", "nobody has subscribed to the alarms")]),
        (
            ["PendingConfirmation", "x"],
            "cloudwatch.amazonaws.com",
            [("hint", "1 of 2 subscriptions to the alarms are not confirmed")],
        ),
        (
            ["x"],
            "ses.amazonaws.com",
            [("broken", "the policy of the alarms' topic does not let CloudWatch publish")],
        ),
    ],
)
def test_alarms_are_received(
    answers: Any, subscriptions: list[str], publisher: str, found: list[tuple[str, str]]
) -> None:
    alarm = arn("cloudwatch", "alarm:sesbounce-*")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": publisher},
        "Action": "sns:Publish",
        "Resource": WIRING.alarm_topic_arn,
        "Condition": {"ArnLike": {"aws:SourceArn": alarm}},
    }
    has_alarm_topic(answers, statement)
    entries = [{"SubscriptionArn": subscription} for subscription in subscriptions]
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    assert texts(alarms.alarms(WIRING, answers)) == found


def has_alarm_topic(answers: Any, statement: dict[str, Any]) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"Policy": policy}})


@pytest.mark.parametrize(
    ("condition", "lets_all_publish"),
    [
        # The default policy of a topic, as SNS writes it.
        ({"StringEquals": {"AWS:SourceOwner": ACCOUNT}}, True),
        ({"StringEquals": {"AWS:SourceOwner": "999999999999"}}, False),
        # One of two alarms.
        ({"ArnLike": {"aws:SourceArn": arn("cloudwatch", "alarm:sesbounce-dlq")}}, False),
    ],
)
def test_a_topic_of_the_user_lets_each_alarm_publish(
    answers: Any, condition: dict[str, Any], *, lets_all_publish: bool
) -> None:
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": WIRING.alarm_topic_arn,
        "Condition": condition,
    }
    has_alarm_topic(answers, statement)
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": [{"SubscriptionArn": "x"}]})
    found = list(alarms.alarms(WIRING, answers))
    assert [finding.what for finding in found] == (
        []
        if lets_all_publish
        else ["the policy of the alarms' topic does not let CloudWatch publish"]
    )
    assert all("alarm_topic_statement" in finding.remedy for finding in found)
