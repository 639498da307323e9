"""Asks the policies that Terraform renders what each principal may do.

`full` is the stack with all that can be switched on, `least` with nothing but the least.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from scripts.terraform.docs import parsed
from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import SOURCE, Report, assert_passed, joined
from tests.terraform.names import (
    ACCOUNT,
    API_ROLE,
    AT_ITS_START,
    BOUNDARY,
    CONFIGURATION_SET,
    DATABASE_USER,
    DEVELOPERS,
    DLQ,
    EXECUTION_ROLE,
    EXTRA_TOPIC,
    FOR_TASKS,
    FUNCTION,
    FUNCTION_ROLE,
    GITHUB,
    GROUP,
    HASH_KEY,
    IAM,
    IDENTITY,
    IN_CLUSTER,
    KEY,
    LOG,
    OPT_IN_SNS,
    OPT_IN_TOPIC,
    OTHER_ACCOUNT,
    OURS,
    PASSWORD,
    QUEUE,
    RDS,
    REGION,
    REPOSITORY,
    SCHEDULE_ROLE,
    SCHEDULER,
    SECRETS_KEY,
    SES,
    SNS,
    SOMEBODY,
    SUBSCRIPTION_DLQ,
    SWEEP_ROLE,
    TASK,
    TASK_DEFINITION,
    TASK_ROLE,
    TASKS,
    TOPIC,
    Call,
)

Grants = Mapping[str, Iterable[str]]
"""Resources, and what may be done with them."""


def test_they_are_rendered_without_a_complaint(report: Report) -> None:
    assert_passed(report)


# --- What may run: the worker, and ECS to start it ----------------------------------------------

# Nothing of this may ever slip in.
TEMPTING = {
    "sqs:PurgeQueue",
    "sqs:DeleteQueue",
    "sqs:SetQueueAttributes",
    "sqs:AddPermission",
    "sns:Publish",
    "ses:SendEmail",
    "ses:SendRawEmail",
    "ses:ListSuppressedDestinations",
    "ses:DeleteIdentity",
    "s3:GetObject",
    "iam:PassRole",
    "iam:CreateUser",
    "sts:AssumeRole",
    "kms:ScheduleKeyDeletion",
    "kms:Encrypt",
    "secretsmanager:ListSecrets",
    "secretsmanager:PutSecretValue",
    "ssm:GetParametersByPath",
    "ssm:PutParameter",
    "ecr:PutImage",
    "logs:GetLogEvents",
    "logs:DeleteLogGroup",
    "cloudwatch:PutMetricData",
    "rds:DeleteDBInstance",
}

CONSUME = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
}
REDRIVE = CONSUME | {
    "sqs:GetQueueUrl",
    "sqs:StartMessageMoveTask",
    "sqs:ListMessageMoveTasks",
    "sqs:CancelMessageMoveTask",
}
FIND = {"sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"}
LOOK = {
    "sqs:ReceiveMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
}
SEE_TOPIC = FIND | {"sns:GetTopicAttributes"}
SEE_SET = {"ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations"}
SEE = {
    "cloudwatch:GetMetricData",
    "ses:GetAccount",
    "ses:GetIdentityDkimAttributes",
    "ses:GetIdentityMailFromDomainAttributes",
    "ses:GetIdentityNotificationAttributes",
    "ses:GetIdentityVerificationAttributes",
    "ses:ListConfigurationSets",
    "ses:ListIdentities",
    "ses:ListRecommendations",
}
SUPPRESS = {"ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}

EXPECTED: dict[str, dict[str, Grants]] = {
    "full": {
        "consumer_policy": {
            QUEUE: CONSUME | {"sqs:SendMessage"},
            DLQ: REDRIVE,
            SUBSCRIPTION_DLQ: REDRIVE,
            TOPIC: FIND,
            KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
            "*": SUPPRESS,
        },
        "dlq_operator_policy": {
            QUEUE: {"sqs:GetQueueAttributes", "sqs:SendMessage"},
            DLQ: REDRIVE,
            SUBSCRIPTION_DLQ: REDRIVE,
            TOPIC: FIND,
            KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
        },
        "dlq_viewer_policy": {
            QUEUE: {"sqs:GetQueueAttributes"},
            DLQ: LOOK,
            SUBSCRIPTION_DLQ: LOOK,
            TOPIC: FIND,
            KEY: {"kms:Decrypt"},
        },
        "doctor_policy": {
            **{queue: {"sqs:GetQueueAttributes"} for queue in (QUEUE, DLQ, SUBSCRIPTION_DLQ)},
            **dict.fromkeys((TOPIC, EXTRA_TOPIC, OPT_IN_TOPIC), SEE_TOPIC),
            KEY: {"kms:DescribeKey", "kms:GetKeyPolicy"},
            CONFIGURATION_SET: SEE_SET,
            "*": SEE,
        },
        "execution_policy": {
            LOG: {"logs:CreateLogStream", "logs:PutLogEvents"},
            REPOSITORY: PULL,
            PASSWORD: {"secretsmanager:GetSecretValue"},
            HASH_KEY: {"ssm:GetParameters"},
            SECRETS_KEY: {"kms:Decrypt"},
            "*": {"ecr:GetAuthorizationToken"},
        },
        "database_worker_policy": {DATABASE_USER: {"rds-db:connect"}},
    },
    "least": {
        "consumer_policy": {QUEUE: CONSUME},
        "dlq_operator_policy": {
            QUEUE: {"sqs:GetQueueAttributes", "sqs:SendMessage"},
            DLQ: REDRIVE,
            SUBSCRIPTION_DLQ: REDRIVE,
            TOPIC: FIND,
        },
        "dlq_viewer_policy": {
            QUEUE: {"sqs:GetQueueAttributes"},
            DLQ: LOOK,
            SUBSCRIPTION_DLQ: LOOK,
            TOPIC: FIND,
        },
        "doctor_policy": {
            **{queue: {"sqs:GetQueueAttributes"} for queue in (QUEUE, DLQ, SUBSCRIPTION_DLQ)},
            TOPIC: SEE_TOPIC,
            CONFIGURATION_SET: SEE_SET,
            "*": SEE,
        },
        "execution_policy": {
            LOG: {"logs:CreateLogStream", "logs:PutLogEvents"},
            REPOSITORY: PULL,
            PASSWORD: {"secretsmanager:GetSecretValue"},
            "*": {"ecr:GetAuthorizationToken"},
        },
        "database_worker_policy": {DATABASE_USER: {"rds-db:connect"}},
    },
}

# A log stream of another name in the same log is the worker's, too, and the doctor finds the
# configuration sets that publish to the topic by looking at each.
ALSO_GRANTED = {f"{LOG}2": LOG, f"{CONFIGURATION_SET}2": CONFIGURATION_SET}


def resources() -> set[str]:
    """All that is granted anywhere, and a neighbour of each."""
    named = {arn for run in EXPECTED.values() for grants in run.values() for arn in grants}
    foreign = {arn.replace(ACCOUNT, OTHER_ACCOUNT) for arn in named}
    elsewhere = {arn.replace("eu-west-1", "us-east-1") for arn in named}
    return named | {f"{arn}2" for arn in named} | foreign | elsewhere


def actions() -> set[str]:
    granted = {
        action
        for run in EXPECTED.values()
        for grants in run.values()
        for names in grants.values()
        for action in names
    }
    return granted | TEMPTING


@pytest.mark.parametrize("run", EXPECTED)
@pytest.mark.parametrize("policy", EXPECTED["full"])
def test_what_must_be_allowed_is_and_all_else_is_denied(
    rendered: dict[str, dict[str, Any]], run: str, policy: str
) -> None:
    grants = EXPECTED[run][policy]
    everywhere = set(grants.get("*", ()))
    for resource in sorted(resources()):
        for action in sorted(actions()):
            own = ALSO_GRANTED.get(resource, resource)
            expected = action in everywhere or action in grants.get(own, ())
            request = Request(action=action, resource=resource)
            assert allows(rendered[run][policy], request) is expected, (action, resource)


def test_the_operator_may_read_the_subscriptions_of_the_topics_alone(full: dict[str, Any]) -> None:
    own, foreign = (
        Request(action="sns:GetSubscriptionAttributes", resource=f"{topic}:{uuid4()}")
        for topic in (TOPIC, f"{TOPIC}2")
    )
    for policy in ("consumer_policy", "dlq_operator_policy"):
        assert allows(full[policy], own)
        assert not allows(full[policy], foreign)


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
    assert allows(full[name], _request(queue, **(asked | changed))) is allowed


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
    assert allows(full["queue_policy"], _request(QUEUE, **asked)) is allowed
    # SNS accepts a dead-letter queue in the topic's own region only.
    assert not allows(full["subscription_dlq_policy"], _request(SUBSCRIPTION_DLQ, **asked))
    assert not allows(full["dlq_policy"], _request(DLQ, **asked))


@pytest.mark.parametrize("principal", [SNS, SES, SOMEBODY])
def test_nobody_sends_to_the_dead_letter_queue(
    full: dict[str, Any], principal: tuple[str, str]
) -> None:
    request = _request(DLQ, action="sqs:SendMessage", principal=principal, source=TOPIC)
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
    assert allows(full["topic_policy"], _request(TOPIC, **(asked | changed))) is allowed


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
    assert allows(full["alarm_topic_policy"], _request(TOPIC, **(asked | changed))) is allowed


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
    request = _request(KEY, action=action, principal=principal, source=source, account=account)
    assert allows(full["kms_key_policy"], request) is allowed


@pytest.mark.parametrize("principal", [SES, SNS])
@pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:Encrypt"])
def test_they_do_nothing_else_with_it(
    full: dict[str, Any], principal: tuple[str, str], action: str
) -> None:
    request = _request(KEY, action=action, principal=principal, source=None, account=None)
    assert not allows(full["kms_key_policy"], request)


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/1"}, False),
        ({"source": f"arn:aws:ecs:eu-west-1:{OTHER_ACCOUNT}:task/1"}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"principal": ("Service", "ec2.amazonaws.com")}, False),
        ({"principal": SOMEBODY}, False),
    ],
)
def test_only_tasks_of_this_account_take_the_roles(
    full: dict[str, Any], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {
        "action": "sts:AssumeRole",
        "principal": TASKS,
        "source": f"arn:aws:ecs:{REGION}:task/1",
    }
    request = _assume(**(asked | changed))
    assert allows(_with_resource(full["trust_policy"]), request) is allowed


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"{GROUP}-prod"}, False),
        ({"source": f"arn:aws:scheduler:{REGION}:schedule-group/default"}, False),
        ({"source": None}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"principal": TASKS}, False),
        ({"principal": ("Service", "events.amazonaws.com")}, False),
        ({"principal": SOMEBODY}, False),
    ],
)
def test_only_the_schedule_of_this_stack_takes_its_role(
    rendered: dict[str, dict[str, Any]], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sts:AssumeRole", "principal": SCHEDULER, "source": GROUP}
    request = _assume(**(asked | changed))
    trust = rendered["scheduled"]["schedule_trust_policy"]
    assert allows(_with_resource(trust), request) is allowed


@pytest.mark.parametrize(
    ("subject", "audience", "allowed"),
    [
        ("repo:acme/mail:ref:refs/heads/main", "sts.amazonaws.com", True),
        ("repo:acme@1/mail@2:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/main2", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/feature", "sts.amazonaws.com", False),
        ("repo:acme/mail:pull_request", "sts.amazonaws.com", False),
        ("repo:acme/mail:environment:production", "sts.amazonaws.com", False),
        ("repo:acme/mail2:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:stranger/mail:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/main", "somebody-else", False),
        ("", "sts.amazonaws.com", False),
        (None, "sts.amazonaws.com", False),
    ],
)
def test_only_one_branch_deploys(
    full: dict[str, Any], subject: str | None, audience: str, *, allowed: bool
) -> None:
    assert _is_trusted(full, subject, audience) is allowed


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [
        # GitHub's tokens hold the numbers, or, in a repository from before, the names alone.
        ("repo:acme@123456/mail@456789:environment:production", True),
        ("repo:acme@123456/mail@456789:ref:refs/heads/main", True),
        ("repo:acme/mail:environment:production", True),
        ("repo:acme/mail:ref:refs/heads/main", True),
        ("repo:acme@123456/mail@456789:environment:staging", False),
        ("repo:acme@123456/mail@456789:ref:refs/heads/main2", False),
        ("repo:acme@123456/mail@456789:pull_request", False),
        ("repo:acme@999/mail@456789:ref:refs/heads/main", False),
        ("repo:acme@123456/mail@999:ref:refs/heads/main", False),
        ("repo:acme@123456/mail:ref:refs/heads/main", False),
        ("repo:acme/mail@456789:ref:refs/heads/main", False),
        ("repo:stranger@123456/mail@456789:ref:refs/heads/main", False),
        ("repo:acme@/mail@:ref:refs/heads/main", False),
        (None, False),
    ],
)
def test_both_forms_of_the_subject_deploy(
    rendered: dict[str, dict[str, Any]], subject: str | None, *, allowed: bool
) -> None:
    assert _is_trusted(rendered["managed"], subject, "sts.amazonaws.com") is allowed


def _is_trusted(outputs: dict[str, Any], subject: str | None, audience: str) -> bool:
    host = "token.actions.githubusercontent.com"
    context = {f"{host}:aud": audience} | ({} if subject is None else {f"{host}:sub": subject})
    request = Request(
        action="sts:AssumeRoleWithWebIdentity", resource="role", principal=GITHUB, context=context
    )
    return allows(_with_resource(outputs["deploy_role_trust_policy"]), request)


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


SCHEDULE = {"aws:PrincipalArn": SCHEDULE_ROLE}
# The calls of a schedule, and the same with one thing wrong.
STARTING: list[Call] = [
    ("ecs:RunTask", TASK_DEFINITION, IN_CLUSTER),
    ("ecs:TagResource", TASK, AT_ITS_START),
    ("iam:PassRole", TASK_ROLE, FOR_TASKS),
    ("iam:PassRole", EXECUTION_ROLE, FOR_TASKS),
]
NOT_STARTING: list[Call] = [
    ("ecs:RunTask", TASK_DEFINITION, {}),
    ("ecs:RunTask", TASK_DEFINITION, {"ecs:cluster": f"arn:aws:ecs:{REGION}:cluster/shared"}),
    ("ecs:RunTask", TASK_DEFINITION.replace("sesbounce", "sesbounce-prod"), IN_CLUSTER),
    ("ecs:RunTask", TASK_DEFINITION.replace(ACCOUNT, OTHER_ACCOUNT), IN_CLUSTER),
    ("ecs:StopTask", TASK, OURS),
    ("ecs:TagResource", TASK, {}),
    ("ecs:TagResource", TASK, {"ecs:CreateAction": "StartTask"}),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}),
    ("iam:PassRole", TASK_ROLE, {}),
    ("iam:PassRole", TASK_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", SCHEDULE_ROLE, FOR_TASKS),
    ("iam:PassRole", f"{IAM}:role/sesbounce-deploy", FOR_TASKS),
    ("iam:PassRole", f"{IAM}:role/admin", FOR_TASKS),
    ("sqs:ReceiveMessage", QUEUE, {}),
]


@pytest.mark.parametrize("calls", [STARTING, NOT_STARTING])
def test_a_schedule_starts_this_worker_and_nothing_else(
    rendered: dict[str, dict[str, Any]], calls: list[Call]
) -> None:
    outputs = rendered["scheduled"]
    for action, resource, context in calls:
        request = Request(action=action, resource=resource, context=context | SCHEDULE)
        allowed = [
            allows(outputs[name], request)
            for name in ("schedule_policy", "permissions_boundary_policy")
        ]
        assert all(allowed) is (calls is STARTING), request


@pytest.mark.parametrize(("action", "resource", "context"), STARTING)
@pytest.mark.parametrize("principal", [{}, {"aws:PrincipalArn": TASK_ROLE}])
def test_the_boundary_lets_no_other_role_start_tasks(
    full: dict[str, Any],
    action: str,
    resource: str,
    context: dict[str, str],
    principal: dict[str, str],
) -> None:
    request = Request(action=action, resource=resource, context=context | principal)
    assert not allows(full["permissions_boundary_policy"], request)


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


@pytest.mark.parametrize(
    ("name", "principal", "source", "account", "allowed"),
    [
        ("function_trust_policy", "lambda", None, ACCOUNT, True),
        ("function_trust_policy", "lambda", None, OTHER_ACCOUNT, False),
        ("function_trust_policy", "ecs-tasks", None, ACCOUNT, False),
        ("sweep_trust_policy", "scheduler", f"{GROUP}-sweep", ACCOUNT, True),
        ("sweep_trust_policy", "scheduler", GROUP, ACCOUNT, False),
        ("sweep_trust_policy", "scheduler", f"{GROUP}-sweep", OTHER_ACCOUNT, False),
        ("sweep_trust_policy", "lambda", f"{GROUP}-sweep", ACCOUNT, False),
    ],
)
def test_only_lambda_and_the_sweep_s_schedule_take_their_roles(
    rendered: dict[str, dict[str, Any]],
    name: str,
    principal: str,
    source: str | None,
    account: str,
    *,
    allowed: bool,
) -> None:
    service = ("Service", f"{principal}.amazonaws.com")
    asked = _assume(action="sts:AssumeRole", principal=service, source=source, account=account)
    assert allows(_with_resource(rendered["lambda"][name]), asked) is allowed


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


# --- Wildcards ----------------------------------------------------------------------------------

STAR = re.compile(r'Resource\s*=\s*\[?"\*"\]?(?P<rest>.*)')


def stars() -> Iterator[tuple[str, str]]:
    for file in sorted(SOURCE.rglob("*.tf")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if found := STAR.search(line):
                yield f"{file.relative_to(SOURCE)}:{number}", found["rest"]


def test_no_wildcard_resource_goes_without_a_reason() -> None:
    found = dict(stars())
    assert len(found) > 5
    assert [place for place, rest in found.items() if not re.search(r"# \w.{15,}", rest)] == []


def test_no_wildcard_resource_hides_from_that_test(
    rendered: dict[str, dict[str, Any]], full: dict[str, Any], deploy: str
) -> None:
    """All that come out are found in the sources, in the one way to write them."""
    of_keys = [json.loads(rendered[run]["log_kms_key_statement"]) for run in ("full", "lambda")]
    of_the_user = json.dumps({"Statement": of_keys})
    boundary = {
        statement["Sid"]: statement
        for outputs in (full, rendered["lambda"])
        for statement in json.loads(outputs["permissions_boundary_policy"])["Statement"]
    }
    widest = full | {
        "permissions_boundary_policy": json.dumps({"Statement": list(boundary.values())})
    }
    documents = [*_of_full(widest), deploy, rendered["lambda"]["function_policy"], of_the_user]
    found = [
        statement["Sid"]
        for document in documents
        for statement in json.loads(document)["Statement"]
        if "*" in statement["Resource"]
        if statement["Resource"] in ("*", ["*"])
    ]
    written = [place for place, _ in stars() if not place.startswith("examples/")]
    assert len(found) == len(written)


def test_no_action_is_a_wildcard_but_for_whom_the_key_belongs_to(
    full: dict[str, Any], deploy: str
) -> None:
    documents = [*_of_full(full), deploy]
    wild = {
        (statement["Sid"], action)
        for document in documents
        for statement in json.loads(document)["Statement"]
        for action in _listed(statement["Action"])
        if statement["Effect"] == "Allow" and "*" in action
    }
    assert wild == {
        ("IamOfThisAccountDecides", "kms:*"),
        ("SesPublishesToTheEncryptedTopic", "kms:GenerateDataKey*"),
        ("SnsSendsToTheEncryptedQueues", "kms:GenerateDataKey*"),
        ("SnsSendsFromTheExtraTopics", "kms:GenerateDataKey*"),
    }


def test_every_policy_has_the_current_version(rendered: dict[str, dict[str, Any]]) -> None:
    documents = [
        document
        for outputs in rendered.values()
        for name, value in outputs.items()
        for document in (value.values() if name == "deploy_role_policies" else [value])
        if name.endswith(("_policy", "_policies")) and document
    ]
    assert len(documents) > 10
    assert {json.loads(document)["Version"] for document in documents} == {"2012-10-17"}


def _of_full(full: dict[str, Any]) -> list[str]:
    names = ("consumer", "doctor", "execution", "kms_key", "permissions_boundary")
    return [full[f"{name}_policy"] for name in names]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _with_resource(trust: str) -> str:
    """A trust policy names no resource: it is its role's own."""
    document = json.loads(trust)
    for statement in document["Statement"]:
        statement["Resource"] = "role"
    return json.dumps(document)


def _assume(**asked: Any) -> Request:
    return _request("role", **asked)


def _request(
    resource: str,
    *,
    action: str,
    principal: tuple[str, str],
    source: str | None,
    secure: str = "true",
    account: str | None = ACCOUNT,
) -> Request:
    context = {
        "aws:SecureTransport": secure,
        "aws:SourceAccount": account,
        "aws:SourceArn": source,
    }
    known = {key: value for key, value in context.items() if value is not None}
    return Request(action=action, resource=resource, principal=principal, context=known)
