"""Asks what the worker as a function may do, and its sweep; `lambda` is the stack that has one."""

from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import joined
from tests.terraform.grants import CONSUME, TEMPTING
from tests.terraform.names import (
    DLQ,
    FUNCTION,
    FUNCTION_ROLE,
    HASH_KEY,
    KEY,
    PASSWORD,
    QUEUE,
    REGION,
    SECRETS_KEY,
    SWEEP_ROLE,
    Call,
)

URL = f"arn:aws:secretsmanager:{REGION}:secret:mail-url-AbCdEf"
FUNCTION_LOG = (
    f"arn:aws:logs:{REGION}:log-group:/aws/lambda/sesbounce:log-stream:2026/11/26/[$LATEST]1"
)
BY_THE_CODE = {"lambda:SourceFunctionArn": FUNCTION}
INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
# What Lambda itself does with the function's role, and what the function's code does.
FUNCTIONING: list[Call] = [
    *((action, QUEUE, {}) for action in sorted(CONSUME)),
    *((action, "*", {}) for action in INTERFACES),
    ("kms:Decrypt", KEY, {"kms:ViaService": "sqs.eu-west-1.amazonaws.com"}),
    ("logs:PutLogEvents", FUNCTION_LOG, BY_THE_CODE),
    ("secretsmanager:GetSecretValue", URL, BY_THE_CODE),
    ("ses:PutSuppressedDestination", "*", BY_THE_CODE),
]
NOT_FUNCTIONING: list[Call] = [
    *((action, QUEUE, BY_THE_CODE) for action in sorted(CONSUME)),
    *((action, "*", BY_THE_CODE) for action in INTERFACES),
    *((action, QUEUE, {}) for action in sorted(TEMPTING - {"kms:Encrypt"})),
    ("sqs:ReceiveMessage", DLQ, {}),
    ("sqs:SendMessage", QUEUE, {}),
    ("secretsmanager:GetSecretValue", PASSWORD, BY_THE_CODE),
    ("secretsmanager:GetSecretValue", f"{URL}2", BY_THE_CODE),
    ("ssm:GetParameters", HASH_KEY, BY_THE_CODE),
    ("logs:PutLogEvents", FUNCTION_LOG.replace("/sesbounce:", "/orders:"), BY_THE_CODE),
    ("logs:CreateLogGroup", FUNCTION_LOG, {}),
    ("lambda:InvokeFunction", FUNCTION, BY_THE_CODE),
    ("kms:Decrypt", SECRETS_KEY, BY_THE_CODE),
    ("ec2:RunInstances", "*", {}),
]


@pytest.mark.parametrize("calls", [FUNCTIONING, NOT_FUNCTIONING])
def test_lambda_reads_the_queue_and_the_function_itself_can_not(
    rendered: dict[str, dict[str, Any]], calls: list[Call]
) -> None:
    outputs = rendered["lambda"]
    role = joined([outputs["function_policy"], outputs["consumer_policy"]])
    for action, resource, context in calls:
        request = Request(
            action=action,
            resource=resource,
            context=context | {"aws:PrincipalArn": FUNCTION_ROLE},
        )
        allowed = [allows(each, request) for each in (role, outputs["permissions_boundary_policy"])]
        assert all(allowed) is (calls is FUNCTIONING), (request, allowed)


def test_a_function_in_a_vpc_reaches_the_range_of_its_database(
    planned: dict[str, list[dict[str, Any]]],
) -> None:
    rules = [
        resource["values"]
        for resource in planned["lambda"]
        if resource["type"] == "aws_vpc_security_group_egress_rule"
    ]
    assert {rule["to_port"]: rule["cidr_ipv4"] for rule in rules} == {
        443: "0.0.0.0/0",
        5432: "10.0.0.0/16",
    }


@pytest.mark.parametrize(
    ("action", "resource", "principal", "allowed"),
    [
        ("lambda:InvokeFunction", FUNCTION, SWEEP_ROLE, True),
        ("lambda:InvokeFunction", f"{FUNCTION}-prod", SWEEP_ROLE, False),
        ("lambda:InvokeFunction", FUNCTION, FUNCTION_ROLE, False),
        ("lambda:UpdateFunctionCode", FUNCTION, SWEEP_ROLE, False),
        ("sqs:ReceiveMessage", QUEUE, SWEEP_ROLE, False),
        ("ec2:CreateNetworkInterface", "*", SWEEP_ROLE, False),
    ],
)
def test_the_sweep_calls_this_function_and_does_nothing_else(
    rendered: dict[str, dict[str, Any]],
    action: str,
    resource: str,
    principal: str,
    *,
    allowed: bool,
) -> None:
    outputs = rendered["lambda"]
    request = Request(action=action, resource=resource, context={"aws:PrincipalArn": principal})
    both = (outputs["sweep_policy"], outputs["permissions_boundary_policy"])
    assert all(allows(policy, request) for policy in both) is allowed
