"""Asks the policies that Terraform renders what each principal may do.

`full` is the stack with all that can be switched on, `least` with nothing but the least.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from scripts.terraform.docs import parsed
from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import SOURCE, Report, Terraform, assert_passed

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "999999999999"
REGION = f"eu-west-1:{ACCOUNT}"

TOPIC = f"arn:aws:sns:{REGION}:sesbounce-feedback"
EXTRA_TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:sesbounce-feedback"
OPT_IN_TOPIC = f"arn:aws:sns:eu-south-1:{OTHER_ACCOUNT}:SESBounce"
QUEUE = f"arn:aws:sqs:{REGION}:sesbounce-feedback"
DLQ = f"{QUEUE}-dlq"
SUBSCRIPTION_DLQ = f"{QUEUE}-subscription-dlq"
KEY = f"arn:aws:kms:{REGION}:key/1234abcd"
IDENTITY = f"arn:aws:ses:{REGION}:identity/example.com"
CONFIGURATION_SET = f"arn:aws:ses:{REGION}:configuration-set/newsletter"
OWN_IDENTITY = f"arn:aws:ses:{REGION}:identity/sesbounce.example"
OWN_SET = f"arn:aws:ses:{REGION}:configuration-set/sesbounce"
ZONE = "arn:aws:route53:::hostedzone/Z0123"
REPOSITORY = f"arn:aws:ecr:{REGION}:repository/sesbounce"
LOG = f"arn:aws:logs:{REGION}:log-group:/ecs/sesbounce:log-stream:worker/worker/1"
DATABASE_USER = f"arn:aws:rds-db:{REGION}:dbuser:db-ABCDEFGHIJKL/sesbounce_worker"
PASSWORD = f"arn:aws:secretsmanager:{REGION}:secret:rds!db-1-AbCdEf"
HASH_KEY = f"arn:aws:ssm:{REGION}:parameter/sesbounce/hash-key"
SECRETS_KEY = f"arn:aws:kms:{REGION}:key/5678"

SNS = ("Service", "sns.amazonaws.com")
SES = ("Service", "ses.amazonaws.com")
TASKS = ("Service", "ecs-tasks.amazonaws.com")
SCHEDULER = ("Service", "scheduler.amazonaws.com")
SOMEBODY = ("AWS", OTHER_ACCOUNT)
# In a region that accounts opt in to, SNS has another name for what it sends elsewhere.
OPT_IN_SNS = ("Service", "sns.eu-south-1.amazonaws.com")
GITHUB = (
    "Federated",
    f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
)

Grants = Mapping[str, Iterable[str]]
"""Resources, and what may be done with them."""


@pytest.fixture(scope="module")
def report(terraform: Terraform) -> Report:
    return terraform.test(".", "rendered.tftest.hcl", "-verbose")


@pytest.fixture(scope="module")
def rendered(report: Report) -> dict[str, dict[str, Any]]:
    """The outputs of each run of the stack's own test, by the run's name."""
    return {
        line["@testrun"]: {
            name: output["value"] for name, output in line["test_state"]["outputs"].items()
        }
        for line in report
        if line["type"] == "test_state"
    }


@pytest.fixture(scope="module")
def full(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return rendered["full"]


@pytest.fixture(scope="module")
def least(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return rendered["least"]


@pytest.fixture(scope="module")
def planned(report: Report) -> dict[str, list[dict[str, Any]]]:
    """The resources of each run, by the run's name."""
    return {
        line["@testrun"]: list(_managed(line["test_state"]["root_module"]))
        for line in report
        if line["type"] == "test_state"
    }


def _managed(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _managed(child)


@pytest.fixture(scope="module")
def deploy_of(rendered: dict[str, dict[str, Any]]) -> dict[str, str]:
    """All that the deploy role may do, as one document, by the run's name."""
    return {
        run: _joined(outputs["deploy_role_policies"].values())
        for run, outputs in rendered.items()
        if "deploy_role_policies" in outputs  # Terraform leaves out what is null
    }


def _joined(policies: Iterable[str]) -> str:
    documents = [json.loads(policy) for policy in policies]
    statements = [statement for document in documents for statement in document["Statement"]]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def deploy(deploy_of: dict[str, str]) -> str:
    return deploy_of["full"]


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
    "sqs:StartMessageMoveTask",
    "sqs:ListMessageMoveTasks",
    "sqs:CancelMessageMoveTask",
}
SUPPRESS = {"ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}

EXPECTED: dict[str, dict[str, Grants]] = {
    "full": {
        "consumer_policy": {
            QUEUE: CONSUME | {"sqs:SendMessage"},
            DLQ: REDRIVE,
            SUBSCRIPTION_DLQ: REDRIVE,
            KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
            "*": SUPPRESS,
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
        "execution_policy": {
            LOG: {"logs:CreateLogStream", "logs:PutLogEvents"},
            REPOSITORY: PULL,
            PASSWORD: {"secretsmanager:GetSecretValue"},
            "*": {"ecr:GetAuthorizationToken"},
        },
        "database_worker_policy": {DATABASE_USER: {"rds-db:connect"}},
    },
}


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
@pytest.mark.parametrize(
    "policy", ["consumer_policy", "execution_policy", "database_worker_policy"]
)
def test_what_must_be_allowed_is_and_all_else_is_denied(
    rendered: dict[str, dict[str, Any]], run: str, policy: str
) -> None:
    grants = EXPECTED[run][policy]
    everywhere = set(grants.get("*", ()))
    for resource in sorted(resources()):
        for action in sorted(actions()):
            # A log stream of another name in the same log is the worker's, too.
            own = LOG if resource == f"{LOG}2" else resource
            expected = action in everywhere or action in grants.get(own, ())
            request = Request(action=action, resource=resource)
            assert allows(rendered[run][policy], request) is expected, (action, resource)


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


GROUP = f"arn:aws:scheduler:{REGION}:schedule-group/sesbounce"


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


# --- Who deploys --------------------------------------------------------------------------------

IAM = f"arn:aws:iam::{ACCOUNT}"
EC2 = f"arn:aws:ec2:{REGION}"
RDS = f"arn:aws:rds:{REGION}"
ALARM = f"arn:aws:cloudwatch:{REGION}:alarm"
TARGET = f"arn:aws:application-autoscaling:{REGION}:scalable-target/0ec5"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
TASK_ROLE = f"{IAM}:role/sesbounce-task"
CONSUMER_POLICY = f"{IAM}:policy/sesbounce-consumer"
BOUNDARY = f"{IAM}:policy/sesbounce-boundary"

OURS = {"aws:ResourceTag/Application": "sesbounce"}
TO_BE_OURS = {"aws:RequestTag/Application": "sesbounce"}
WITHIN = {"iam:PermissionsBoundary": BOUNDARY}
OWN_POLICY = {"iam:PolicyARN": CONSUMER_POLICY}
ANY_POLICY = {"iam:PolicyARN": ADMINISTRATOR}
FOR_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
FOR_SCHEDULES = {"iam:PassedToService": "scheduler.amazonaws.com"}
EXECUTION_ROLE = f"{IAM}:role/sesbounce-execution"
SCHEDULE_ROLE = f"{IAM}:role/sesbounce-schedule"
FUNCTION_ROLE = f"{IAM}:role/sesbounce-function"
SWEEP_ROLE = f"{IAM}:role/sesbounce-sweep"
FUNCTION = f"arn:aws:lambda:{REGION}:function:sesbounce"
MAPPING = f"arn:aws:lambda:{REGION}:event-source-mapping:14e0db71"
FOR_LAMBDA = {"iam:PassedToService": "lambda.amazonaws.com"}
OF_OURS = {"lambda:FunctionArn": FUNCTION}
TASK_DEFINITION = f"arn:aws:ecs:{REGION}:task-definition/sesbounce:7"
TASK = f"arn:aws:ecs:{REGION}:task/sesbounce/1"
IN_CLUSTER = {"ecs:cluster": f"arn:aws:ecs:{REGION}:cluster/sesbounce"}
AT_ITS_START = {"ecs:CreateAction": "RunTask"}

Call = tuple[str, str, dict[str, str]]
"""Action, resource and context."""

DEPLOYING: list[Call] = [
    ("sns:CreateTopic", TOPIC, {}),
    ("sns:SetTopicAttributes", f"arn:aws:sns:{REGION}:sesbounce-alarms", {}),
    ("sqs:CreateQueue", QUEUE, {}),
    ("sqs:SetQueueAttributes", DLQ, {}),
    ("sqs:SetQueueAttributes", SUBSCRIPTION_DLQ, {}),
    ("ses:SetIdentityNotificationTopic", "*", {}),
    ("ses:PutEmailIdentityFeedbackAttributes", IDENTITY, {}),
    ("ses:PutEmailIdentityMailFromAttributes", OWN_IDENTITY, {}),
    ("ses:TagResource", OWN_IDENTITY, {}),
    ("ses:CreateConfigurationSetEventDestination", CONFIGURATION_SET, {}),
    ("ses:PutConfigurationSetSuppressionOptions", OWN_SET, {}),
    ("ses:CreateConfigurationSetEventDestination", OWN_SET, {}),
    ("route53:ListResourceRecordSets", ZONE, {}),
    ("route53:GetChange", "arn:aws:route53:::change/C1", {}),
    ("kms:GetKeyPolicy", KEY, OURS),
    ("iam:CreateRole", TASK_ROLE, WITHIN),
    ("iam:PutRolePolicy", f"{IAM}:role/sesbounce-execution", WITHIN),
    ("iam:AttachRolePolicy", TASK_ROLE, WITHIN | OWN_POLICY),
    ("iam:DetachRolePolicy", TASK_ROLE, WITHIN | OWN_POLICY),
    ("iam:UpdateAssumeRolePolicy", TASK_ROLE, {}),
    ("iam:TagRole", TASK_ROLE, TO_BE_OURS),
    ("iam:DeleteRole", TASK_ROLE, {}),
    ("iam:CreatePolicyVersion", CONSUMER_POLICY, {}),
    ("iam:PassRole", TASK_ROLE, FOR_TASKS),
    ("iam:CreateRole", SCHEDULE_ROLE, WITHIN),
    ("iam:PutRolePolicy", SCHEDULE_ROLE, WITHIN),
    ("iam:PassRole", SCHEDULE_ROLE, FOR_SCHEDULES),
    ("iam:GetRole", f"{IAM}:role/sesbounce-deploy", {}),
    ("iam:GetPolicyVersion", BOUNDARY, {}),
    ("iam:GetUser", f"{IAM}:user/sesbounce-consumer", {}),
    ("ecr:PutImage", REPOSITORY, {}),
    ("ecr:GetAuthorizationToken", "*", {}),
    ("ecs:RegisterTaskDefinition", "*", {}),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}),
    ("scheduler:CreateSchedule", f"arn:aws:scheduler:{REGION}:schedule/sesbounce/sesbounce", {}),
    ("scheduler:CreateScheduleGroup", GROUP, {}),
    ("scheduler:TagResource", GROUP, {}),
    ("iam:PassRole", FUNCTION_ROLE, FOR_LAMBDA),
    ("iam:PassRole", SWEEP_ROLE, FOR_SCHEDULES),
    ("lambda:CreateFunction", FUNCTION, {}),
    ("lambda:UpdateFunctionCode", FUNCTION, {}),
    ("lambda:UpdateFunctionConfiguration", FUNCTION, {}),
    ("lambda:InvokeFunction", FUNCTION, {}),  # a sweep after a deployment
    ("lambda:CreateEventSourceMapping", "*", OF_OURS),
    ("lambda:UpdateEventSourceMapping", MAPPING, OF_OURS),
    ("lambda:GetEventSourceMapping", MAPPING, OF_OURS),
    ("lambda:TagResource", MAPPING, TO_BE_OURS),
    ("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:log-group:/aws/lambda/sesbounce", {}),
    # the check of the schedule
    ("scheduler:GetSchedule", f"arn:aws:scheduler:{REGION}:schedule/sesbounce/sesbounce", {}),
    ("ecs:DescribeClusters", f"arn:aws:ecs:{REGION}:cluster/sesbounce", {}),
    ("iam:GetRole", SCHEDULE_ROLE, {}),
    # the tasks of deploy, restart and cli
    ("ecs:RunTask", TASK_DEFINITION, IN_CLUSTER),
    ("ecs:TagResource", TASK, AT_ITS_START | TO_BE_OURS),
    ("ecs:TagResource", TASK, AT_ITS_START),  # the tags of its definition
    ("ecs:StopTask", TASK, OURS),
    ("application-autoscaling:RegisterScalableTarget", TARGET, TO_BE_OURS),
    ("application-autoscaling:RegisterScalableTarget", TARGET, OURS),
    ("application-autoscaling:PutScalingPolicy", TARGET, OURS),
    ("application-autoscaling:TagResource", TARGET, TO_BE_OURS),
    ("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:log-group:/ecs/sesbounce", {}),
    ("ec2:CreateSecurityGroup", f"{EC2}:vpc/vpc-1", {}),
    ("ec2:CreateSecurityGroup", f"{EC2}:security-group/sg-1", TO_BE_OURS),
    (
        "ec2:CreateTags",
        f"{EC2}:security-group/sg-1",
        TO_BE_OURS | {"ec2:CreateAction": "CreateSecurityGroup"},
    ),
    (
        "ec2:CreateTags",
        f"{EC2}:security-group-rule/sgr-1",
        TO_BE_OURS | {"ec2:CreateAction": "AuthorizeSecurityGroupEgress"},
    ),
    ("ec2:CreateTags", f"{EC2}:security-group/sg-1", OURS),
    ("ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group/sg-1", OURS),
    ("ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group-rule/*", TO_BE_OURS),
    ("rds:CreateDBInstance", f"{RDS}:db:sesbounce", {}),
    ("rds:CreateDBInstance", f"{RDS}:pg:default.postgres17", {}),
    ("rds:CreateDBSnapshot", f"{RDS}:snapshot:sesbounce-final-20261126091500", {}),
    ("rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:db:sesbounce", {}),
    *(
        ("rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:snapshot:{name}", {})
        for name in ("sesbounce-final-20261126091500", "rds:sesbounce-2026-11-26-09-15")
    ),
    ("kms:DescribeKey", SECRETS_KEY, {}),  # for the password that RDS keeps
    ("iam:PutRolePolicy", TASK_ROLE, WITHIN),
    ("cloudwatch:PutMetricAlarm", f"{ALARM}:sesbounce-dlq", {}),
    (
        "cloudwatch:PutMetricAlarm",
        f"{ALARM}:TargetTracking-service/sesbounce/sesbounce-AlarmHigh-1",
        {},
    ),
    ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/sesbounce", {}),
    ("s3:PutObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
    # the checks after a deployment
    ("cloudwatch:GetMetricData", "*", {}),
    ("ses:ListIdentities", "*", {}),
    ("ses:GetAccount", "*", {}),
    ("ses:GetIdentityDkimAttributes", "*", {}),
    ("ses:GetIdentityMailFromDomainAttributes", "*", {}),
    ("ses:GetConfigurationSet", CONFIGURATION_SET, {}),
    ("ses:GetConfigurationSetEventDestinations", CONFIGURATION_SET, {}),
    ("ecr:DescribeImages", REPOSITORY, {}),
    ("ecs:DescribeTasks", f"arn:aws:ecs:{REGION}:task/sesbounce/1", {}),
    ("s3:DeleteObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate.tflock", {}),
]


@pytest.mark.parametrize(("action", "resource", "context"), DEPLOYING)
def test_the_deploy_role_deploys(
    deploy: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert allows(deploy, Request(action=action, resource=resource, context=context))


# The calls that create what has a name, and the ARN by the planned attributes.
CREATED = {
    "aws_cloudwatch_dashboard": (
        "cloudwatch:PutDashboard",
        f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{dashboard_name}}",
    ),
    "aws_cloudwatch_log_group": (
        "logs:CreateLogGroup",
        f"arn:aws:logs:{REGION}:log-group:{{name}}",
    ),
    "aws_cloudwatch_metric_alarm": ("cloudwatch:PutMetricAlarm", f"{ALARM}:{{alarm_name}}"),
    "aws_db_instance": ("rds:CreateDBInstance", f"{RDS}:db:{{identifier}}"),
    "aws_db_subnet_group": ("rds:CreateDBSubnetGroup", f"{RDS}:subgrp:{{name}}"),
    "aws_ecr_repository": (
        "ecr:CreateRepository",
        f"arn:aws:ecr:{REGION}:repository/{{name}}",
    ),
    "aws_ecs_cluster": ("ecs:CreateCluster", f"arn:aws:ecs:{REGION}:cluster/{{name}}"),
    "aws_ecs_service": ("ecs:CreateService", "{cluster}/{name}"),
    "aws_iam_policy": ("iam:CreatePolicy", f"{IAM}:policy{{path}}{{name}}"),
    "aws_iam_role": ("iam:CreateRole", f"{IAM}:role{{path}}{{name}}"),
    "aws_iam_user": ("iam:CreateUser", f"{IAM}:user{{path}}{{name}}"),
    "aws_kms_alias": ("kms:CreateAlias", f"arn:aws:kms:{REGION}:{{name}}"),
    "aws_lambda_function": (
        "lambda:CreateFunction",
        f"arn:aws:lambda:{REGION}:function:{{function_name}}",
    ),
    "aws_route53_record": (
        "route53:ChangeResourceRecordSets",
        "arn:aws:route53:::hostedzone/{zone_id}",
    ),
    "aws_scheduler_schedule": (
        "scheduler:CreateSchedule",
        f"arn:aws:scheduler:{REGION}:schedule/{{group_name}}/{{name}}",
    ),
    "aws_scheduler_schedule_group": (
        "scheduler:CreateScheduleGroup",
        f"arn:aws:scheduler:{REGION}:schedule-group/{{name}}",
    ),
    "aws_sesv2_configuration_set": (
        "ses:CreateConfigurationSet",
        f"arn:aws:ses:{REGION}:configuration-set/{{configuration_set_name}}",
    ),
    "aws_sesv2_configuration_set_event_destination": (
        "ses:CreateConfigurationSetEventDestination",
        f"arn:aws:ses:{REGION}:configuration-set/{{configuration_set_name}}",
    ),
    "aws_sesv2_email_identity": (
        "ses:CreateEmailIdentity",
        f"arn:aws:ses:{REGION}:identity/{{email_identity}}",
    ),
    "aws_sesv2_email_identity_mail_from_attributes": (
        "ses:PutEmailIdentityMailFromAttributes",
        f"arn:aws:ses:{REGION}:identity/{{email_identity}}",
    ),
    "aws_sns_topic": ("sns:CreateTopic", f"arn:aws:sns:{REGION}:{{name}}"),
    "aws_sqs_queue": ("sqs:CreateQueue", f"arn:aws:sqs:{REGION}:{{name}}"),
}
# What has no name of its own: it belongs to one of those, or bears the tag.
NAMELESS = {
    "aws_iam_access_key",
    "aws_appautoscaling_policy",
    "aws_appautoscaling_target",
    "aws_ecr_lifecycle_policy",
    "aws_ecs_cluster_capacity_providers",
    "aws_ecs_task_definition",
    "aws_iam_openid_connect_provider",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_iam_user_policy_attachment",
    "aws_kms_key",
    "aws_kms_key_policy",
    "aws_lambda_event_source_mapping",
    "aws_security_group",
    "aws_ses_domain_identity",
    "aws_ses_identity_notification_topic",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "terraform_data",  # in the state alone
}
# Of the role itself: somebody with more rights makes these.
OF_THE_ROLE = re.compile(r"/sesbounce-(deploy|deploy-\w+|boundary)$")


# Of these it makes nothing without a switch.
SWITCHED = {"iam:CreateUser", "kms:CreateAlias"}


def created(resources: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The call that creates each planned resource with a name, and its ARN."""
    named = [
        # A service's ARN is its cluster's, but for the kind.
        (action, re.sub(r":cluster/(.*/)", r":service/\1", arn.format(**resource["values"])))
        for resource in resources
        if resource["type"] not in NAMELESS
        for action, arn in [CREATED[resource["type"]]]
    ]
    return [(action, arn) for action, arn in named if not OF_THE_ROLE.search(arn)]


@pytest.mark.parametrize("run", ["full", "managed", "scheduled", "lambda"])
def test_the_deploy_role_creates_whatever_is_planned_and_nothing_of_a_neighbour(
    planned: dict[str, list[dict[str, Any]]], deploy_of: dict[str, str], run: str
) -> None:
    boundary = f"{IAM}:policy/developers" if run == "managed" else BOUNDARY
    context = {"iam:PermissionsBoundary": boundary} | OURS
    calls = created(planned[run])
    assert len(calls) > 20
    for action, arn in calls:
        request = Request(action=action, resource=arn, context=context)
        expected = run == "managed" or action not in SWITCHED
        assert allows(deploy_of[run], request) is expected, (action, arn)
        for other in neighbours(arn):
            request = Request(action=action, resource=other, context=context)
            assert not allows(deploy_of[run], request), (action, other)


def neighbours(arn: str) -> set[str]:
    """What another stack of the same prefix, another account or another region calls its own."""
    _, _, _, region, account, name = arn.split(":", 5)
    names = {
        arn.replace(name, changed)
        for changed in (
            re.sub(r"(?i)(sesbounce)(sqs)?", r"\1-prod\2", name),
            re.sub(r"(?i)(sesbounce)(sqs)?", r"\1-prod\2", name, count=1),
            f"{name}-prod",
            f"{name}s",
        )
    }
    places = {
        *([arn.replace(account, OTHER_ACCOUNT)] if account else []),
        *([arn.replace(region, "us-east-1")] if region else []),
    }
    return (names | places) - {arn}


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [call for call in DEPLOYING if "sesbounce" in f"{call[1]}{call[2]}"],
)
def test_another_stack_of_the_same_prefix_is_out_of_reach(
    deploy: str, action: str, resource: str, context: dict[str, str]
) -> None:
    other = {key: value.replace("sesbounce", "sesbounce-prod") for key, value in context.items()}
    there = resource.replace("sesbounce", "sesbounce-prod")
    assert not allows(deploy, Request(action=action, resource=there, context=other))


SECURITY_GROUP = f"{EC2}:security-group/sg-1"
OTHERS = {"aws:ResourceTag/Application": "orders"}

ATTACKS: list[Call] = [
    # the messages, the mail, the secrets
    ("sqs:ReceiveMessage", QUEUE, {}),
    ("sqs:SendMessage", QUEUE, {}),
    ("sqs:PurgeQueue", QUEUE, {}),
    ("sns:Publish", TOPIC, {}),
    ("ses:SendEmail", IDENTITY, {}),
    ("ses:PutSuppressedDestination", "*", {}),
    ("ses:PutAccountSuppressionAttributes", "*", {}),
    ("secretsmanager:GetSecretValue", PASSWORD, {}),
    ("kms:Decrypt", KEY, OURS),
    # identities and sets that Terraform has not made, and those of others
    ("ses:CreateEmailIdentity", IDENTITY, {}),
    ("ses:DeleteEmailIdentity", IDENTITY, {}),
    ("ses:PutEmailIdentityDkimSigningAttributes", IDENTITY, {}),
    ("ses:PutEmailIdentityMailFromAttributes", IDENTITY, {}),
    ("ses:CreateEmailIdentityPolicy", OWN_IDENTITY, {}),
    ("ses:DeleteConfigurationSet", CONFIGURATION_SET, {}),
    ("ses:PutConfigurationSetSendingOptions", CONFIGURATION_SET, {}),
    ("ses:CreateEmailIdentity", f"arn:aws:ses:{REGION}:identity/me@sesbounce.example", {}),
    ("ses:PutEmailIdentityFeedbackAttributes", f"arn:aws:ses:{REGION}:identity/orders.com", {}),
    (
        "ses:DeleteConfigurationSetEventDestination",
        f"arn:aws:ses:{REGION}:configuration-set/orders",
        {},
    ),
    ("ses:GetConfigurationSet", OWN_SET.replace("eu-west-1", "us-east-1"), {}),
    # by version 1 of SES's API, which IAM can't limit to certain identities
    ("ses:DeleteIdentity", "*", {}),
    ("ses:VerifyDomainIdentity", "*", {}),
    ("ses:CreateConfigurationSet", "*", {}),
    ("ses:SetIdentityMailFromDomain", "*", {}),
    # DNS
    ("route53:ListResourceRecordSets", f"{ZONE}4", {}),
    ("route53:DeleteHostedZone", ZONE, {}),
    ("route53:CreateHostedZone", "*", {}),
    # what belongs to others
    ("sns:DeleteTopic", f"arn:aws:sns:{REGION}:orders", {}),
    ("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:sesbounces", {}),
    ("sqs:DeleteQueue", QUEUE.replace(ACCOUNT, OTHER_ACCOUNT), {}),
    ("ecr:PutImage", f"arn:aws:ecr:{REGION}:repository/orders", {}),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/shared/orders", {}),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/shared/sesbounce", {}),
    ("ecs:DeleteCluster", f"arn:aws:ecs:{REGION}:cluster/shared", {}),
    ("ecs:RunTask", f"arn:aws:ecs:{REGION}:task-definition/orders:1", IN_CLUSTER),
    ("ecs:RunTask", TASK_DEFINITION, {}),
    ("ecs:RunTask", TASK_DEFINITION, {"ecs:cluster": f"arn:aws:ecs:{REGION}:cluster/shared"}),
    ("ecs:StopTask", TASK, {}),
    ("ecs:StopTask", TASK, OTHERS),
    ("ecs:StopTask", f"arn:aws:ecs:{REGION}:task/shared/1", OURS),
    ("ecs:TagResource", TASK, TO_BE_OURS),
    ("ecs:TagResource", TASK, AT_ITS_START | {"aws:RequestTag/Application": "orders"}),
    ("scheduler:UpdateSchedule", f"arn:aws:scheduler:{REGION}:schedule/default/orders", {}),
    ("scheduler:CreateSchedule", f"arn:aws:scheduler:{REGION}:schedule/default/sesbounce", {}),
    ("scheduler:DeleteScheduleGroup", f"arn:aws:scheduler:{REGION}:schedule-group/default", {}),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:function:orders", {}),
    ("lambda:InvokeFunction", f"{FUNCTION}-prod", {}),
    ("lambda:AddPermission", FUNCTION, {}),
    ("lambda:CreateFunctionUrlConfig", FUNCTION, {}),
    ("lambda:CreateEventSourceMapping", "*", {}),
    ("lambda:CreateEventSourceMapping", "*", {"lambda:FunctionArn": f"{FUNCTION}-prod"}),
    ("lambda:DeleteEventSourceMapping", MAPPING, {}),
    ("lambda:DeleteEventSourceMapping", MAPPING, {"lambda:FunctionArn": f"{FUNCTION}-prod"}),
    ("lambda:TagResource", MAPPING, {"aws:RequestTag/Application": "orders"}),
    ("lambda:TagResource", MAPPING, TO_BE_OURS | OTHERS),
    ("application-autoscaling:RegisterScalableTarget", TARGET, OTHERS),
    ("application-autoscaling:DeregisterScalableTarget", TARGET, OTHERS),
    (
        "application-autoscaling:PutScalingPolicy",
        TARGET,
        {"application-autoscaling:service-namespace": "dynamodb"},
    ),
    ("ec2:DeleteSecurityGroup", SECURITY_GROUP, {}),
    ("ec2:DeleteSecurityGroup", SECURITY_GROUP, OTHERS),
    ("ec2:CreateSecurityGroup", SECURITY_GROUP, {}),
    ("ec2:AuthorizeSecurityGroupIngress", SECURITY_GROUP, TO_BE_OURS),
    ("ec2:RunInstances", f"{EC2}:instance/i-1", {}),
    ("rds:DeleteDBInstance", f"{RDS}:db:orders", {}),
    ("rds:DeleteDBSnapshot", f"{RDS}:snapshot:sesbounce-final-20261126091500", {}),
    *(
        ("rds:RestoreDBInstanceFromDBSnapshot", f"{RDS}:snapshot:{name}", {})
        for name in (
            "orders-final-20261126091500",
            "sesbounce-final-x-final-20261126091500",
            "rds:sesbounce-prod-2026-11-26-09-15",
        )
    ),
    # the database's users are those whom the migration makes
    ("rds-db:connect", f"arn:aws:rds-db:{REGION}:dbuser:db-ABCDEFGHIJKL/sesbounce", {}),
    ("rds-db:connect", f"arn:aws:rds-db:{REGION}:dbuser:db-ABCDEFGHIJKL/sesbounce_worker", {}),
    ("logs:DeleteLogGroup", f"arn:aws:logs:{REGION}:log-group:/ecs/orders", {}),
    ("cloudwatch:DeleteAlarms", f"{ALARM}:orders", {}),
    ("cloudwatch:DeleteAlarms", f"{ALARM}:TargetTracking-service/shared/orders-AlarmHigh-1", {}),
    ("s3:DeleteObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
    ("s3:GetObject", "arn:aws:s3:::acme-state/other/terraform.tfstate", {}),
    ("s3:PutObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate2", {}),
    # a tag that launders what belongs to others
    ("ec2:CreateTags", SECURITY_GROUP, TO_BE_OURS),
    ("ec2:CreateTags", SECURITY_GROUP, TO_BE_OURS | OTHERS),
    ("ec2:CreateTags", SECURITY_GROUP, TO_BE_OURS | {"ec2:CreateAction": "RunInstances"}),
    ("ec2:CreateTags", SECURITY_GROUP, {"ec2:CreateAction": "CreateSecurityGroup"}),
    ("ec2:CreateTags", f"{EC2}:instance/i-1", TO_BE_OURS),
    ("ec2:CreateTags", SECURITY_GROUP, OURS | {"aws:RequestTag/Application": "orders"}),
    ("ec2:DeleteTags", SECURITY_GROUP, OTHERS),
    ("application-autoscaling:TagResource", TARGET, TO_BE_OURS | OTHERS),
    ("kms:TagResource", KEY, TO_BE_OURS),
    ("kms:TagResource", KEY, TO_BE_OURS | OTHERS),
    ("kms:CreateAlias", f"arn:aws:kms:{REGION}:alias/sesbounce-feedback", {}),
    # keys
    ("kms:CreateKey", "*", {}),
    ("kms:CreateKey", "*", TO_BE_OURS),
    ("kms:PutKeyPolicy", KEY, {}),
    ("kms:PutKeyPolicy", KEY, OTHERS),
    ("kms:PutKeyPolicy", KEY, OURS),
    ("kms:ScheduleKeyDeletion", KEY, {}),
    ("kms:ScheduleKeyDeletion", KEY, OTHERS),
    ("kms:ScheduleKeyDeletion", KEY, OURS),
    ("kms:CreateGrant", KEY, OURS),
    # an administrator
    ("iam:CreateRole", f"{IAM}:role/admin", WITHIN),
    ("iam:CreateRole", f"{IAM}:role/sesbounce-admin", WITHIN),
    ("iam:CreateRole", f"{IAM}:role/mail/sesbounce-task", WITHIN),
    ("iam:CreateRole", TASK_ROLE, {}),
    ("iam:CreateRole", TASK_ROLE, {"iam:PermissionsBoundary": ADMINISTRATOR}),
    ("iam:CreateRole", TASK_ROLE, {"iam:PermissionsBoundary": f"{BOUNDARY}2"}),
    ("iam:PutRolePolicy", TASK_ROLE, {}),
    ("iam:PutRolePolicy", TASK_ROLE, {"iam:PermissionsBoundary": ADMINISTRATOR}),
    ("iam:AttachRolePolicy", TASK_ROLE, OWN_POLICY),
    ("iam:AttachRolePolicy", TASK_ROLE, WITHIN | ANY_POLICY),
    ("iam:AttachRolePolicy", TASK_ROLE, OWN_POLICY | {"iam:PermissionsBoundary": ADMINISTRATOR}),
    ("iam:AttachRolePolicy", f"{IAM}:role/admin", WITHIN | OWN_POLICY),
    ("iam:CreatePolicy", f"{IAM}:policy/sesbounce-admin", {}),
    ("iam:CreatePolicyVersion", f"{IAM}:policy/admin", {}),
    ("iam:PutGroupPolicy", f"{IAM}:group/developers", {}),
    ("iam:AddUserToGroup", f"{IAM}:group/administrators", {}),
    ("iam:CreateInstanceProfile", f"{IAM}:instance-profile/sesbounce", {}),
    ("iam:CreateOpenIDConnectProvider", f"{IAM}:oidc-provider/example.com", {}),
    ("iam:UpdateOpenIDConnectProviderThumbprint", GITHUB[1], {}),
    ("iam:AddClientIDToOpenIDConnectProvider", GITHUB[1], {}),
    ("sts:AssumeRole", f"{IAM}:role/admin", {}),
    ("sts:AssumeRole", TASK_ROLE, {}),
    # the boundary
    ("iam:DeleteRolePermissionsBoundary", TASK_ROLE, WITHIN),
    ("iam:PutRolePermissionsBoundary", TASK_ROLE, WITHIN),
    ("iam:PutRolePermissionsBoundary", TASK_ROLE, {"iam:PermissionsBoundary": ADMINISTRATOR}),
    ("iam:CreatePolicyVersion", BOUNDARY, {}),
    ("iam:SetDefaultPolicyVersion", BOUNDARY, {}),
    ("iam:DeletePolicyVersion", BOUNDARY, {}),
    ("iam:DeletePolicy", BOUNDARY, {}),
    ("iam:CreatePolicy", BOUNDARY, {}),
    # the role's own rights
    ("iam:PutRolePolicy", f"{IAM}:role/sesbounce-deploy", WITHIN),
    ("iam:CreateRole", f"{IAM}:role/sesbounce-deploy", WITHIN),
    ("iam:DeleteRole", f"{IAM}:role/sesbounce-deploy", {}),
    ("iam:UpdateAssumeRolePolicy", f"{IAM}:role/sesbounce-deploy", {}),
    ("iam:AttachRolePolicy", f"{IAM}:role/sesbounce-deploy", WITHIN | OWN_POLICY),
    ("iam:DeleteRolePermissionsBoundary", f"{IAM}:role/sesbounce-deploy", {}),
    ("iam:CreatePolicyVersion", f"{IAM}:policy/sesbounce-deploy-rights", {}),
    ("iam:SetDefaultPolicyVersion", f"{IAM}:policy/sesbounce-deploy-rights", {}),
    # another role
    ("iam:PassRole", TASK_ROLE, {}),
    ("iam:PassRole", TASK_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("iam:PassRole", TASK_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", TASK_ROLE, FOR_SCHEDULES),
    ("iam:PassRole", SCHEDULE_ROLE, FOR_TASKS),
    ("iam:PassRole", FUNCTION_ROLE, FOR_TASKS),
    ("iam:PassRole", SWEEP_ROLE, FOR_LAMBDA),
    ("iam:PassRole", f"{IAM}:role/admin", FOR_TASKS),
    ("iam:PassRole", f"{IAM}:role/admin", FOR_SCHEDULES),
    ("iam:PassRole", f"{IAM}:role/admin", FOR_LAMBDA),
    ("iam:PassRole", f"{IAM}:role/sesbounce-deploy", FOR_TASKS),
    ("iam:PassRole", TASK_ROLE.replace(ACCOUNT, OTHER_ACCOUNT), FOR_TASKS),
    # an access key
    ("iam:CreateUser", f"{IAM}:user/admin", WITHIN),
    ("iam:CreateUser", f"{IAM}:user/sesbounce-consumer", WITHIN),
    ("iam:CreateAccessKey", f"{IAM}:user/sesbounce-consumer", {}),
    ("iam:CreateAccessKey", f"{IAM}:user/admin", {}),
    ("iam:CreateLoginProfile", f"{IAM}:user/sesbounce-consumer", {}),
    ("iam:AttachUserPolicy", f"{IAM}:user/sesbounce-consumer", WITHIN | OWN_POLICY),
    ("iam:AttachUserPolicy", f"{IAM}:user/sesbounce-consumer", ANY_POLICY),
]


@pytest.mark.parametrize(("action", "resource", "context"), ATTACKS)
def test_the_deploy_role_does_nothing_else(
    deploy: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert not allows(deploy, Request(action=action, resource=resource, context=context))


@pytest.mark.parametrize(
    ("zone", "names", "types", "allowed"),
    [
        (ZONE, ("token._domainkey.sesbounce.example",), ("CNAME",), True),
        (ZONE, ("bounce.sesbounce.example",), ("MX", "TXT"), True),
        (f"{ZONE}4", ("token._domainkey.sesbounce.example",), ("CNAME",), False),
        (ZONE, ("www.sesbounce.example",), ("CNAME",), False),
        (ZONE, ("sesbounce.example",), ("MX",), False),
        (ZONE, ("_dmarc.sesbounce.example",), ("TXT",), False),
        (ZONE, ("token._domainkey.example.com",), ("CNAME",), False),
        (ZONE, ("bounce.sesbounce.example", "www.sesbounce.example"), ("TXT",), False),
        (ZONE, ("bounce.sesbounce.example",), ("A",), False),
        (ZONE, ("bounce.sesbounce.example",), ("TXT", "NS"), False),
    ],
)
def test_the_deploy_role_writes_the_dns_records_of_ses_and_no_others(
    deploy: str, zone: str, names: tuple[str, ...], types: tuple[str, ...], *, allowed: bool
) -> None:
    context = {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
        "route53:ChangeResourceRecordSetsRecordTypes": types,
    }
    action = "route53:ChangeResourceRecordSets"
    assert allows(deploy, Request(action=action, resource=zone, context=context)) is allowed


DEVELOPERS = {"iam:PermissionsBoundary": f"{IAM}:policy/developers"}
USER = f"{IAM}:user/mail/sesbounce-consumer"
POLICY_BY_PATH = {"iam:PolicyARN": f"{IAM}:policy/mail/sesbounce-consumer"}


@pytest.mark.parametrize(
    ("action", "resource", "context", "allowed"),
    [
        ("iam:CreateRole", f"{IAM}:role/mail/sesbounce-task", DEVELOPERS, True),
        ("iam:CreateRole", f"{IAM}:role/mail/sesbounce-task", WITHIN, False),
        ("iam:CreateRole", TASK_ROLE, DEVELOPERS, False),
        ("iam:PutRolePolicy", f"{IAM}:role/mail/sesbounce-deploy", DEVELOPERS, False),
        ("iam:CreatePolicyVersion", f"{IAM}:policy/developers", {}, False),
        ("iam:CreateUser", USER, DEVELOPERS, True),
        ("iam:CreateUser", USER, {}, False),
        ("iam:AttachUserPolicy", USER, DEVELOPERS | POLICY_BY_PATH, True),
        ("iam:AttachUserPolicy", USER, POLICY_BY_PATH, False),
        ("iam:AttachUserPolicy", USER, DEVELOPERS | ANY_POLICY, False),
        ("iam:PutUserPolicy", USER, DEVELOPERS, False),
        ("iam:DeleteUserPermissionsBoundary", USER, {}, False),
        ("iam:CreateAccessKey", USER, {}, True),
        ("iam:CreateAccessKey", f"{IAM}:user/sesbounce-consumer", {}, False),
        ("iam:CreateAccessKey", f"{IAM}:user/mail/admin", {}, False),
        ("kms:PutKeyPolicy", KEY, OURS, True),
        ("kms:PutKeyPolicy", KEY, OTHERS, False),
        ("kms:ScheduleKeyDeletion", KEY, OURS, True),
        ("kms:TagResource", KEY, OURS | TO_BE_OURS, True),
        ("kms:TagResource", KEY, TO_BE_OURS, False),
        ("kms:TagResource", KEY, TO_BE_OURS | OTHERS, False),
        ("kms:CreateKey", "*", TO_BE_OURS, False),
        ("kms:CreateAlias", f"arn:aws:kms:{REGION}:alias/SESBounceSQS", {}, True),
        ("kms:CreateAlias", f"arn:aws:kms:{REGION}:alias/orders", {}, False),
        ("kms:CreateAlias", KEY, OTHERS, False),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/shared/sesbounce", {}, True),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}, False),
        ("ecs:DeleteCluster", f"arn:aws:ecs:{REGION}:cluster/shared", {}, False),
        ("ses:VerifyDomainIdentity", "*", {}, True),
        ("sns:DeleteTopic", f"arn:aws:sns:{REGION}:SESBounce", {}, True),
        ("sns:DeleteTopic", f"arn:aws:sns:{REGION}:SESBounce-other", {}, False),
    ],
)
def test_the_switches_widen_the_deploy_role_within_the_boundary(
    deploy_of: dict[str, str],
    action: str,
    resource: str,
    context: dict[str, str],
    *,
    allowed: bool,
) -> None:
    request = Request(action=action, resource=resource, context=context)
    assert allows(deploy_of["managed"], request) is allowed


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
        "full": own | {"sesbounce-deploy": None},
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
    role = _joined([outputs["function_policy"], outputs["consumer_policy"]])
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


@pytest.mark.parametrize(
    "policy", ["consumer_policy", "execution_policy", "database_worker_policy"]
)
def test_the_boundary_leaves_the_worker_all_that_it_needs(
    full: dict[str, Any], policy: str
) -> None:
    for resource, actions in EXPECTED["full"][policy].items():
        context = BOUND_BY.get(resource, {})
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
        ("kms:Decrypt", KEY, {}),
        ("kms:Decrypt", KEY, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
        ("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:repository/orders", {}),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:log-group:/ecs/orders:log-stream:1", {}),
        ("s3:GetObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
        ("iam:CreateUser", f"{IAM}:user/admin", {}),
        ("iam:PassRole", TASK_ROLE, FOR_TASKS),
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
    of_lambda = rendered["lambda"]
    widest = full | {"permissions_boundary_policy": of_lambda["permissions_boundary_policy"]}
    documents = [*_of_full(widest), deploy, of_lambda["function_policy"], of_the_user]
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
    names = ("consumer_policy", "execution_policy", "kms_key_policy", "permissions_boundary_policy")
    return [full[name] for name in names]


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
