# What the stack's own roles and its user can do at most. A permissions boundary grants nothing: it limits
# the policies, which the deploy role may write. Only somebody with more rights can change the boundary.

locals {
  boundary_name = "${var.name}-boundary"
  boundary_arn  = var.permissions_boundary == null ? "${local.iam}:policy${var.path}${local.boundary_name}" : var.permissions_boundary

  # Without the key and the version that may follow a secret's ARN.
  secret_arns = distinct([for arn in var.secret_arns : join(":", slice(split(":", arn), 0, min(7, length(split(":", arn)))))])

  boundary = concat(
    [
      {
        Sid    = "Queues"
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage",
          "sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:CancelMessageMoveTask",
        ]
        Resource = concat(local.arns.queue, var.existing_queue_arns)
      },
      {
        Sid      = "Subscriptions"
        Effect   = "Allow"
        Action   = ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
        Resource = [for topic in concat(["arn:${local.partition}:sns:${var.region}:${var.account_id}:"], compact([var.existing_topic_arn])) : "${topic}*"] # a subscription's ARN begins with its topic's
      },
      {
        Sid      = "SuppressionListOfSes"
        Effect   = "Allow"
        Action   = ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"]
        Resource = ["*"] # the list is the account's; IAM has no resource type for it
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for arn in local.arns.log_group : "${arn}:log-stream:*"]
      },
      {
        Sid      = "LogInToEcr"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"] # IAM has no resource type for it: the token is the account's
      },
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
        Resource = concat(local.arns.registry, compact([var.repository_arn]))
      },
      # These three are for the role of a schedule alone, which starts the worker.
      {
        Sid       = "RunTheWorker"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = local.arns.task
        Condition = { ArnEquals = merge(local.in_the_cluster.ArnEquals, local.is_the_schedule) }
      },
      {
        Sid       = "TagTheTask"
        Effect    = "Allow"
        Action    = ["ecs:TagResource"]
        Resource  = local.task_arns
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" }, ArnEquals = local.is_the_schedule }
      },
      {
        Sid       = "PassTheRolesOfTheWorker"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = local.task_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" }, ArnEquals = local.is_the_schedule }
      },
      # For the role of the schedule that sweeps.
      {
        Sid       = "CallTheFunction"
        Effect    = "Allow"
        Action    = ["lambda:InvokeFunction"]
        Resource  = local.arns.function
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles.sweep } }
      },
      {
        Sid       = "PasswordOfTheDatabase"
        Effect    = "Allow"
        Action    = ["secretsmanager:GetSecretValue"]
        Resource  = ["arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:rds!*"]
        Condition = { StringEquals = { "aws:ResourceTag/aws:rds:primaryDBInstanceArn" = local.arns.database } } # a tag that only RDS can set
      },
      {
        Sid      = "UserOfTheDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["arn:${local.partition}:rds-db:${var.region}:${var.account_id}:dbuser:*/${replace(var.name, "-", "_")}_worker"] # the id of the instance is random
      },
      {
        Sid    = "Keys"
        Effect = "Allow"
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        # The statements above and below say which queues and secrets these services decrypt.
        Resource  = ["arn:${local.partition}:kms:${var.region}:*:key/*"]
        Condition = { StringLike = { "kms:ViaService" = [for service in ["secretsmanager", "sqs", "ssm"] : "${service}.${var.region}.amazonaws.*"] } }
      },
    ],
    length(local.secret_arns) == 0 ? [] : [
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
        Resource = local.secret_arns
      },
    ],
    # For the console's doctor. Its policy names the topics and the key.
    !var.api_may_examine ? [] : [
      {
        Sid    = "LookAtSesAndMetrics"
        Effect = "Allow"
        Action = [
          "ses:GetAccount", "ses:ListIdentities", "ses:GetIdentityVerificationAttributes", "ses:GetIdentityDkimAttributes",
          "ses:GetIdentityMailFromDomainAttributes", "ses:GetIdentityNotificationAttributes",
          "ses:ListConfigurationSets", "ses:ListRecommendations", "ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations",
          "cloudwatch:GetMetricData",
        ]
        Resource  = ["*"] # IAM has no resource type for most of these calls
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles.api } }
      },
      {
        Sid       = "LookAtTopicsAndKey"
        Effect    = "Allow"
        Action    = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes", "kms:DescribeKey", "kms:GetKeyPolicy"]
        Resource  = ["arn:${local.partition}:sns:*", "arn:${local.partition}:kms:${var.region}:*:key/*"]
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles.api } }
      },
    ],
    # With these rights, the function's role could also delete or readdress interfaces of others.
    !var.function_in_vpc ? [] : [
      {
        Sid    = "JoinTheVpc"
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
        ]
        Resource  = ["*"] # Lambda demands it so
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles.function } }
      },
    ],
  )
}

resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_290: IAM has no resource type for the account's suppression list.
  # checkov:skip=CKV_AWS_355: as above.
  count = var.permissions_boundary == null ? 1 : 0

  name        = local.boundary_name
  path        = var.path
  description = "What the roles of the stack ${var.name} can do at most."
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.boundary })
  tags        = var.tags

  lifecycle {
    # IAM does not delete a policy that is a boundary. Without this, Terraform would try to delete it before
    # it takes the boundary off the roles, when `github` or the boundary changes.
    create_before_destroy = true

    precondition {
      condition     = length(jsonencode({ Version = "2012-10-17", Statement = local.boundary })) <= 6144
      error_message = "The boundary has more than 6,144 characters, which IAM does not accept. It names each secret: put several keys into one secret (ARN:KEY::), or give a permissions_boundary of your own."
    }
  }
}
