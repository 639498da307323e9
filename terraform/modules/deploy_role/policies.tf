# The calls of `make deploy` and `make destroy`. Each statement is confined to the stack's own names or
# tags. Where IAM has no resource type for a call, the resource is "*", with the reason beside it.

locals {
  # ARNs of the stack's own resources, by kind: their names are the stack's name, alone or with a suffix
  # after a hyphen.
  arns = {
    for kind, own in {
      alarm     = { arn = "arn:${local.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:%s", end = "-*" }
      alias     = { arn = "arn:${local.partition}:kms:${var.region}:${var.account_id}:alias/%s", end = "-*" }
      cluster   = { arn = "arn:${local.partition}:ecs:${var.region}:${var.account_id}:cluster/%s", end = "" }
      dashboard = { arn = "arn:${local.partition}:cloudwatch::${var.account_id}:dashboard/%s", end = "" }
      database  = { arn = "arn:${local.partition}:rds:${var.region}:${var.account_id}:db:%s", end = "" }
      log_group = { arn = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/ecs/%s", end = "" }
      policy    = { arn = "arn:${local.partition}:iam::${var.account_id}:policy/%s", end = "-*" }
      queue     = { arn = "arn:${local.partition}:sqs:${var.region}:${var.account_id}:%s", end = "-*" }
      registry  = { arn = "arn:${local.partition}:ecr:${var.region}:${var.account_id}:repository/%s", end = "" }
      role      = { arn = "arn:${local.partition}:iam::${var.account_id}:role/%s", end = "-*" }
      service   = { arn = "arn:${local.partition}:ecs:${var.region}:${var.account_id}:service/*/%s", end = "" }
      snapshot  = { arn = "arn:${local.partition}:rds:${var.region}:${var.account_id}:snapshot:%s", end = "-*" }
      subnets   = { arn = "arn:${local.partition}:rds:${var.region}:${var.account_id}:subgrp:%s", end = "" }
      task      = { arn = "arn:${local.partition}:ecs:${var.region}:${var.account_id}:task-definition/%s:*", end = "" }
      topic     = { arn = "arn:${local.partition}:sns:${var.region}:${var.account_id}:%s", end = "-*" }
      user      = { arn = "arn:${local.partition}:iam::${var.account_id}:user/%s", end = "-*" }
      } : kind => concat(
      [format(own.arn, "${var.name}${own.end}")],
      # The topic and the queue may have other names, and the key's alias has the queue's name.
      !contains(["alias", "queue", "topic"], kind) ? [] : flatten([
        for name in sort(var.other_names) : [for end in ["", "-*"] : format(own.arn, "${name}${end}")]
      ]),
    )
  }

  ec2 = "arn:${local.partition}:ec2:${var.region}:${var.account_id}"
  ses = "arn:${local.partition}:ses:${var.region}:${var.account_id}"

  # The stack's provider sets this tag on each resource that it creates.
  bears_tag = { StringEquals = { "aws:ResourceTag/Application" = var.name } }
  gets_tag  = { StringEquals = { "aws:RequestTag/Application" = var.name } }

  # IAM allows 6,144 characters in a policy and ten policies for a role.
  parts = {
    feedback = [
      {
        Sid    = "Topics"
        Effect = "Allow"
        Action = [
          "sns:CreateTopic", "sns:DeleteTopic", "sns:GetTopicAttributes", "sns:SetTopicAttributes",
          "sns:TagResource", "sns:UntagResource", "sns:ListTagsForResource",
          "sns:Subscribe", "sns:ListSubscriptionsByTopic",
        ]
        Resource = local.arns.topic
      },
      {
        Sid      = "Subscriptions"
        Effect   = "Allow"
        Action   = ["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]
        Resource = ["*"] # SNS checks these on the subscription, whose ARN is not known beforehand
      },
      {
        Sid    = "Queues"
        Effect = "Allow"
        Action = [
          "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueUrl", "sqs:GetQueueAttributes",
          "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue", "sqs:ListQueueTags",
        ]
        Resource = local.arns.queue
      },
      {
        Sid    = "SesWiring"
        Effect = "Allow"
        Action = [
          "ses:ListIdentities", "ses:GetAccount", "ses:SetIdentityNotificationTopic", "ses:SetIdentityHeadersInNotificationsEnabled",
          "ses:GetIdentityNotificationAttributes", "ses:GetIdentityVerificationAttributes",
          "ses:SetIdentityFeedbackForwardingEnabled", "ses:VerifyEmailIdentity", "ses:VerifyDomainIdentity",
          "ses:DeleteIdentity", "ses:CreateConfigurationSet", "ses:DeleteConfigurationSet",
          "ses:DescribeConfigurationSet", "ses:PutConfigurationSetDeliveryOptions",
          "ses:CreateConfigurationSetEventDestination", "ses:UpdateConfigurationSetEventDestination",
          "ses:DeleteConfigurationSetEventDestination",
        ]
        Resource = ["*"] # IAM has no resource type for version 1 of SES's API, nor for the account
      },
      {
        Sid    = "SesWiringV2"
        Effect = "Allow"
        Action = [
          "ses:GetEmailIdentity", "ses:PutEmailIdentityFeedbackAttributes",
          "ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations",
        ]
        Resource = ["${local.ses}:identity/*", "${local.ses}:configuration-set/*"]
      },
      {
        Sid       = "MakeKey"
        Effect    = "Allow"
        Action    = ["kms:CreateKey", "kms:TagResource"]
        Resource  = ["*"] # a key has no ARN before KMS creates it
        Condition = local.gets_tag
      },
      {
        Sid    = "Key"
        Effect = "Allow"
        Action = [
          "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus",
          "kms:EnableKeyRotation", "kms:ListResourceTags", "kms:UntagResource", "kms:UpdateKeyDescription",
          "kms:ScheduleKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias",
        ]
        Resource  = ["arn:${local.partition}:kms:${var.region}:${var.account_id}:key/*"]
        Condition = local.bears_tag
      },
      {
        Sid      = "KeyAlias"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:DeleteAlias"]
        Resource = local.arns.alias
      },
      {
        Sid      = "FindKeyAlias"
        Effect   = "Allow"
        Action   = ["kms:ListAliases"]
        Resource = ["*"] # IAM has no resource type for this call
      },
    ]

    rights = [
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [
          "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy",
          "iam:TagRole", "iam:UntagRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
        ]
        Resource = local.arns.role
      },
      {
        Sid       = "OwnPoliciesOnly"
        Effect    = "Allow"
        Action    = ["iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:AttachUserPolicy", "iam:DetachUserPolicy"]
        Resource  = concat(local.arns.role, local.arns.user)
        Condition = { ArnLike = { "iam:PolicyARN" = local.arns.policy } }
      },
      {
        Sid    = "Policies"
        Effect = "Allow"
        Action = [
          "iam:CreatePolicy", "iam:DeletePolicy", "iam:GetPolicy", "iam:GetPolicyVersion",
          "iam:ListPolicyVersions", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion",
          "iam:TagPolicy", "iam:UntagPolicy",
        ]
        Resource = local.arns.policy
      },
      {
        Sid    = "ConsumerUser"
        Effect = "Allow"
        Action = [
          "iam:CreateUser", "iam:DeleteUser", "iam:GetUser", "iam:TagUser", "iam:UntagUser",
          "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser",
          "iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys",
        ]
        Resource = local.arns.user
      },
      {
        Sid       = "HandRolesToTasks"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = local.arns.role
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid       = "RolesOfServices"
        Effect    = "Allow"
        Action    = ["iam:CreateServiceLinkedRole"]
        Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/*"]
        Condition = { StringEquals = { "iam:AWSServiceName" = ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "rds.amazonaws.com"] } }
      },
      {
        Sid      = "SeeOidcProvider"
        Effect   = "Allow"
        Action   = ["iam:GetOpenIDConnectProvider"]
        Resource = ["arn:${local.partition}:iam::${var.account_id}:oidc-provider/${local.host}"]
      },
      {
        Sid    = "NotItsOwnRights"
        Effect = "Deny"
        Action = [
          "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy",
          "iam:DetachRolePolicy", "iam:DeleteRole", "iam:UpdateRole", "iam:PassRole",
          "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy",
        ]
        Resource = [
          "arn:${local.partition}:iam::${var.account_id}:role/${var.name}-deploy",
          "arn:${local.partition}:iam::${var.account_id}:policy/${var.name}-deploy-*",
        ]
      },
    ]

    worker = [
      {
        Sid      = "LogInToEcr"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"] # IAM has no resource type for it: the token is the account's
      },
      {
        Sid    = "Images"
        Effect = "Allow"
        Action = [
          "ecr:CreateRepository", "ecr:DeleteRepository", "ecr:DescribeRepositories", "ecr:ListTagsForResource",
          "ecr:TagResource", "ecr:UntagResource", "ecr:PutImageTagMutability", "ecr:PutImageScanningConfiguration",
          "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy",
          "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:DescribeImages",
          "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
        ]
        Resource = local.arns.registry
      },
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = [
          "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:DescribeClusters", "ecs:UpdateCluster",
          "ecs:PutClusterCapacityProviders", "ecs:CreateService", "ecs:UpdateService", "ecs:DeleteService",
          "ecs:DescribeServices", "ecs:TagResource", "ecs:UntagResource", "ecs:ListTagsForResource",
        ]
        Resource = concat(local.arns.cluster, local.arns.service, local.arns.task)
      },
      {
        Sid    = "TaskDefinitions"
        Effect = "Allow"
        Action = [
          "ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition",
          "ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeCapacityProviders",
        ]
        Resource = ["*"] # IAM has no resource type to deregister and describe them, nor for future tasks
      },
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy",
          "logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource", "logs:GetLogEvents", "logs:FilterLogEvents",
        ]
        Resource = flatten([for arn in local.arns.log_group : [arn, "${arn}:*"]])
      },
      {
        Sid      = "FindLogs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"] # Terraform finds a log group by listing all of them
      },
      {
        Sid    = "Autoscaling"
        Effect = "Allow"
        Action = [
          "application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget",
          "application-autoscaling:PutScalingPolicy", "application-autoscaling:DeleteScalingPolicy",
          "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
          "application-autoscaling:ListTagsForResource",
        ]
        Resource = ["arn:${local.partition}:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]
      },
      {
        Sid      = "SeeAutoscaling"
        Effect   = "Allow"
        Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]
        Resource = ["*"] # IAM has no resource type for these calls
      },
      {
        Sid    = "SeeNetwork"
        Effect = "Allow"
        Action = [
          "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeRouteTables", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
          "ec2:DescribeSecurityGroupRules", "ec2:DescribeNetworkInterfaces",
        ]
        Resource = ["*"] # IAM has no resource type for EC2's describe calls
      },
      {
        Sid      = "MakeSecurityGroupsInTheVpc"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = ["${local.ec2}:vpc/*"]
      },
      {
        Sid       = "MakeSecurityGroups"
        Effect    = "Allow"
        Action    = ["ec2:CreateSecurityGroup", "ec2:CreateTags"]
        Resource  = ["${local.ec2}:security-group/*", "${local.ec2}:security-group-rule/*"]
        Condition = local.gets_tag
      },
      {
        Sid       = "MakeSecurityGroupRules" # the next statement says in which groups
        Effect    = "Allow"
        Action    = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress"]
        Resource  = ["${local.ec2}:security-group-rule/*"]
        Condition = local.gets_tag
      },
      {
        Sid    = "SecurityGroups"
        Effect = "Allow"
        Action = [
          "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
          "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:ModifySecurityGroupRules", "ec2:DeleteTags",
        ]
        Resource  = ["${local.ec2}:security-group/*", "${local.ec2}:security-group-rule/*"]
        Condition = local.bears_tag
      },
    ]

    database = [
      {
        Sid    = "Database"
        Effect = "Allow"
        Action = [
          "rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DeleteDBInstance", "rds:CreateDBSnapshot",
          "rds:CreateDBSubnetGroup", "rds:ModifyDBSubnetGroup", "rds:DeleteDBSubnetGroup",
          "rds:AddTagsToResource", "rds:RemoveTagsFromResource", "rds:ListTagsForResource",
        ]
        Resource = concat(local.arns.database, local.arns.subnets, local.arns.snapshot)
      },
      {
        Sid      = "DefaultsOfTheEngine"
        Effect   = "Allow"
        Action   = ["rds:CreateDBInstance", "rds:ModifyDBInstance"]
        Resource = [for kind in ["pg", "og"] : "arn:${local.partition}:rds:${var.region}:${var.account_id}:${kind}:default*"]
      },
      {
        Sid      = "SeeDatabases"
        Effect   = "Allow"
        Action   = ["rds:DescribeDBInstances", "rds:DescribeDBSubnetGroups"]
        Resource = ["*"] # Terraform finds a database by its resource id, which no ARN contains
      },
      {
        Sid      = "PasswordThatRdsKeeps"
        Effect   = "Allow"
        Action   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
        Resource = ["arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:rds!*"]
      },
    ]

    watch = [
      {
        Sid    = "Alarms"
        Effect = "Allow"
        Action = [
          "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms",
          "cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:ListTagsForResource",
        ]
        # Target tracking creates the alarms of the second kind.
        Resource = concat(local.arns.alarm, ["arn:${local.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:TargetTracking-service/*"])
      },
      {
        Sid      = "SeeMetrics" # the checks after a deployment read what SNS and the queues received
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData"]
        Resource = ["*"] # IAM has no resource type for this call
      },
      {
        Sid      = "Dashboard"
        Effect   = "Allow"
        Action   = ["cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"]
        Resource = local.arns.dashboard
      },
    ]

    state = var.state_bucket == null ? [] : [
      {
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::${var.state_bucket}"]
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::${var.state_bucket}/${var.state_key}"]
      },
      {
        Sid      = "StateLock"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = ["arn:${local.partition}:s3:::${var.state_bucket}/${var.state_key}.tflock"]
      },
    ]
  }

  policies = { for part, statements in local.parts : part => statements if length(statements) > 0 }
}
