# The server runs with this role. It has the rights of task_policies alone: to get the password of its
# database, or to connect without one. Only the console calls SQS, SNS and SES, and only if the stack's
# variable api lets it examine the path (doctor) or read the dead-letter queues (dead_letters). It never reads
# the worker's queue.
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
