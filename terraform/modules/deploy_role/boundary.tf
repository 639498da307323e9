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
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:SendMessage",
          "sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:CancelMessageMoveTask",
        ]
        Resource = concat(local.arns.queue, var.existing_queue_arns)
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
      {
        Sid       = "PasswordOfTheDatabase"
        Effect    = "Allow"
        Action    = ["secretsmanager:GetSecretValue"]
        Resource  = ["arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:rds!*"]
        Condition = { StringEquals = { "aws:ResourceTag/aws:rds:primaryDBInstanceArn" = local.arns.database } } # a tag that only RDS can set
      },
      {
        Sid    = "Keys"
        Effect = "Allow"
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        # The statements above and below say which queues and secrets these services decrypt.
        Resource  = ["arn:${local.partition}:kms:${var.region}:*:key/*"]
        Condition = { StringLike = { "kms:ViaService" = [for service in ["secretsmanager", "sqs", "ssm"] : "${service}.${var.region}.amazonaws.com*"] } }
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
  }
}
