# The server runs with this role. It asks AWS for nothing but the password of its database, or signs a token
# in place of it: it neither reads the queue nor calls SES.
resource "aws_iam_role" "task" {
  name                 = local.name
  path                 = var.path
  description          = "The server of the HTTP API connects to its database with this role."
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags

  # Only tasks of this account and region may assume it.
  assume_role_policy = jsonencode({
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
}

resource "aws_iam_role_policy" "task" {
  for_each = var.task_policies

  name   = each.key
  role   = aws_iam_role.task.name
  policy = each.value
}
