locals {
  # Only tasks of this account and region may assume the roles. AWS documents these keys for the first of
  # the two roles: the README says how a first deployment shows whether the second gets them.
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TasksOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.here.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${local.here.partition}:ecs:${local.here.region}:${local.here.account_id}:*" }
        }
      },
    ]
  })

  repository_arns = compact([var.create_repository ? "arn:${local.here.partition}:ecr:${local.here.region}:${local.here.account_id}:repository/${var.name}" : var.repository_arn])

  # The secrets' ARNs without the key and version that may follow them.
  all_secrets    = concat(values(local.secrets), var.further_secret_arns, flatten([for migration in var.migration[*] : values(migration.secrets)]))
  secret_arns    = distinct([for arn in local.all_secrets : join(":", slice(split(":", arn), 0, 7)) if strcontains(arn, ":secretsmanager:")])
  parameter_arns = distinct([for arn in local.all_secrets : arn if strcontains(arn, ":ssm:")])
}

# The worker runs with this role.
resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  path                 = var.path
  description          = "The worker consumes its queue with this role."
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "task" {
  for_each = var.task_policy_arns

  role       = aws_iam_role.task.name
  policy_arn = each.value
}

resource "aws_iam_role_policy" "task" {
  for_each = var.task_policies

  name   = each.key
  role   = aws_iam_role.task.name
  policy = each.value
}

# ECS starts the worker with this role.
resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  path                 = var.path
  description          = "ECS fetches the worker's image and secrets and writes its log with this role."
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  # checkov:skip=CKV_AWS_290: IAM has no resource type for ecr:GetAuthorizationToken; the other statements are confined.
  # checkov:skip=CKV_AWS_355: as above.
  name = "start-the-worker"
  role = aws_iam_role.execution.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = [for prefix in concat(["worker"], var.further_log_streams) : "${local.log_group_arn}:log-stream:${prefix}/*"]
        },
      ],
      # Variables decide, because a given ARN may be unknown at the first plan.
      !var.create_repository && var.repository_arn == null ? [] : [
        {
          Sid      = "LogInToEcr"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"] # IAM has no resource type for it: the token is the account's
        },
        {
          Sid      = "PullImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
          Resource = local.repository_arns
        },
      ],
      length(local.secret_arns) == 0 ? [] : [
        {
          Sid      = "ReadSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = local.secret_arns
        },
      ],
      length(local.parameter_arns) == 0 ? [] : [
        {
          Sid      = "ReadParameters"
          Effect   = "Allow"
          Action   = ["ssm:GetParameters"]
          Resource = local.parameter_arns
        },
      ],
      length(var.secrets_kms_key_arns) == 0 ? [] : [
        {
          Sid      = "DecryptSecrets"
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = var.secrets_kms_key_arns
        },
      ],
    )
  })
}
