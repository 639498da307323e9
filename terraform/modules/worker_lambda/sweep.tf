# The worker in ECS sweeps every minute. Here EventBridge Scheduler calls the function for it.

locals {
  # With a cron, nobody knows the longest time between two sweeps: the alarms assume a day.
  sweep_rate             = try(regex("^rate\\((\\d+) (minute|hour|day)s?\\)$", var.sweep_schedule), ["1", "day"])
  sweep_interval_seconds = local.sweep_rate[0] * { minute = 60, hour = 3600, day = 86400 }[local.sweep_rate[1]]
}

# The role trusts Scheduler for a whole group: aws:SourceArn never names a single schedule.
resource "aws_scheduler_schedule_group" "sweep" {
  count = local.functions

  name = "${var.name}-sweep"
  tags = var.tags
}

resource "aws_scheduler_schedule" "sweep" {
  # checkov:skip=CKV_AWS_297: the schedule holds the name of a function, nothing secret; Scheduler encrypts it with its own key.
  count = local.functions

  name                = "${var.name}-sweep"
  group_name          = aws_scheduler_schedule_group.sweep[0].name
  description         = "Releases expired suppressions, retries statements, looks for incidents, delivers the outbox."
  schedule_expression = var.sweep_schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this[0].arn
    role_arn = aws_iam_role.sweep.arn
    input    = jsonencode({ sesbounce = "sweep" })

    # The next sweep does the same.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }
  }

  depends_on = [aws_iam_role_policy.sweep]
}
