"""What each policy must grant: `full` and `least` as in test_policies.py."""

from collections.abc import Iterable, Mapping

from tests.terraform.names import (
    CONFIGURATION_SET,
    DATABASE_USER,
    DLQ,
    EXTRA_TOPIC,
    HASH_KEY,
    KEY,
    LOG,
    OPT_IN_TOPIC,
    PASSWORD,
    QUEUE,
    REPOSITORY,
    SECRETS_KEY,
    SUBSCRIPTION_DLQ,
    TOPIC,
)

Grants = Mapping[str, Iterable[str]]
"""Resources, and what may be done with them."""


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
