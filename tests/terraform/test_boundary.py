"""Asks the boundary of the stack's own roles what they can do at most."""

import json
from typing import Any

import pytest

from scripts.terraform.docs import parsed
from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import SOURCE
from tests.terraform.grants import EXPECTED
from tests.terraform.names import (
    API_ROLE,
    BOUNDARY,
    DEVELOPERS,
    FOR_TASKS,
    FUNCTION_ROLE,
    IAM,
    IDENTITY,
    KEY,
    PASSWORD,
    QUEUE,
    RDS,
    REGION,
    SCHEDULE_ROLE,
    SECRETS_KEY,
    TASK_ROLE,
    TOPIC,
)

# --- What the stack's own roles can do at most --------------------------------------------------


def test_each_role_and_user_has_the_boundary_and_the_path(
    planned: dict[str, list[dict[str, Any]]],
) -> None:
    bounded = {
        run: {
            resource["values"]["name"]: resource["values"].get("permissions_boundary")
            for resource in planned[run]
            if resource["type"] in ("aws_iam_role", "aws_iam_user")
        }
        for run in ("full", "least", "managed", "scheduled", "lambda")
    }
    own = {"sesbounce-task": BOUNDARY, "sesbounce-execution": BOUNDARY}
    given = DEVELOPERS["iam:PermissionsBoundary"]
    names = ("sesbounce-task", "sesbounce-execution", "sesbounce-deploy", "sesbounce-consumer")
    assert bounded == {
        "full": own | {"sesbounce-api": BOUNDARY, "sesbounce-deploy": None},
        "least": dict.fromkeys(own),
        "managed": dict.fromkeys(names, given),
        "scheduled": own | {"sesbounce-deploy": None, "sesbounce-schedule": BOUNDARY},
        "lambda": {
            "sesbounce-deploy": None,
            "sesbounce-function": BOUNDARY,
            "sesbounce-sweep": BOUNDARY,
        },
    }
    paths = {
        resource["values"]["path"]
        for resource in planned["managed"]
        if resource["type"] in ("aws_iam_role", "aws_iam_user", "aws_iam_policy")
    }
    assert paths == {"/mail/"}


def test_the_boundary_is_deleted_after_it_is_taken_off_the_roles() -> None:
    """IAM refuses the other order, in which Terraform would do it; moto does not refuse."""
    (boundary,) = (
        entry['"aws_iam_policy"']['"boundary"']
        for entry in parsed(SOURCE / "modules/deploy_role/boundary.tf")["resource"]
    )
    assert boundary["lifecycle"][0]["create_before_destroy"] is True


OF_OUR_DATABASE = {"aws:ResourceTag/aws:rds:primaryDBInstanceArn": f"{RDS}:db:sesbounce"}
THROUGH_SQS = {"kms:ViaService": "sqs.eu-west-1.amazonaws.com"}
THROUGH_PARAMETERS = {"kms:ViaService": "ssm.eu-west-1.amazonaws.com"}
BY_THE_DOCTOR = {"aws:PrincipalArn": API_ROLE}
BOUND_BY = {PASSWORD: OF_OUR_DATABASE, KEY: THROUGH_SQS, SECRETS_KEY: THROUGH_PARAMETERS}


@pytest.mark.parametrize("policy", EXPECTED["full"])
def test_the_boundary_leaves_the_worker_all_that_it_needs(
    full: dict[str, Any], policy: str
) -> None:
    for resource, actions in EXPECTED["full"][policy].items():
        context = BY_THE_DOCTOR if policy == "doctor_policy" else BOUND_BY.get(resource, {})
        for action in actions:
            request = Request(action=action, resource=resource, context=context)
            assert allows(full["permissions_boundary_policy"], request), request


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:orders", {}),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:sesbounce-prod-feedback", {}),
        ("sqs:DeleteQueue", QUEUE, {}),
        *(
            ("rds-db:connect", f"arn:aws:rds-db:{REGION}:dbuser:db-ABCDEFGHIJKL/{user}", {})
            for user in ("sesbounce", "sesbounce_reader", "sesbounce_prod_worker", "orders")
        ),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:secret:orders-Ab", {}),
        ("secretsmanager:GetSecretValue", PASSWORD, {}),
        (
            "secretsmanager:GetSecretValue",
            PASSWORD,
            {"aws:ResourceTag/aws:rds:primaryDBInstanceArn": f"{RDS}:db:orders"},
        ),
        ("ssm:GetParameters", f"arn:aws:ssm:{REGION}:parameter/orders/password", {}),
        # of the server alone, which has the doctor
        ("ses:GetAccount", "*", {"aws:PrincipalArn": TASK_ROLE}),
        ("kms:GetKeyPolicy", KEY, {"aws:PrincipalArn": TASK_ROLE}),
        ("kms:Decrypt", KEY, BY_THE_DOCTOR),
        ("kms:Decrypt", KEY, {}),
        ("kms:Decrypt", KEY, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
        ("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:repository/orders", {}),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:log-group:/ecs/orders:log-stream:1", {}),
        ("s3:GetObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
        ("iam:CreateUser", f"{IAM}:user/admin", {}),
        ("iam:PassRole", TASK_ROLE, FOR_TASKS),
        ("iam:PassRole", API_ROLE, FOR_TASKS | {"aws:PrincipalArn": SCHEDULE_ROLE}),
        ("sts:AssumeRole", f"{IAM}:role/admin", {}),
        ("sns:Publish", TOPIC, {}),
        ("ses:SendEmail", IDENTITY, {}),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}),
        # of a function in a VPC alone
        ("ec2:DeleteNetworkInterface", "*", {"aws:PrincipalArn": FUNCTION_ROLE}),
    ],
)
def test_whatever_policy_the_deploy_role_writes_the_boundary_stops(
    full: dict[str, Any], action: str, resource: str, context: dict[str, str]
) -> None:
    """A role can do what its policies and its boundary both allow."""
    request = Request(action=action, resource=resource, context=context)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert allows(json.dumps({"Version": "2012-10-17", "Statement": everything}), request)
    assert not allows(full["permissions_boundary_policy"], request)
