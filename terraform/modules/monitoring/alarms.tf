locals {
  worker       = { namespace = "sesbounce", dimensions = { Service = local.queue_name } }
  always_tasks = var.worker == null ? false : var.worker.min_tasks > 0

  # What an alarm does not say is the default below.
  candidates = {
    dlq = {
      description = "The worker could not handle a message. See which and why with sesbounce dlq, then redrive it."
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = local.dlq_name } }
    }
    subscription-dlq = {
      description = "SNS could not deliver a message to the queue: look at the queue's policy and at the key that encrypts it."
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = local.subscription_dlq_name } }
    }
    oldest-message = {
      description = "Messages wait too long: is the worker running, and fast enough?"
      metric      = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = local.queue_name } }
      threshold   = var.oldest_message_seconds
      periods     = 3
    }
    no-task = {
      watch       = local.always_tasks
      description = "No worker runs. Look at the service's events and at the log of its last task."
      metric = {
        namespace  = "AWS/ECS"
        name       = "CPUUtilization"
        dimensions = { ClusterName = local.cluster_name, ServiceName = local.service_name }
      }
      stat    = "SampleCount" # each task tells its CPU once a minute: no sample, no task
      below   = true
      periods = 5
      missing = "breaching"
    }
    unhealthy = {
      watch       = var.watch_worker_metrics
      description = "The worker can't reach its queue or its database. Its log says which, and why."
      metric      = merge(local.worker, { name = "Healthy" })
      stat        = "Minimum"
      below       = true
      periods     = 5
    }
    failed = {
      watch       = var.watch_worker_metrics
      description = "Messages could not be recorded; they come again, and in the end land in the dead-letter queue."
      metric      = merge(local.worker, { name = "Failed" })
      stat        = "Sum"
      periods     = 5
    }
    statement-refusals = {
      watch       = var.watch_worker_metrics
      description = "The database refuses a strike-off or restore statement. The log says why; it is tried again every minute."
      metric      = merge(local.worker, { name = "StatementsRejected" })
      stat        = "Sum"
      periods     = 5
    }
    bounce-rate = {
      watch       = var.watch_reputation
      description = "The account's bounce rate nears 5 %, at which SES puts accounts under review."
      metric      = { namespace = "AWS/SES", name = "Reputation.BounceRate", dimensions = {} }
      threshold   = var.bounce_rate
      seconds     = 3600 # SES tells it a few times a day
      missing     = "ignore"
    }
    complaint-rate = {
      watch       = var.watch_reputation
      description = "The account's complaint rate nears 0.1 %, at which SES puts accounts under review."
      metric      = { namespace = "AWS/SES", name = "Reputation.ComplaintRate", dimensions = {} }
      threshold   = var.complaint_rate
      seconds     = 3600
      missing     = "ignore"
    }
  }
  default = { stat = "Maximum", threshold = 1, below = false, periods = 1, seconds = 60, missing = "notBreaching" }

  alarms = { for name, alarm in local.candidates : name => merge(local.default, alarm) if try(alarm.watch, true) }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.metric.namespace
  metric_name         = each.value.metric.name
  dimensions          = each.value.metric.dimensions
  statistic           = each.value.stat
  period              = each.value.seconds
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.below ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
  tags                = var.tags
}
