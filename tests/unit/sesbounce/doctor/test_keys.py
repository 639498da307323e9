"""The checks of the key that encrypts the topic and the queues."""

import json
from typing import Any

from sesbounce.doctor import keys, topic
from tests.unit.sesbounce.doctor.stubbed import ACCOUNT, TOPIC, WIRING, arn, texts

KEY = arn("kms", "key/1")


def key_policy(*services: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key(answers: Any, policy: str, **more: Any) -> list[tuple[str, str]]:
    described = {"KeyId": "1", "Arn": KEY, "Enabled": True, "KeyManager": "CUSTOMER"} | more
    answers.to("kms", "describe_key", {"KeyMetadata": described})
    answers.to("kms", "get_key_policy", {"Policy": policy})
    return texts(keys.key(answers, KEY, "the queue", "sns.amazonaws.com", [TOPIC]))


def test_a_key_lets_the_service_encrypt(answers: Any) -> None:
    assert key(answers, key_policy("ses.amazonaws.com", "sns.amazonaws.com")) == []


def test_the_silent_failure_is_found(answers: Any) -> None:
    what = f"the policy of the key {KEY} does not let sns.amazonaws.com use it for {TOPIC}"
    assert key(answers, key_policy("ses.amazonaws.com")) == [("broken", what)]


def test_a_key_that_waits_for_its_deletion_is_found(answers: Any) -> None:
    policy = key_policy("sns.amazonaws.com")
    found = key(answers, policy, Enabled=False, KeyState="PendingDeletion")
    assert found == [("broken", f"the key {KEY} of the queue is PendingDeletion")]


def test_a_key_that_aws_manages_is_found(answers: Any) -> None:
    described = {"KeyId": "1", "Arn": KEY, "Enabled": True, "KeyManager": "AWS"}
    answers.to("kms", "describe_key", {"KeyMetadata": described})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"KmsMasterKeyId": "alias/aws/sns"}})
    *_, last = texts(topic.topic(WIRING, answers))
    what = "the topic is encrypted with alias/aws/sns, a key that AWS manages"
    assert last == ("broken", what)
