"""Who may do what, asked of the policies that Terraform renders.

`full` is the stack with all that can be switched on, `least` with nothing but the least.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import SOURCE, Report, Terraform, assert_passed

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "999999999999"
REGION = f"eu-west-1:{ACCOUNT}"

TOPIC = f"arn:aws:sns:{REGION}:sesbounce-feedback"
QUEUE = f"arn:aws:sqs:{REGION}:sesbounce-feedback"
DLQ = f"{QUEUE}-dlq"
SUBSCRIPTION_DLQ = f"{QUEUE}-subscription-dlq"
KEY = f"arn:aws:kms:{REGION}:key/1234abcd"
IDENTITY = f"arn:aws:ses:{REGION}:identity/example.com"
CONFIGURATION_SET = f"arn:aws:ses:{REGION}:configuration-set/newsletter"
REPOSITORY = f"arn:aws:ecr:{REGION}:repository/sesbounce"
LOG = f"arn:aws:logs:{REGION}:log-group:/ecs/sesbounce:log-stream:worker/worker/1"
PASSWORD = f"arn:aws:secretsmanager:{REGION}:secret:rds!db-1-AbCdEf"
HASH_KEY = f"arn:aws:ssm:{REGION}:parameter/sesbounce/hash-key"
SECRETS_KEY = f"arn:aws:kms:{REGION}:key/5678"

SNS = ("Service", "sns.amazonaws.com")
SES = ("Service", "ses.amazonaws.com")
TASKS = ("Service", "ecs-tasks.amazonaws.com")
SOMEBODY = ("AWS", OTHER_ACCOUNT)
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
def deploy(full: dict[str, Any]) -> str:
    """All that the deploy role may do, as one document."""
    documents = [json.loads(policy) for policy in full["deploy_role_policies"].values()]
    statements = [statement for document in documents for statement in document["Statement"]]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


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
    },
    "least": {
        "consumer_policy": {QUEUE: CONSUME},
        "execution_policy": {
            LOG: {"logs:CreateLogStream", "logs:PutLogEvents"},
            REPOSITORY: PULL,
            PASSWORD: {"secretsmanager:GetSecretValue"},
            "*": {"ecr:GetAuthorizationToken"},
        },
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
@pytest.mark.parametrize("policy", ["consumer_policy", "execution_policy"])
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
    ("subject", "audience", "allowed"),
    [
        ("repo:acme/mail:ref:refs/heads/main", "sts.amazonaws.com", True),
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
    host = "token.actions.githubusercontent.com"
    context = {f"{host}:aud": audience} | ({} if subject is None else {f"{host}:sub": subject})
    request = Request(
        action="sts:AssumeRoleWithWebIdentity", resource="role", principal=GITHUB, context=context
    )
    assert allows(_with_resource(full["deploy_role_trust_policy"]), request) is allowed


# --- Who deploys --------------------------------------------------------------------------------

OURS = {"aws:ResourceTag/Application": "sesbounce"}
TO_BE_OURS = {"aws:RequestTag/Application": "sesbounce"}
IAM = f"arn:aws:iam::{ACCOUNT}"
EC2 = f"arn:aws:ec2:{REGION}"
RDS = f"arn:aws:rds:{REGION}"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("sns:CreateTopic", TOPIC, {}),
        ("sns:SetTopicAttributes", f"arn:aws:sns:{REGION}:sesbounce-alarms", {}),
        ("sqs:CreateQueue", QUEUE, {}),
        ("sqs:SetQueueAttributes", DLQ, {}),
        ("ses:SetIdentityNotificationTopic", "*", {}),
        ("ses:PutEmailIdentityFeedbackAttributes", IDENTITY, {}),
        ("kms:CreateKey", "*", TO_BE_OURS),
        ("kms:PutKeyPolicy", KEY, OURS),
        ("iam:CreateRole", f"{IAM}:role/sesbounce-task", {}),
        (
            "iam:AttachRolePolicy",
            f"{IAM}:role/sesbounce-task",
            {"iam:PolicyARN": f"{IAM}:policy/sesbounce-consumer"},
        ),
        (
            "iam:PassRole",
            f"{IAM}:role/sesbounce-task",
            {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        ),
        ("ecr:PutImage", REPOSITORY, {}),
        ("ecr:GetAuthorizationToken", "*", {}),
        ("ecs:RegisterTaskDefinition", "*", {}),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}),
        ("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:log-group:/ecs/sesbounce", {}),
        ("ec2:CreateSecurityGroup", f"{EC2}:vpc/vpc-1", {}),
        ("ec2:CreateSecurityGroup", f"{EC2}:security-group/sg-1", TO_BE_OURS),
        ("ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group/sg-1", OURS),
        ("ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group-rule/*", TO_BE_OURS),
        ("rds:CreateDBInstance", f"{RDS}:db:sesbounce", {}),
        ("rds:CreateDBInstance", f"{RDS}:pg:default.postgres17", {}),
        ("rds:CreateDBSnapshot", f"{RDS}:snapshot:sesbounce-final", {}),
        ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{REGION}:alarm:sesbounce-dlq", {}),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/sesbounce", {}),
        ("s3:PutObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
        # the checks after a deployment
        ("cloudwatch:GetMetricData", "*", {}),
        ("ses:ListIdentities", "*", {}),
        ("ses:GetAccount", "*", {}),
        ("ecr:DescribeImages", REPOSITORY, {}),
        ("ecs:DescribeTasks", f"arn:aws:ecs:{REGION}:task/sesbounce/1", {}),
        ("s3:DeleteObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate.tflock", {}),
    ],
)
def test_the_deploy_role_deploys(
    deploy: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert allows(deploy, Request(action=action, resource=resource, context=context))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        # the messages, the mail, the secrets
        ("sqs:ReceiveMessage", QUEUE, {}),
        ("sqs:SendMessage", QUEUE, {}),
        ("sqs:PurgeQueue", QUEUE, {}),
        ("sns:Publish", TOPIC, {}),
        ("ses:SendEmail", IDENTITY, {}),
        ("ses:PutSuppressedDestination", "*", {}),
        ("secretsmanager:GetSecretValue", PASSWORD, {}),
        ("kms:Decrypt", KEY, OURS),
        # what belongs to others
        ("sns:DeleteTopic", f"arn:aws:sns:{REGION}:orders", {}),
        ("sqs:DeleteQueue", f"arn:aws:sqs:{REGION}:sesbounces", {}),
        ("sqs:DeleteQueue", QUEUE.replace(ACCOUNT, OTHER_ACCOUNT), {}),
        ("kms:CreateKey", "*", {}),
        ("kms:ScheduleKeyDeletion", KEY, {}),
        ("kms:ScheduleKeyDeletion", KEY, {"aws:ResourceTag/Application": "orders"}),
        ("ecr:PutImage", f"arn:aws:ecr:{REGION}:repository/orders", {}),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/shared/orders", {}),
        ("ecs:DeleteCluster", f"arn:aws:ecs:{REGION}:cluster/shared", {}),
        ("ec2:DeleteSecurityGroup", f"{EC2}:security-group/sg-1", {}),
        ("ec2:CreateSecurityGroup", f"{EC2}:security-group/sg-1", {}),
        ("ec2:AuthorizeSecurityGroupIngress", f"{EC2}:security-group/sg-1", TO_BE_OURS),
        ("ec2:RunInstances", f"{EC2}:instance/i-1", {}),
        ("rds:DeleteDBInstance", f"{RDS}:db:orders", {}),
        ("rds:DeleteDBSnapshot", f"{RDS}:snapshot:sesbounce-final", {}),
        ("logs:DeleteLogGroup", f"arn:aws:logs:{REGION}:log-group:/ecs/orders", {}),
        ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGION}:alarm:orders", {}),
        ("s3:DeleteObject", "arn:aws:s3:::acme-state/sesbounce/terraform.tfstate", {}),
        ("s3:GetObject", "arn:aws:s3:::acme-state/other/terraform.tfstate", {}),
        # more rights
        ("iam:CreateRole", f"{IAM}:role/admin", {}),
        ("iam:CreateUser", f"{IAM}:user/admin", {}),
        ("iam:AttachRolePolicy", f"{IAM}:role/sesbounce-task", {"iam:PolicyARN": ADMINISTRATOR}),
        (
            "iam:AttachUserPolicy",
            f"{IAM}:user/sesbounce-consumer",
            {"iam:PolicyARN": ADMINISTRATOR},
        ),
        (
            "iam:PassRole",
            f"{IAM}:role/sesbounce-task",
            {"iam:PassedToService": "ec2.amazonaws.com"},
        ),
        ("iam:PassRole", f"{IAM}:role/admin", {"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
        ("iam:PutRolePolicy", f"{IAM}:role/sesbounce-deploy", {}),
        ("iam:UpdateAssumeRolePolicy", f"{IAM}:role/sesbounce-deploy", {}),
        (
            "iam:AttachRolePolicy",
            f"{IAM}:role/sesbounce-deploy",
            {"iam:PolicyARN": f"{IAM}:policy/sesbounce-consumer"},
        ),
        ("iam:CreatePolicyVersion", f"{IAM}:policy/sesbounce-deploy-rights", {}),
        (
            "iam:PassRole",
            f"{IAM}:role/sesbounce-deploy",
            {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        ),
        ("iam:CreateOpenIDConnectProvider", f"{IAM}:oidc-provider/example.com", {}),
        ("sts:AssumeRole", f"{IAM}:role/admin", {}),
    ],
)
def test_the_deploy_role_does_nothing_else(
    deploy: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert not allows(deploy, Request(action=action, resource=resource, context=context))


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


def test_no_wildcard_resource_hides_from_that_test(full: dict[str, Any], deploy: str) -> None:
    """All that come out are found in the sources, in the one way to write them."""
    documents = [full["consumer_policy"], full["execution_policy"], full["kms_key_policy"], deploy]
    rendered = [
        statement["Sid"]
        for document in documents
        for statement in json.loads(document)["Statement"]
        if "*" in statement["Resource"]
        if statement["Resource"] in ("*", ["*"])
    ]
    written = [place for place, _ in stars() if not place.startswith("examples/")]
    assert len(rendered) == len(written)


def test_no_action_is_a_wildcard_but_for_whom_the_key_belongs_to(
    full: dict[str, Any], deploy: str
) -> None:
    documents = [full["consumer_policy"], full["execution_policy"], full["kms_key_policy"], deploy]
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
