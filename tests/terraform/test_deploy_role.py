"""Asks the policies of the role that deploys whether it may do all that a deployment does.

`deploy` is all that the role may do in the stack with all that can be switched on.
"""

import re
from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.deploy_calls import (
    ALARM,
    CONSUMER_POLICY,
    EC2,
    FOR_LAMBDA,
    FOR_SCHEDULES,
    MAPPING,
    OF_OURS,
    OWN_POLICY,
    TARGET,
    TO_BE_OURS,
    WITHIN,
)
from tests.terraform.names import (
    ACCOUNT,
    API_ROLE,
    AT_ITS_START,
    BOUNDARY,
    CONFIGURATION_SET,
    DLQ,
    FOR_TASKS,
    FUNCTION,
    FUNCTION_ROLE,
    GROUP,
    IAM,
    IDENTITY,
    IN_CLUSTER,
    KEY,
    OTHER_ACCOUNT,
    OURS,
    OWN_IDENTITY,
    OWN_SET,
    QUEUE,
    RDS,
    REGION,
    REPOSITORY,
    SCHEDULE_ROLE,
    SECRETS_KEY,
    SUBSCRIPTION_DLQ,
    SWEEP_ROLE,
    TASK,
    TASK_DEFINITION,
    TASK_ROLE,
    TOPIC,
    ZONE,
    Call,
)

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
    ("iam:CreateRole", API_ROLE, WITHIN),
    ("iam:PutRolePolicy", API_ROLE, WITHIN),
    ("iam:PassRole", API_ROLE, FOR_TASKS),
    ("ecs:CreateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce-api", {}),
    ("ecs:TagResource", f"arn:aws:ecs:{REGION}:task-definition/sesbounce-api:7", {}),
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
