"""Asks the policies of the role that deploys what it may do, and attacks them.

`deploy` is all that the role may do in the stack with all that can be switched on.
"""

import re
from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.names import (
    ACCOUNT,
    API_ROLE,
    AT_ITS_START,
    BOUNDARY,
    CONFIGURATION_SET,
    DEVELOPERS,
    DLQ,
    FOR_TASKS,
    FUNCTION,
    FUNCTION_ROLE,
    GITHUB,
    GROUP,
    IAM,
    IDENTITY,
    IN_CLUSTER,
    KEY,
    OTHER_ACCOUNT,
    OURS,
    OWN_IDENTITY,
    OWN_SET,
    PASSWORD,
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

EC2 = f"arn:aws:ec2:{REGION}"
ALARM = f"arn:aws:cloudwatch:{REGION}:alarm"
TARGET = f"arn:aws:application-autoscaling:{REGION}:scalable-target/0ec5"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
CONSUMER_POLICY = f"{IAM}:policy/sesbounce-consumer"

TO_BE_OURS = {"aws:RequestTag/Application": "sesbounce"}
WITHIN = {"iam:PermissionsBoundary": BOUNDARY}
OWN_POLICY = {"iam:PolicyARN": CONSUMER_POLICY}
ANY_POLICY = {"iam:PolicyARN": ADMINISTRATOR}
FOR_SCHEDULES = {"iam:PassedToService": "scheduler.amazonaws.com"}
MAPPING = f"arn:aws:lambda:{REGION}:event-source-mapping:14e0db71"
FOR_LAMBDA = {"iam:PassedToService": "lambda.amazonaws.com"}
OF_OURS = {"lambda:FunctionArn": FUNCTION}


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
    # the right to the queue for what does not read it
    ("iam:AttachRolePolicy", API_ROLE, WITHIN | OWN_POLICY),
    ("iam:AttachRolePolicy", SCHEDULE_ROLE, WITHIN | OWN_POLICY),
    ("ecs:RunTask", f"arn:aws:ecs:{REGION}:task-definition/sesbounce-api:7", IN_CLUSTER),
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
