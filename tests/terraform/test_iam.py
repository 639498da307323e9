import json
from typing import Any

import pytest

from tests.terraform.iam import Request, UnknownPolicyError, allows

SERVICE = ("Service", "sns.amazonaws.com")
REQUEST = Request(
    action="sqs:SendMessage",
    resource="arn:aws:sqs:eu-west-1:111122223333:queue",
    principal=SERVICE,
    context={
        "aws:SourceArn": "arn:aws:sns:eu-west-1:111122223333:topic",
        "aws:SourceAccount": "111122223333",
        "aws:SecureTransport": "true",
    },
)
ALLOW: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": "arn:aws:sqs:eu-west-1:111122223333:queue",
}


def document(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def conditional(operator: str, key: str, *values: str) -> str:
    return document({**ALLOW, "Condition": {operator: {key: list(values)}}})


def test_what_no_statement_allows_is_denied() -> None:
    assert allows(document(ALLOW), REQUEST)
    assert not allows(document(), REQUEST)


def test_one_statement_may_stand_without_a_list() -> None:
    assert allows(json.dumps({"Version": "2012-10-17", "Statement": ALLOW}), REQUEST)


def test_an_explicit_deny_wins_in_any_order() -> None:
    deny = {**ALLOW, "Effect": "Deny"}
    assert not allows(document(ALLOW, deny), REQUEST)
    assert not allows(document(deny, ALLOW), REQUEST)


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"Action": "SQS:sendmessage"}, True),
        ({"Action": "sqs:*"}, True),
        ({"Action": "sqs:Send?essage"}, True),
        ({"Action": ["sqs:ReceiveMessage", "sqs:SendMessage"]}, True),
        ({"Action": "sqs:Send"}, False),
        ({"Action": "sqs.SendMessage"}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:sqs:*:queue"}, True),
        ({"Resource": "arn:aws:sqs:eu-west-1:111122223333:QUEUE"}, False),
        ({"Resource": "arn:aws:sqs:eu-west-1:111122223333:que"}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": ["ses.amazonaws.com", "sns.amazonaws.com"]}}, True),
        ({"Principal": {"Service": "ses.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "*"}}, False),
        ({"Principal": {"Federated": "sns.amazonaws.com"}}, False),
    ],
)
def test_action_resource_and_principal(changed: dict[str, Any], *, allowed: bool) -> None:
    assert allows(document({**ALLOW, **changed}), REQUEST) is allowed


def test_everybody_is_somebody_of_aws() -> None:
    caller = Request(
        action=REQUEST.action, resource=REQUEST.resource, principal=("AWS", "111122223333")
    )
    assert allows(document({**ALLOW, "Principal": {"AWS": "*"}}), caller)


@pytest.mark.parametrize(
    ("operator", "key", "values", "allowed"),
    [
        ("StringEquals", "aws:SourceAccount", ["111122223333"], True),
        ("StringEquals", "AWS:sourceaccount", ["111122223333"], True),
        ("StringEquals", "aws:SourceAccount", ["0", "111122223333"], True),
        ("StringEquals", "aws:SourceAccount", ["1111*"], False),
        ("StringEquals", "aws:PrincipalOrgID", ["o-1"], False),
        ("Bool", "aws:SecureTransport", ["True"], True),
        ("Bool", "aws:SecureTransport", ["false"], False),
        ("ArnEquals", "aws:SourceArn", ["arn:aws:sns:eu-west-1:111122223333:topic"], True),
        ("ArnEquals", "aws:SourceArn", ["arn:aws:sns:*:*:to*"], True),
        ("ArnLike", "aws:SourceArn", ["arn:aws:sns:eu-west-1:111122223333:*"], True),
        ("ArnLike", "aws:SourceArn", ["arn:aws:sns:*:topic"], False),
        ("ArnLike", "aws:SourceArn", ["arn:aws:sns:eu-west-1:999999999999:*"], False),
        ("ArnLike", "aws:SourceArn", ["*"], False),
        ("StringEqualsIfExists", "aws:SourceAccount", ["111122223333"], True),
        ("StringEqualsIfExists", "aws:SourceAccount", ["999999999999"], False),
        ("StringEqualsIfExists", "aws:PrincipalOrgID", ["o-1"], True),
        ("ArnEqualsIfExists", "aws:SourceArn", ["arn:aws:sns:eu-west-1:111122223333:other"], False),
        ("ArnLikeIfExists", "aws:PrincipalArn", ["arn:aws:iam::111122223333:role/*"], True),
    ],
)
def test_conditions(operator: str, key: str, values: list[str], *, allowed: bool) -> None:
    assert allows(conditional(operator, key, *values), REQUEST) is allowed


def test_all_conditions_must_hold() -> None:
    condition = {
        "ArnEquals": {"aws:SourceArn": REQUEST.context["aws:SourceArn"]},
        "StringEquals": {"aws:SourceAccount": "999999999999"},
    }
    assert not allows(document({**ALLOW, "Condition": condition}), REQUEST)


def test_an_identity_policy_names_no_principal() -> None:
    policy = document({key: value for key, value in ALLOW.items() if key != "Principal"})
    assert allows(policy, Request(action=REQUEST.action, resource=REQUEST.resource))


@pytest.mark.parametrize(
    "policy",
    [
        document(ALLOW, Version="2008-10-17"),
        document(ALLOW, Comment=""),
        document({**ALLOW, "Effect": "Perhaps"}),
        document({**ALLOW, "NotAction": "sqs:SendMessage"}),
        document({**ALLOW, "Principal": {"CanonicalUser": "79a5"}}),
        document({**ALLOW, "Resource": "arn:aws:sqs:::${aws:username}"}),
        document({**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
        document({**ALLOW, "Condition": {"StringEquals": {"aws:Absent": ["${aws:username}"]}}}),
        document({key: value for key, value in ALLOW.items() if key != "Principal"}),
        document(ALLOW, {**ALLOW, "Action": "s3:*", "Condition": {"Null": {"aws:x": "true"}}}),
    ],
)
def test_the_unknown_is_not_judged(policy: str) -> None:
    with pytest.raises(UnknownPolicyError):
        allows(policy, REQUEST)
