"""Attacks the policies of the role that deploys."""

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.deploy_calls import (
    ADMINISTRATOR,
    ALARM,
    ANY_POLICY,
    EC2,
    FOR_LAMBDA,
    FOR_SCHEDULES,
    MAPPING,
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
    DEVELOPERS,
    FOR_TASKS,
    FUNCTION,
    FUNCTION_ROLE,
    GITHUB,
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
    SCHEDULE_ROLE,
    SWEEP_ROLE,
    TASK,
    TASK_DEFINITION,
    TASK_ROLE,
    TOPIC,
    ZONE,
    Call,
)

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
