import json
from typing import Any

import pytest

from sesbounce.doctor.iam import Call, lets
from sesbounce.errors import UnknownPolicyError

TOPIC = "arn:aws:sns:eu-west-1:123456789012:feedback"
IDENTITY = "arn:aws:ses:eu-west-1:123456789012:identity/example.com"
CONTEXT = {
    "aws:SourceAccount": "123456789012",
    "aws:SourceArn": IDENTITY,
    "aws:SecureTransport": "true",
}
CALL = Call("ses.amazonaws.com", "sns:Publish", TOPIC, CONTEXT)

ALLOW: dict[str, Any] = {
    "Sid": "x",
    "Effect": "Allow",
    "Principal": {"Service": "ses.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": TOPIC,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"]}},
        {"Action": ["SNS:Subscribe", "SNS:Publish"]},
        {"Action": "sns:*"},
        {"Resource": "*"},
        {"Resource": "arn:aws:sns:*:*:feedback"},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": ["1", "123456789012"]}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:123456789012:identity/*"}}},
        {"Condition": {"StringLike": {"aws:SourceArn": "arn:aws:ses:*"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}},
    ],
)
def test_the_call_is_allowed(change: dict[str, Any]) -> None:
    assert lets(policy(ALLOW | change, TLS_ONLY), CALL)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sns:Subscribe"},
        {"Resource": "arn:aws:sns:eu-west-1:123456789012:feedback-2"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:SourceAccount": "999999999999"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:configuration-set/*"}}},
        {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:ses:*"}}},
    ],
)
def test_the_call_is_not_allowed(change: dict[str, Any]) -> None:
    assert not lets(policy(ALLOW | change), CALL)


def test_a_deny_counts_more() -> None:
    deny = TLS_ONLY | {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:*:identity/*"}}}
    assert not lets(policy(ALLOW, deny), CALL)


@pytest.mark.parametrize("document", [None, "", policy()])
def test_no_policy_allows_nothing(document: str | None) -> None:
    assert not lets(document, CALL)


@pytest.mark.parametrize(
    "change", [{"NotAction": "sns:Subscribe"}, {"Condition": {"DateLessThan": {"aws:x": "2030"}}}]
)
def test_what_is_not_known_is_not_judged(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownPolicyError, match="is not known here"):
        lets(policy(ALLOW | change), CALL)
