"""Asks the policies of topics, queues and keys who may publish, send, encrypt and decrypt."""

import json
import re
from typing import Any

import pytest

from sesbounce.doctor.iam import allows
from tests.terraform.conftest import SOURCE
from tests.terraform.names import (
    ACCOUNT,
    CONFIGURATION_SET,
    DLQ,
    EXTRA_TOPIC,
    IDENTITY,
    KEY,
    OPT_IN_SNS,
    OPT_IN_TOPIC,
    OTHER_ACCOUNT,
    QUEUE,
    REGION,
    SES,
    SNS,
    SOMEBODY,
    SUBSCRIPTION_DLQ,
    TOPIC,
)
from tests.terraform.requesting import request_for

# --- Who may publish, send, decrypt, or take a role ---------------------------------------------


@pytest.mark.parametrize(
    ("name", "queue"), [("queue_policy", QUEUE), ("subscription_dlq_policy", SUBSCRIPTION_DLQ)]
)
@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"account": None}, True),
        ({"account": OTHER_ACCOUNT}, False),
        ({"source": f"{TOPIC}2"}, False),
        ({"source": TOPIC.replace(ACCOUNT, OTHER_ACCOUNT)}, False),
        ({"source": None}, False),
        ({"principal": SES}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sqs:ReceiveMessage"}, False),
        ({"action": "sqs:PurgeQueue"}, False),
    ],
)
def test_only_this_topic_sends(
    full: dict[str, Any], name: str, queue: str, changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sqs:SendMessage", "principal": SNS, "source": TOPIC}
    assert allows(full[name], request_for(queue, **(asked | changed))) is allowed


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": OPT_IN_TOPIC, "account": OTHER_ACCOUNT, "principal": OPT_IN_SNS}, True),
        ({"source": OPT_IN_TOPIC, "account": None}, True),
        ({"source": f"{EXTRA_TOPIC}2"}, False),
        ({"source": EXTRA_TOPIC.replace(ACCOUNT, OTHER_ACCOUNT), "account": OTHER_ACCOUNT}, False),
        ({"source": EXTRA_TOPIC.replace("us-east-1", "us-east-2")}, False),
        ({"account": "111111111111"}, False),
        ({"source": None}, False),
        ({"principal": SES}, False),
        ({"principal": ("Service", "sns.me-south-1.amazonaws.com")}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sqs:ReceiveMessage"}, False),
    ],
)
def test_extra_topics_send_to_the_queue_alone(
    full: dict[str, Any], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sqs:SendMessage", "principal": SNS, "source": EXTRA_TOPIC} | changed
    assert allows(full["queue_policy"], request_for(QUEUE, **asked)) is allowed
    # SNS accepts a dead-letter queue in the topic's own region only.
    assert not allows(full["subscription_dlq_policy"], request_for(SUBSCRIPTION_DLQ, **asked))
    assert not allows(full["dlq_policy"], request_for(DLQ, **asked))


@pytest.mark.parametrize("principal", [SNS, SES, SOMEBODY])
def test_nobody_sends_to_the_dead_letter_queue(
    full: dict[str, Any], principal: tuple[str, str]
) -> None:
    request = request_for(DLQ, action="sqs:SendMessage", principal=principal, source=TOPIC)
    assert not allows(full["dlq_policy"], request)


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": CONFIGURATION_SET}, True),
        ({"source": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/example.com"}, False),
        ({"source": f"arn:aws:ses:{REGION}:receipt-rule-set/inbound"}, False),
        ({"source": IDENTITY.replace(ACCOUNT, OTHER_ACCOUNT)}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"account": None}, False),
        ({"source": None}, False),
        ({"principal": SNS}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sns:Subscribe"}, False),
        ({"action": "sns:SetTopicAttributes"}, False),
    ],
)
def test_only_ses_of_this_account_publishes(
    full: dict[str, Any], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sns:Publish", "principal": SES, "source": IDENTITY}
    assert allows(full["topic_policy"], request_for(TOPIC, **(asked | changed))) is allowed


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"arn:aws:cloudwatch:{REGION}:alarm:other"}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"principal": SES}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sns:Subscribe"}, False),
    ],
)
def test_only_alarms_of_this_stack_publish(
    full: dict[str, Any], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {
        "action": "sns:Publish",
        "principal": ("Service", "cloudwatch.amazonaws.com"),
        "source": f"arn:aws:cloudwatch:{REGION}:alarm:sesbounce-dlq",
    }
    # Under a mock all topics have one ARN.
    assert allows(full["alarm_topic_policy"], request_for(TOPIC, **(asked | changed))) is allowed


def test_the_statements_for_policies_of_the_user_are_those_of_the_document(
    full: dict[str, Any],
) -> None:
    text = (SOURCE.parent / "docs/adopt.md").read_text("utf-8")
    alarms, log = map(json.loads, re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    rendered = json.loads(full["alarm_topic_statement"])
    assert alarms == rendered | {"Resource": f"arn:aws:sns:{REGION}:operators"}
    assert log == json.loads(full["log_kms_key_statement"])


def test_the_key_encrypts_the_topic_and_all_queues(
    planned: dict[str, list[dict[str, Any]]],
) -> None:
    encrypted = [
        resource["values"]["name"]
        for resource in planned["full"]
        if resource["type"] in ("aws_sns_topic", "aws_sqs_queue")
        if resource["values"]["kms_master_key_id"] == KEY
    ]
    own = "sesbounce-feedback"
    assert sorted(encrypted) == [own, own, f"{own}-dlq", f"{own}-subscription-dlq"]


@pytest.mark.parametrize("action", ["kms:GenerateDataKey", "kms:Decrypt"])
@pytest.mark.parametrize(
    ("principal", "source", "account", "allowed"),
    [
        (SES, IDENTITY, ACCOUNT, True),
        (SES, CONFIGURATION_SET, ACCOUNT, True),
        (SES, None, None, True),
        (SES, IDENTITY.replace(ACCOUNT, OTHER_ACCOUNT), OTHER_ACCOUNT, False),
        (SES, None, OTHER_ACCOUNT, False),
        (SNS, TOPIC, ACCOUNT, True),
        (SNS, None, None, True),
        (SNS, f"{TOPIC}2", ACCOUNT, False),
        (SNS, TOPIC, OTHER_ACCOUNT, False),
        (SNS, EXTRA_TOPIC, ACCOUNT, True),
        (OPT_IN_SNS, OPT_IN_TOPIC, OTHER_ACCOUNT, True),
        (SNS, f"{EXTRA_TOPIC}2", ACCOUNT, False),
        (SNS, EXTRA_TOPIC.replace(ACCOUNT, OTHER_ACCOUNT), OTHER_ACCOUNT, False),
        (("Service", "s3.amazonaws.com"), None, None, False),
        (SOMEBODY, None, None, False),
        (("AWS", f"arn:aws:iam::{ACCOUNT}:root"), None, None, True),
    ],
)
def test_ses_and_sns_use_the_key(
    full: dict[str, Any],
    action: str,
    principal: tuple[str, str],
    source: str | None,
    account: str | None,
    *,
    allowed: bool,
) -> None:
    request = request_for(KEY, action=action, principal=principal, source=source, account=account)
    assert allows(full["kms_key_policy"], request) is allowed


@pytest.mark.parametrize("principal", [SES, SNS])
@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:Encrypt"])
def test_they_do_nothing_else_with_it(
    full: dict[str, Any], principal: tuple[str, str], action: str
) -> None:
    request = request_for(KEY, action=action, principal=principal, source=None, account=None)
    assert not allows(full["kms_key_policy"], request)
