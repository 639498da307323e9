# The calls of `make deploy` and `make destroy`. Each statement is confined to the stack's own names or
# tags. Where IAM has no resource type for a call, the resource is "*", with the reason beside it.

locals {
  iam = "arn:${local.partition}:iam::${var.account_id}"
  ec2 = "arn:${local.partition}:ec2:${var.region}:${var.account_id}"
  ses = "arn:${local.partition}:ses:${var.region}:${var.account_id}"

  route53 = "arn:${local.partition}:route53:::"

  # ARNs of identities and configuration sets: those that Terraform creates, and those that exist.
  ses_arns = {
    for kind, create in { created = true, existing = false } : kind => concat(
      [for name, identity in var.identities : "${local.ses}:identity/${name}" if identity.create == create],
      [for name, set in var.configuration_sets : "${local.ses}:configuration-set/${name}" if set.create == create],
    )
  }
  ses_event_actions = [
    "ses:GetEmailIdentity", "ses:PutEmailIdentityFeedbackAttributes",
    "ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations",
    "ses:CreateConfigurationSetEventDestination", "ses:UpdateConfigurationSetEventDestination",
    "ses:DeleteConfigurationSetEventDestination",
  ]

  # The DNS records that Terraform writes: zones, and names of records.
  with_records = { for name, identity in var.identities : name => identity if identity.route53_zone_id != null }
  zone_arns    = [for zone in distinct(values(local.with_records)[*].route53_zone_id) : "${local.route53}hostedzone/${zone}"]
  dns_names    = flatten([for name, identity in local.with_records : compact(["*._domainkey.${name}", identity.mail_from_domain])])

  queue_name   = coalesce(var.queue_name, "${var.name}-feedback")
  cluster_name = coalesce(var.cluster_name, var.name)

  existing_queue_names = [for arn in var.existing_queue_arns : element(split(":", arn), 5)]

  # ARNs of all that the stack can contain, by kind, each by its exact name: a pattern such as
  # "sesbounce-*" would also match the stack "sesbounce-prod".
  arns = {
    for kind, own in {
      alarm = { arn = "cloudwatch:${var.region}:${var.account_id}:alarm:%s", names = [
        for alarm in [
          "bounce-rate", "complaint-rate", "dlq", "failed", "function-errors", "function-throttles", "no-run", "no-task", "oldest-message",
          "sender-faults", "sleep", "statement-refusals", "stopped-senders", "subscription-dlq", "suspected-incidents",
          "unhealthy", "wake",
        ] : "${var.name}-${alarm}"
      ] }
      alias     = { arn = "kms:${var.region}:${var.account_id}:alias/%s", names = [local.queue_name] }
      cluster   = { arn = "ecs:${var.region}:${var.account_id}:cluster/%s", names = [var.name] }
      dashboard = { arn = "cloudwatch::${var.account_id}:dashboard/%s", names = [var.name] }
      database  = { arn = "rds:${var.region}:${var.account_id}:db:%s", names = [var.name] }
      function  = { arn = "lambda:${var.region}:${var.account_id}:function:%s", names = [var.name] }
      log_group = { arn = "logs:${var.region}:${var.account_id}:log-group:/%s", names = ["aws/lambda/${var.name}", "ecs/${var.name}"] }
      policy    = { arn = "iam::${var.account_id}:policy${var.path}%s", names = ["${var.name}-consumer"] }
      queue     = { arn = "sqs:${var.region}:${var.account_id}:%s", names = [for end in ["", "-dlq", "-subscription-dlq"] : "${local.queue_name}${end}" if !contains(local.existing_queue_names, "${local.queue_name}${end}")] }
      registry  = { arn = "ecr:${var.region}:${var.account_id}:repository/%s", names = [var.name] }
      role      = { arn = "iam::${var.account_id}:role${var.path}%s", names = [for end in ["api", "execution", "function", "schedule", "sweep", "task"] : "${var.name}-${end}"] }
      schedule  = { arn = "scheduler:${var.region}:${var.account_id}:%s", names = flatten([for name in [var.name, "${var.name}-sweep"] : ["schedule/${name}/${name}", "schedule-group/${name}"]]) }
      service   = { arn = "ecs:${var.region}:${var.account_id}:service/%s", names = [for end in ["", "-api"] : "${local.cluster_name}/${var.name}${end}"] }
      snapshot  = { arn = "rds:${var.region}:${var.account_id}:snapshot:%s", names = ["${var.name}-final-??????????????"] } # the time of the database's creation
      subnets   = { arn = "rds:${var.region}:${var.account_id}:subgrp:%s", names = [var.name] }
      task      = { arn = "ecs:${var.region}:${var.account_id}:task-definition/%s:*", names = [var.name] }
      api_task  = { arn = "ecs:${var.region}:${var.account_id}:task-definition/%s:*", names = ["${var.name}-api"] }
      topic     = { arn = "sns:${var.region}:${var.account_id}:%s", names = concat(var.existing_topic_arn == null ? [coalesce(var.topic_name, "${var.name}-feedback")] : [], ["${var.name}-alarms"]) }
      user      = { arn = "iam::${var.account_id}:user${var.path}%s", names = ["${var.name}-consumer"] }
    } : kind => [for name in own.names : format("arn:${local.partition}:${own.arn}", name)]
  }

  # The roles with which a task or a function runs, and those with which Scheduler starts them.
  roles           = { for arn in local.arns.role : trimprefix(element(reverse(split("/", arn)), 0), "${var.name}-") => arn }
  task_role_arns  = [local.roles.execution, local.roles.task]
  is_the_schedule = { "aws:PrincipalArn" = local.roles.schedule }

  # The tasks of the worker, and the cluster that they may run in.
  task_arns      = ["arn:${local.partition}:ecs:${var.region}:${var.account_id}:task/${local.cluster_name}/*"]
  in_the_cluster = { ArnEquals = { "ecs:cluster" = "arn:${local.partition}:ecs:${var.region}:${var.account_id}:cluster/${local.cluster_name}" } }

  # Of the role itself: it can read them, and nobody but a person with more rights changes them.
  own_role_arn    = "${local.iam}:role${var.path}${var.name}-deploy"
  own_policy_arns = "${local.iam}:policy${var.path}${var.name}-deploy-*"

  # The stack's provider sets this tag on each resource that it creates.
  bears_tag = { StringEquals = { "aws:ResourceTag/Application" = var.name } }
  gets_tag  = { StringEquals = { "aws:RequestTag/Application" = var.name } }

  # A resource of the stack may get further tags, but not the tag of another stack.
  keeps_tag = merge(local.bears_tag, { StringEqualsIfExists = { "aws:RequestTag/Application" = var.name } })

  # IAM knows the key for the calls that create a role or a user or change its policies.
  has_boundary = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }

  # IAM allows 6,144 characters in a policy and ten policies for a role.
  parts = {
    feedback = concat([
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
      ], var.existing_topic_arn == null ? [] : [
      {
        Sid      = "ExistingTopic"
        Effect   = "Allow"
        Action   = ["sns:GetTopicAttributes", "sns:Subscribe", "sns:ListSubscriptionsByTopic"]
        Resource = [var.existing_topic_arn]
      },
      ], length(var.existing_queue_arns) == 0 ? [] : [
      {
        Sid      = "ExistingQueues"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
        Resource = var.existing_queue_arns
      },
      ], [
      {
        Sid    = "SesWiring"
        Effect = "Allow"
        Action = concat(
          [
            "ses:GetAccount", "ses:ListIdentities", "ses:GetIdentityVerificationAttributes", "ses:GetIdentityDkimAttributes",
            "ses:GetIdentityMailFromDomainAttributes", "ses:GetIdentityNotificationAttributes",
            "ses:SetIdentityNotificationTopic", "ses:SetIdentityHeadersInNotificationsEnabled",
          ],
          var.ses_api == "v2" ? [] : [
            "ses:VerifyEmailIdentity", "ses:VerifyDomainIdentity", "ses:DeleteIdentity", "ses:CreateConfigurationSet",
            "ses:DeleteConfigurationSet", "ses:DescribeConfigurationSet", "ses:PutConfigurationSetDeliveryOptions",
            "ses:CreateConfigurationSetEventDestination", "ses:UpdateConfigurationSetEventDestination",
            "ses:DeleteConfigurationSetEventDestination",
          ],
        )
        Resource = ["*"] # IAM has no resource type for version 1 of SES's API, nor for the account
      },
      {
        Sid       = "SeeKey"
        Effect    = "Allow"
        Action    = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
        Resource  = ["arn:${local.partition}:kms:${var.region}:${var.account_id}:key/*"]
        Condition = local.bears_tag
      },
      {
        Sid      = "FindKeyAlias"
        Effect   = "Allow"
        Action   = ["kms:ListAliases"]
        Resource = ["*"] # IAM has no resource type for this call
      },
    ])

    # Each identity and configuration set by its exact name, and each hosted zone by its exact ID.
    ses = [for statement in [
      {
        Sid      = "SesThatExists"
        Effect   = "Allow"
        Action   = local.ses_event_actions
        Resource = local.ses_arns.existing
      },
      {
        Sid    = "SesOfTheStack"
        Effect = "Allow"
        Action = concat(local.ses_event_actions, [
          "ses:CreateEmailIdentity", "ses:DeleteEmailIdentity", "ses:PutEmailIdentityDkimSigningAttributes",
          "ses:PutEmailIdentityMailFromAttributes", "ses:CreateConfigurationSet", "ses:DeleteConfigurationSet",
          "ses:PutConfigurationSetDeliveryOptions", "ses:PutConfigurationSetReputationOptions",
          "ses:PutConfigurationSetSendingOptions", "ses:PutConfigurationSetSuppressionOptions",
          "ses:TagResource", "ses:UntagResource", "ses:ListTagsForResource",
        ])
        Resource = local.ses_arns.created
      },
      {
        Sid      = "SeeDns"
        Effect   = "Allow"
        Action   = ["route53:GetHostedZone", "route53:ListResourceRecordSets"]
        Resource = local.zone_arns
      },
      {
        Sid      = "DnsRecordsOfSes" # Route 53 takes no record whose name is outside its zone
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = local.zone_arns
        Condition = {
          "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = local.dns_names }
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["CNAME", "MX", "TXT"] }
        }
      },
      {
        Sid      = "SeeDnsChanges"
        Effect   = "Allow"
        Action   = ["route53:GetChange"]
        Resource = length(local.zone_arns) == 0 ? [] : ["${local.route53}change/*"] # a change's ID is not known beforehand
      },
    ] : statement if length(statement.Resource) > 0]

    # The role never creates a key. To tag a key at its creation, KMS requires the right to tag every key
    # of the account: with that right, the role could give any key the stack's tag and then take it over.
    rights = [
      {
        Sid    = "SeeRights"
        Effect = "Allow"
        Action = [
          "iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
          "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions",
          "iam:GetUser", "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser", "iam:ListAccessKeys",
          "iam:SimulatePrincipalPolicy", # the check after a deployment asks what the reader of the queue may do
          "iam:GetOpenIDConnectProvider",
        ]
        Resource = concat(
          local.arns.role, local.arns.policy, local.arns.user,
          [local.own_role_arn, local.own_policy_arns, local.boundary_arn, "${local.iam}:oidc-provider/${local.host}"],
        )
      },
      {
        Sid       = "RightsWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]
        Resource  = local.arns.role
        Condition = local.has_boundary
      },
      {
        Sid       = "OwnPolicyWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
        Resource  = [local.roles.function, local.roles.task] # the worker's
        Condition = merge(local.has_boundary, { ArnEquals = { "iam:PolicyARN" = local.arns.policy } })
      },
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [
          "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy",
          "iam:TagRole", "iam:UntagRole",
        ]
        Resource = local.arns.role
      },
      {
        Sid    = "Policies"
        Effect = "Allow"
        Action = [
          "iam:CreatePolicy", "iam:DeletePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion",
          "iam:TagPolicy", "iam:UntagPolicy",
        ]
        Resource = local.arns.policy
      },
      {
        Sid       = "RolesOfServices"
        Effect    = "Allow"
        Action    = ["iam:CreateServiceLinkedRole"]
        Resource  = ["${local.iam}:role/aws-service-role/*"]
        Condition = { StringEquals = { "iam:AWSServiceName" = ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "rds.amazonaws.com"] } }
      },
      # No statement above allows these. This one also holds if somebody attaches a wider policy to the role.
      {
        Sid    = "NotItsOwnRights"
        Effect = "Deny"
        Action = [
          "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy",
          "iam:DetachRolePolicy", "iam:DeleteRole", "iam:UpdateRole", "iam:PassRole",
          "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary",
          "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy",
        ]
        Resource = [local.own_role_arn, local.own_policy_arns, local.boundary_arn]
      },
    ]

    optional = concat([for statement in [
      {
        Sid       = "UserWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateUser"]
        Resource  = local.arns.user
        Condition = local.has_boundary
      },
      {
        Sid       = "PolicyOfTheUserWithinTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:AttachUserPolicy", "iam:DetachUserPolicy"]
        Resource  = local.arns.user
        Condition = merge(local.has_boundary, { ArnEquals = { "iam:PolicyARN" = local.arns.policy } })
      },
      {
        Sid      = "User"
        Effect   = "Allow"
        Action   = ["iam:DeleteUser", "iam:TagUser", "iam:UntagUser", "iam:CreateAccessKey", "iam:DeleteAccessKey"]
        Resource = local.arns.user
      },
      ] : statement if var.may_manage_user], [for statement in [
      {
        Sid    = "Key"
        Effect = "Allow"
        Action = [
          "kms:PutKeyPolicy", "kms:EnableKeyRotation", "kms:UpdateKeyDescription", "kms:ScheduleKeyDeletion",
          "kms:TagResource", "kms:UntagResource", "kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias",
        ]
        Resource  = ["arn:${local.partition}:kms:${var.region}:${var.account_id}:key/*"]
        Condition = local.keeps_tag
      },
      {
        Sid      = "KeyAlias"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"]
        Resource = local.arns.alias
      },
    ] : statement if var.may_manage_key])

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
        Resource = concat(local.arns.cluster, local.arns.service, local.arns.task, local.arns.api_task)
      },
      {
        Sid    = "TaskDefinitions"
        Effect = "Allow"
        Action = [
          "ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition",
          "ecs:ListTasks", "ecs:DescribeCapacityProviders",
        ]
        Resource = ["*"] # IAM has no resource type to register, deregister, describe or list them
      },
      {
        Sid      = "SeeTasks"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks"]
        Resource = local.task_arns
      },
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy",
          "logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource", "logs:GetLogEvents", "logs:FilterLogEvents",
          "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
        ]
        Resource = flatten([for arn in local.arns.log_group : [arn, "${arn}:*"]])
      },
      {
        Sid      = "FindLogs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"] # Terraform finds a log group by listing all of them
      },
      # The ARN of a scalable target is a random number, and a new one has no tag yet. So these two statements
      # rule out the targets of other stacks and of other services, but not a service's target without tags.
      {
        Sid    = "Autoscaling"
        Effect = "Allow"
        Action = [
          "application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget",
          "application-autoscaling:PutScalingPolicy", "application-autoscaling:DeleteScalingPolicy",
        ]
        Resource = ["arn:${local.partition}:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]
        Condition = {
          StringEqualsIfExists = {
            "aws:ResourceTag/Application"                = var.name
            "aws:RequestTag/Application"                 = var.name
            "application-autoscaling:service-namespace"  = "ecs"
            "application-autoscaling:scalable-dimension" = "ecs:service:DesiredCount"
          }
        }
      },
      {
        Sid    = "TagsOfAutoscaling"
        Effect = "Allow"
        Action = [
          "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
          "application-autoscaling:ListTagsForResource",
        ]
        Resource = ["arn:${local.partition}:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]
        Condition = {
          StringEqualsIfExists = {
            "aws:ResourceTag/Application" = var.name
            "aws:RequestTag/Application"  = var.name
          }
        }
      },
      {
        Sid      = "SeeAutoscaling"
        Effect   = "Allow"
        Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]
        Resource = ["*"] # IAM has no resource type for these calls
      },
    ]

    # A worker that a schedule or the queue starts, and the tasks that `make deploy`, `restart` and `cli` start.
    runs = [
      {
        Sid       = "PassRolesToTasks"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = concat(local.task_role_arns, [local.roles.api])
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid       = "PassRoleToTheFunction"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [local.roles.function]
        Condition = { StringEquals = { "iam:PassedToService" = "lambda.amazonaws.com" } }
      },
      {
        Sid       = "PassRolesToSchedules"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [local.roles.schedule, local.roles.sweep]
        Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
      },
      {
        Sid    = "Schedule"
        Effect = "Allow"
        Action = [
          "scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule",
          "scheduler:CreateScheduleGroup", "scheduler:DeleteScheduleGroup", "scheduler:GetScheduleGroup",
          "scheduler:TagResource", "scheduler:UntagResource", "scheduler:ListTagsForResource",
        ]
        Resource = local.arns.schedule
      },
      {
        Sid      = "SeeCluster" # the check of the schedule, also in a cluster of the user
        Effect   = "Allow"
        Action   = ["ecs:DescribeClusters"]
        Resource = values(local.in_the_cluster.ArnEquals)
      },
      {
        Sid       = "RunTheWorker"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = local.arns.task
        Condition = local.in_the_cluster
      },
      {
        # ECS asks for it where a task gets the tags of its definition. AWS does not say whether those count
        # as tags of the request.
        Sid       = "TagTheTask"
        Effect    = "Allow"
        Action    = ["ecs:TagResource"]
        Resource  = local.task_arns
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" }, StringEqualsIfExists = local.gets_tag.StringEquals }
      },
      {
        Sid    = "Function"
        Effect = "Allow"
        Action = [
          "lambda:CreateFunction", "lambda:DeleteFunction", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig",
          "lambda:GetFunctionConfiguration", "lambda:ListVersionsByFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
          "lambda:InvokeFunction", "lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency",
          "lambda:TagResource", "lambda:UntagResource", "lambda:ListTags",
        ]
        Resource = local.arns.function
      },
      {
        Sid    = "GiveTheFunctionMessages"
        Effect = "Allow"
        Action = [
          "lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping",
          "lambda:GetEventSourceMapping",
        ]
        Resource  = ["*"] # the ARN of a mapping is a random number; the condition says whose mapping it may be
        Condition = { ArnEquals = { "lambda:FunctionArn" = local.arns.function } }
      },
      {
        Sid      = "TagsOfTheMapping"
        Effect   = "Allow"
        Action   = ["lambda:TagResource", "lambda:UntagResource", "lambda:ListTags"]
        Resource = ["arn:${local.partition}:lambda:${var.region}:${var.account_id}:event-source-mapping:*"]
        Condition = {
          StringEqualsIfExists = {
            "aws:ResourceTag/Application" = var.name
            "aws:RequestTag/Application"  = var.name
          }
        }
      },
      {
        Sid       = "StopTheTask" # when somebody interrupts the command that waits for it
        Effect    = "Allow"
        Action    = ["ecs:StopTask"]
        Resource  = local.task_arns
        Condition = local.bears_tag
      },
    ]

    network = [
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
        Action    = ["ec2:CreateSecurityGroup"]
        Resource  = ["${local.ec2}:security-group/*"]
        Condition = local.gets_tag
      },
      # Without ec2:CreateAction, the role could give the stack's tag to any security group and then change it.
      {
        Sid      = "TagWhatItMakes"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["${local.ec2}:security-group/*", "${local.ec2}:security-group-rule/*"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/Application" = var.name
            "ec2:CreateAction"           = ["CreateSecurityGroup", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"]
          }
        }
      },
      {
        Sid       = "TagWhatItHasMade"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
        Resource  = ["${local.ec2}:security-group/*", "${local.ec2}:security-group-rule/*"]
        Condition = local.keeps_tag
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
          "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:ModifySecurityGroupRules",
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
        Sid    = "RestoreDatabase"
        Effect = "Allow"
        Action = ["rds:RestoreDBInstanceFromDBSnapshot"]
        # From its final snapshots, and those that RDS takes each night.
        Resource = concat(local.arns.database, local.arns.subnets, local.arns.snapshot, ["arn:${local.partition}:rds:${var.region}:${var.account_id}:snapshot:rds:${var.name}-????-??-??-??-??"])
      },
      {
        Sid      = "DefaultsOfTheEngine"
        Effect   = "Allow"
        Action   = ["rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"]
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
      {
        Sid      = "KeyOfThatPassword" # the one of Secrets Manager, which has no tag; RDS asks for it
        Effect   = "Allow"
        Action   = ["kms:DescribeKey"]
        Resource = ["arn:${local.partition}:kms:${var.region}:${var.account_id}:key/*"]
      },
    ]

    watch = [for statement in [
      {
        Sid    = "Alarms"
        Effect = "Allow"
        Action = [
          "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms",
          "cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:ListTagsForResource",
        ]
        # Target tracking creates the alarms of the second kind.
        Resource = concat(local.arns.alarm, ["arn:${local.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:TargetTracking-service/${local.cluster_name}/${var.name}-Alarm*"])
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
      {
        Sid      = "SeeTopicOfTheAlarms" # one that is not the stack's
        Effect   = "Allow"
        Action   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
        Resource = compact([var.alarm_topic_arn])
      },
    ] : statement if length(statement.Resource) > 0]

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
