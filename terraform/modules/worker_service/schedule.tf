# EventBridge Scheduler starts a task that handles the waiting messages and ends. Between two runs,
# nothing costs anything but the image and the log.

locals {
  schedules = var.schedule == null ? 0 : local.tasks

  # With a cron, nobody knows the longest time between two runs: the alarms assume a day.
  rate                 = try(regex("^rate\\((\\d+) (minute|hour|day)s?\\)$", var.schedule), ["1", "day"])
  run_interval_seconds = local.rate[0] * { minute = 60, hour = 3600, day = 86400 }[local.rate[1]]

  # Before the next run, but after an hour at the latest: a run that hangs ends as well.
  run_seconds = min(local.run_interval_seconds, 3600)
  run_command = ["run", "--until-empty", "--at-most", tostring(local.run_seconds)]

  # CloudWatch makes ten metrics free of charge: those that alarms watch, and the best of the others.
  run_metrics = [
    "RunsSucceeded", "Failed", "StatementsRejected", "SuspectedIncidents", "SenderFaults",
    "MessagesReceived", "EventsRecorded", "AddressesSuppressed", "AddressesReleased", "Undecodable",
  ]
}

# The role trusts Scheduler for a whole group: aws:SourceArn never names a single schedule.
resource "aws_scheduler_schedule_group" "this" {
  count = local.schedules

  name = var.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297: the schedule holds a command and names of resources, nothing secret; Scheduler encrypts it with its own key.
  count = local.schedules

  name                = var.name
  group_name          = aws_scheduler_schedule_group.this[0].name
  description         = "Handles the messages that wait, and ends."
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.cluster_arn
    role_arn = aws_iam_role.schedule[0].arn
    input    = jsonencode({ containerOverrides = [{ name = "worker", command = local.run_command }] })

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this[0].arn
      task_count          = 1
      propagate_tags      = "TASK_DEFINITION"

      dynamic "capacity_provider_strategy" {
        for_each = local.capacity

        content {
          capacity_provider = capacity_provider_strategy.key
          weight            = capacity_provider_strategy.value.weight
          base              = capacity_provider_strategy.value.base
        }
      }

      network_configuration {
        subnets          = local.subnet_ids
        security_groups  = local.security_group_ids
        assign_public_ip = local.assign_public_ip
      }
    }

    # Until the next run, which does the same. Two runs at a time do no harm.
    retry_policy {
      maximum_event_age_in_seconds = min(local.run_interval_seconds, 3600)
      maximum_retry_attempts       = 10
    }
  }

  # A task that starts before it has its rights fails.
  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.schedule,
    aws_iam_role_policy.task,
    aws_iam_role_policy_attachment.task,
    aws_vpc_security_group_egress_rule.this,
    aws_vpc_security_group_egress_rule.to_group,
  ]
}

# Scheduler starts the task with this role.
resource "aws_iam_role" "schedule" {
  count = local.schedules

  name                 = "${var.name}-schedule"
  path                 = var.path
  description          = "EventBridge Scheduler starts the worker with this role."
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ScheduleOfThisStack"
        Effect    = "Allow"
        Principal = { Service = "scheduler.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.here.account_id
            "aws:SourceArn"     = aws_scheduler_schedule_group.this[0].arn
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = local.schedules

  name = "start-the-worker"
  role = aws_iam_role.schedule[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RunTheWorker"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["${local.ecs}:task-definition/${var.name}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
      },
      {
        Sid       = "TagTheTask" # ECS asks for it where a task gets the tags of its definition
        Effect    = "Allow"
        Action    = ["ecs:TagResource"]
        Resource  = ["${local.ecs}:task/${local.cluster_name}/*"]
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
      {
        Sid       = "PassTheRolesOfTheWorker"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.task.arn, aws_iam_role.execution.arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}
