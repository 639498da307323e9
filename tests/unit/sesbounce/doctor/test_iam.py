import json
from dataclasses import replace
from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from sesbounce.errors import UnknownPolicyError

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:feedback"
IDENTITY = f"arn:aws:ses:eu-west-1:{ACCOUNT}:identity/example.com"
REQUEST = Request(
    action="sns:Publish",
    resource=TOPIC,
    principal=("Service", "ses.amazonaws.com"),
    context={
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": IDENTITY,
        "aws:SecureTransport": "true",
    },
)

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


def policy(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in ALLOW.items() if name != key}


# --- Statements ---------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [None, "", policy()])
def test_what_no_statement_allows_is_denied(document: str | None) -> None:
    assert allows(policy(ALLOW), REQUEST)
    assert not allows(document, REQUEST)


def test_one_statement_may_stand_without_a_list() -> None:
    assert allows(json.dumps({"Version": "2012-10-17", "Statement": ALLOW}), REQUEST)


def test_a_default_policy_of_aws_has_the_older_version_or_none() -> None:
    assert allows(policy(ALLOW, Version="2008-10-17", Id="__default_policy_ID"), REQUEST)
    assert allows(json.dumps({"Statement": [ALLOW]}), REQUEST)


def test_an_explicit_deny_wins_in_any_order() -> None:
    deny = ALLOW | {"Effect": "Deny"}
    assert not allows(policy(deny), REQUEST)
    assert not allows(policy(ALLOW, deny), REQUEST)
    assert not allows(policy(deny, ALLOW), REQUEST)


def test_a_deny_for_everybody_wins() -> None:
    deny = TLS_ONLY | {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:*:identity/*"}}}
    assert not allows(policy(ALLOW, deny), REQUEST)


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    assert allows(policy(ALLOW, TLS_ONLY), REQUEST)
    insecure = replace(REQUEST, context={**REQUEST.context, "aws:SecureTransport": "false"})
    assert not allows(policy(ALLOW, TLS_ONLY), insecure)


# --- Action, resource and principal -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"Action": "SNS:publish"}, True),
        ({"Action": "sns:*"}, True),
        ({"Action": "sns:Pub?ish"}, True),
        ({"Action": ["SNS:Subscribe", "SNS:Publish"]}, True),
        ({"Action": "sns:Subscribe"}, False),
        ({"Action": "sns:Pub"}, False),
        ({"Action": "sns.Publish"}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:sns:*:*:feedback"}, True),
        ({"Resource": "arn:aws:sns:*:feedback"}, True),
        ({"Resource": f"arn:aws:sns:eu-west-1:{ACCOUNT}:FEEDBACK"}, False),
        ({"Resource": f"arn:aws:sns:eu-west-1:{ACCOUNT}:feed"}, False),
        ({"Resource": f"arn:aws:sns:eu-west-1:{ACCOUNT}:feedback-2"}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["1", "*"], "Service": "sns.amazonaws.com"}}, True),
        ({"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"]}}, True),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Principal": {"AWS": "ses.amazonaws.com"}}, False),
        ({"Principal": {"Federated": "ses.amazonaws.com"}}, False),
    ],
)
def test_action_resource_and_principal(change: dict[str, Any], *, allowed: bool) -> None:
    assert allows(policy(ALLOW | change), REQUEST) is allowed


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [({"AWS": "*"}, True), ({"AWS": ACCOUNT}, True), ({"Service": "ses.amazonaws.com"}, False)],
)
def test_a_caller_may_be_an_account(principal: dict[str, str], *, allowed: bool) -> None:
    caller = replace(REQUEST, principal=("AWS", ACCOUNT))
    assert allows(policy(ALLOW | {"Principal": principal}), caller) is allowed


def test_an_identity_s_policy_names_no_principal() -> None:
    by_identity = replace(REQUEST, principal=None)
    assert allows(policy(without("Principal")), by_identity)
    with pytest.raises(UnknownPolicyError, match="with a principal"):
        allows(policy(ALLOW), by_identity)


# --- Conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "key", "values", "allowed"),
    [
        ("StringEquals", "aws:SourceAccount", [ACCOUNT], True),
        ("StringEquals", "aws:SourceAccount", [int(ACCOUNT)], True),
        ("StringEquals", "AWS:sourceaccount", [ACCOUNT], True),
        ("StringEquals", "aws:SourceAccount", ["0", ACCOUNT], True),
        ("StringEquals", "aws:SourceAccount", ["999999999999"], False),
        ("StringEquals", "aws:SourceAccount", ["1234*"], False),
        ("StringEquals", "aws:PrincipalOrgID", ["o-1"], False),
        ("StringLike", "aws:SourceArn", ["arn:aws:ses:*"], True),
        ("StringLike", "aws:SourceArn", ["arn:aws:sns:*"], False),
        ("Bool", "aws:SecureTransport", ["True"], True),
        ("Bool", "aws:SecureTransport", [True], True),
        ("Bool", "aws:SecureTransport", ["false"], False),
        ("Bool", "aws:SecureTransport", [False], False),
        ("ArnEquals", "aws:SourceArn", [IDENTITY], True),
        ("ArnEquals", "aws:SourceArn", ["arn:aws:ses:*:*:id*"], True),
        ("ArnEquals", "aws:SourceArn", ["arn:aws:ses:*"], False),
        ("ArnLike", "aws:SourceArn", [f"arn:aws:ses:*:{ACCOUNT}:identity/*"], True),
        ("ArnLike", "aws:SourceArn", [f"arn:aws:ses:eu-west-1:{ACCOUNT}:*"], True),
        ("ArnLike", "aws:SourceArn", ["arn:aws:ses:*:identity/example.com"], False),
        ("ArnLike", "aws:SourceArn", ["arn:aws:ses:*:configuration-set/*"], False),
        ("ArnLike", "aws:SourceArn", ["arn:aws:ses:eu-west-1:999999999999:*"], False),
        ("ArnLike", "aws:SourceArn", ["*"], False),
        ("ArnLike", "aws:SourceAccount", ["*"], False),
        ("StringEqualsIfExists", "aws:SourceAccount", [ACCOUNT], True),
        ("StringEqualsIfExists", "aws:SourceAccount", ["999999999999"], False),
        ("StringEqualsIfExists", "aws:PrincipalOrgID", ["o-1"], True),
        ("ArnEqualsIfExists", "aws:SourceArn", [f"{IDENTITY}2"], False),
        ("ArnLikeIfExists", "aws:PrincipalArn", [f"arn:aws:iam::{ACCOUNT}:role/*"], True),
    ],
)
def test_conditions(operator: str, key: str, values: list[Any], *, allowed: bool) -> None:
    conditional = ALLOW | {"Condition": {operator: {key: values}}}
    assert allows(policy(conditional), REQUEST) is allowed


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        ("a._domainkey.example.com", True),
        (("a._domainkey.example.com",), True),
        (("a._domainkey.example.com", "bounce.example.com"), True),
        (("a._domainkey.example.com", "www.example.com"), False),
        ((), True),
        (None, True),
    ],
)
def test_each_of_several_values_must_match(
    names: str | tuple[str, ...] | None, *, allowed: bool
) -> None:
    condition = {"ForAllValues:StringLike": {"x:Names": ["*._domainkey.*", "bounce.*"]}}
    context = {} if names is None else {"x:names": names}
    request = replace(REQUEST, context=context)
    assert allows(policy(ALLOW | {"Condition": condition}), request) is allowed


def test_an_operator_for_one_value_does_not_judge_several() -> None:
    several = replace(REQUEST, context={"aws:SourceArn": (IDENTITY, IDENTITY)})
    conditional = ALLOW | {"Condition": {"ArnLike": {"aws:SourceArn": IDENTITY}}}
    with pytest.raises(UnknownPolicyError, match="ArnLike for a key of several values"):
        allows(policy(conditional), several)


def test_a_condition_s_value_may_stand_without_a_list() -> None:
    conditional = ALLOW | {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}
    assert allows(policy(conditional), REQUEST)


def test_all_conditions_must_hold() -> None:
    condition = {
        "ArnEquals": {"aws:SourceArn": IDENTITY},
        "StringEquals": {"aws:SourceAccount": "999999999999"},
    }
    assert not allows(policy(ALLOW | {"Condition": condition}), REQUEST)


# --- What it does not know ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "unknown"),
    [
        (policy(ALLOW, Version="2030-01-01"), "the version '2030-01-01'"),
        (policy(ALLOW, Comment=""), "Comment"),
        (json.dumps({"Version": "2012-10-17"}), "no Statement"),
        (json.dumps([ALLOW]), "where an object belongs"),
        (policy(ALLOW | {"Effect": "Perhaps"}), "the effect 'Perhaps'"),
        (policy(ALLOW | {"NotAction": "sns:Subscribe"}), "NotAction"),
        (policy(without("Action") | {"NotAction": "sns:Subscribe"}), "NotAction"),
        (policy(without("Action")), "no Action"),
        (policy(without("Resource")), "no Resource"),
        (policy(without("Principal")), "a statement without a principal"),
        (policy(without("Principal") | {"NotPrincipal": "*"}), "NotPrincipal"),
        (policy(ALLOW | {"Principal": {"CanonicalUser": "79a5"}}), "CanonicalUser"),
        (policy(ALLOW | {"Principal": "ses.amazonaws.com"}), "where an object belongs"),
        (policy(ALLOW | {"Resource": "arn:aws:sns:::${aws:username}"}), "aws:username"),
        (policy(ALLOW | {"Resource": [TOPIC, "${aws:username}"]}), "aws:username"),
        (policy(ALLOW | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}), "IpAddress"),
        (policy(ALLOW | {"Condition": {"DateLessThan": {"aws:x": "2030"}}}), "DateLessThan"),
        (policy(ALLOW | {"Condition": {"Bool": {"aws:x": 0.5}}}), "0.5"),
        (
            policy(ALLOW | {"Condition": {"StringEquals": {"aws:Absent": ["${aws:username}"]}}}),
            "aws:username",
        ),
        (
            policy(ALLOW, ALLOW | {"Action": "s3:*", "Condition": {"Null": {"aws:x": "true"}}}),
            "Null",
        ),
    ],
)
def test_the_unknown_is_not_judged(document: str, unknown: str) -> None:
    with pytest.raises(
        UnknownPolicyError, match="sesbounce can't evaluate a policy with"
    ) as caught:
        allows(document, REQUEST)
    assert unknown in str(caught.value)
