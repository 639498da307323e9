# Application Auto Scaling sets the number of tasks, from min_tasks to max_tasks, by the backlog per task and by
# the CPU. It takes tasks away only when both allow it. docs/scale.md simulates these rules.

locals {
  queue_name = element(split(":", var.queue_arn), 5)

  tracks_backlog = local.services == 1 && var.max_tasks > max(var.min_tasks, 1) ? 1 : 0
  sleeps         = local.services == 1 && var.min_tasks == 0 ? 1 : 0

  # Step scaling from none to one task, and back.
  steps = local.sleeps == 0 ? {} : {
    wake = {
      description = "Messages wait and no worker receives them: start a worker."
      adjustment  = { adjustment_type = "ChangeInCapacity", scaling_adjustment = 1, cooldown_seconds = 180 }
      # Each poll of a worker counts in `received` or `empty`. A metric of ECS cannot replace them: it has
      # no value without a task. Nor have these two on a queue that nobody polls: an expression with a
      # missing operand has no value, and the alarm would never wake the worker.
      expression         = "IF(FILL(visible, 0) > 0 AND FILL(received, 0) + FILL(empty, 0) < 1, 1, 0)"
      evaluation_minutes = 1
      metrics            = { visible = "ApproximateNumberOfMessagesVisible", received = "NumberOfMessagesReceived", empty = "NumberOfEmptyReceives" }
    }
    sleep = {
      description        = "The queue has been empty for a quarter of an hour: stop the worker."
      adjustment         = { adjustment_type = "ExactCapacity", scaling_adjustment = 0, cooldown_seconds = 60 }
      expression         = "IF(FILL(visible, 0) + FILL(in_flight, 0) + FILL(delayed, 0) < 1, 1, 0)"
      evaluation_minutes = 15
      metrics            = { visible = "ApproximateNumberOfMessagesVisible", in_flight = "ApproximateNumberOfMessagesNotVisible", delayed = "ApproximateNumberOfMessagesDelayed" }
    }
  }
}

resource "aws_appautoscaling_target" "this" {
  count = local.services

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${local.cluster_name}/${aws_ecs_service.this[0].name}"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
  tags               = var.tags

  # AWS deletes the target together with its service, and the policies with the target.
  lifecycle {
    replace_triggered_by = [aws_ecs_service.this[0].id]
  }
}

resource "aws_appautoscaling_policy" "backlog" {
  count = local.tracks_backlog

  name               = "${var.name}-backlog"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.backlog_per_task
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    customized_metric_specification {
      metrics {
        id          = "per_task"
        label       = "Waiting messages per running task"
        expression  = "waiting / tasks"
        return_data = true
      }

      metrics {
        id          = "waiting"
        label       = "Waiting messages"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesVisible"

            dimensions {
              name  = "QueueName"
              value = local.queue_name
            }
          }
        }
      }

      # Each task reports its CPU once a minute, so the number of samples is the number of tasks. The
      # metric of the number itself needs Container Insights, which costs money.
      metrics {
        id          = "tasks"
        label       = "Running tasks"
        return_data = false

        metric_stat {
          stat = "SampleCount"

          metric {
            namespace   = "AWS/ECS"
            metric_name = "CPUUtilization"

            dimensions {
              name  = "ClusterName"
              value = local.cluster_name
            }

            dimensions {
              name  = "ServiceName"
              value = aws_ecs_service.this[0].name
            }
          }
        }
      }
    }
  }

  lifecycle {
    replace_triggered_by = [aws_ecs_service.this[0].id]
  }
}

# A steady load that needs more than one task leaves no backlog. By the backlog alone, tasks would go after a
# quarter of an hour, and come back when messages have waited for minutes, over and over.
resource "aws_appautoscaling_policy" "cpu" {
  count = local.tracks_backlog

  name               = "${var.name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }

  lifecycle {
    replace_triggered_by = [aws_ecs_service.this[0].id]
  }
}

# Without a task, there is no backlog per task, so step scaling leads from none to one, and back.
resource "aws_appautoscaling_policy" "step" {
  for_each = local.steps

  name               = "${var.name}-${each.key}"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = each.value.adjustment.adjustment_type
    cooldown                = each.value.adjustment.cooldown_seconds
    metric_aggregation_type = "Maximum"

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = each.value.adjustment.scaling_adjustment
    }
  }

  lifecycle {
    replace_triggered_by = [aws_ecs_service.this[0].id]
  }
}

resource "aws_cloudwatch_metric_alarm" "step" {
  for_each = local.steps

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = each.value.evaluation_minutes
  treat_missing_data  = "notBreaching" # SQS sends no metrics of a queue that has been unused for hours
  alarm_actions       = [aws_appautoscaling_policy.step[each.key].arn]
  tags                = var.tags

  metric_query {
    id          = "decision"
    label       = each.value.description
    expression  = each.value.expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value
        dimensions  = { QueueName = local.queue_name }
        period      = 60
        stat        = startswith(metric_query.value, "Number") ? "Sum" : "Maximum"
      }
    }
  }
}
