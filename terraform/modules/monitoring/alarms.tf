locals {
  worker       = { namespace = "sesbounce", dimensions = { Service = local.queue_name } }
  always_tasks = var.worker == null ? false : var.worker.min_tasks > 0

  # A worker reports every minute, or at the end of each run; a function, at each sweep at the latest. The starts of runs vary a little, so that
  # some intervals hold the ends of two runs, and others none.
  scheduled    = var.run_interval_seconds != null
  function     = var.function_name != null
  every        = local.scheduled ? var.run_interval_seconds : local.function ? var.sweep_interval_seconds : 60
  persistently = local.scheduled || local.function ? { seconds = local.every, periods = 3, datapoints = 2 } : { seconds = 60, periods = 5, datapoints = null }
  oldest       = local.scheduled ? 900 + 2 * local.every : 900

  # An alarm takes from `default`, below, each attribute that it does not set.
  candidates = {
    dlq = {
      watch       = var.watch_dlq
      description = "The worker could not handle a message. `sesbounce dlq list` (in a task: make cli ARGS='dlq list') says what is wrong with the messages, how many there are, and when SQS deletes them; the worker's log has the same fingerprints. Once the cause is removed, `sesbounce dlq replay` records them in the database, and `sesbounce dlq redrive` sends them back to the queue; `sesbounce dlq delete` deletes those that nobody needs."
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = local.dlq_name } }
    }
    subscription-dlq = {
      description = "SNS could not deliver a message to the queue. `sesbounce dlq list --queue subscription` (in a task: make cli ARGS='dlq list --queue subscription') says why. Check the queue's policy and the policy of the KMS key that encrypts the queue. Then `sesbounce dlq redrive --queue subscription` sends the messages to the queue; SQS itself cannot, since they came from a topic."
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = local.subscription_dlq_name } }
    }
    oldest-message = {
      description = "Messages wait too long in the queue. Check that the worker runs, and whether its log reports errors; if it is too slow, ${local.scheduled ? "let it run more often (worker.schedule)" : local.function ? "raise worker.function.maximum_concurrency" : "raise max_tasks"}."
      metric      = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = local.queue_name } }
      threshold   = coalesce(var.oldest_message_seconds, local.oldest)
      periods     = 3
    }
    no-task = {
      watch       = local.always_tasks
      description = "No worker runs. Read the events of the ECS service and the log of its last task."
      metric = {
        namespace  = "AWS/ECS"
        name       = "CPUUtilization"
        dimensions = { ClusterName = local.cluster_name, ServiceName = local.service_name }
      }
      stat    = "SampleCount" # each task reports its CPU once a minute: no sample, no task
      below   = true
      periods = 5
      missing = "breaching"
    }
    no-run = {
      watch       = local.scheduled && var.watch_worker_metrics
      description = "No run of the worker has ended well for three intervals of its schedule. `make check-wiring` checks the schedule, and `make restart` starts a run now and shows how it ends; the log has the runs before."
      metric      = merge(local.worker, { name = "RunsSucceeded" })
      stat        = "Sum"
      below       = true
      seconds     = local.every
      periods     = 3
      missing     = "breaching"
    }
    function-errors = {
      watch       = local.function
      description = "Invocations of the function fail: its settings, its secrets or its database are wrong, or it takes too long. Its log says why. Messages wait in the queue meanwhile, and get into the dead-letter queue after some receives."
      metric      = { namespace = "AWS/Lambda", name = "Errors", dimensions = { FunctionName = var.function_name } }
      stat        = "Sum"
      seconds     = 300
      periods     = 3
      datapoints  = 2
    }
    function-throttles = {
      watch       = local.function
      description = "Lambda does not start the function: the concurrency of the account or of the function (worker.function.reserved_concurrency) is used up."
      metric      = { namespace = "AWS/Lambda", name = "Throttles", dimensions = { FunctionName = var.function_name } }
      stat        = "Sum"
      seconds     = 300
      periods     = 3
      datapoints  = 2
    }
    unhealthy = {
      watch       = var.watch_worker_metrics && !local.scheduled && !local.function # a run or an invocation ends at the first failure
      description = "The worker cannot reach its queue, its database or SNS's certificate. Its log says which of them, and why."
      metric      = merge(local.worker, { name = "Healthy" })
      stat        = "Minimum"
      below       = true
      periods     = 5
    }
    failed = merge(local.persistently, {
      watch       = var.watch_worker_metrics
      description = "The worker could not record messages. It returns them to the queue, and SQS moves those that fail repeatedly to the dead-letter queue. The worker's log says why."
      metric      = merge(local.worker, { name = "Failed" })
      stat        = "Sum"
    })
    statement-refusals = merge(local.persistently, {
      watch       = var.watch_worker_metrics
      description = "The database rejects the strike-off or restore statement. The worker's log says why; the worker retries ${local.scheduled ? "at each run" : local.function ? "at each sweep" : "every minute"}."
      metric      = merge(local.worker, { name = "StatementsRejected" })
      stat        = "Sum"
    })
    suspected-incidents = {
      watch       = var.watch_worker_metrics
      description = "Hard bounces look like the outage of a mailbox provider, or an incident is still open. `sesbounce incident list` shows it; close or withdraw it (`sesbounce incident close`) when the outage is over, or was none."
      metric      = merge(local.worker, { name = "SuspectedIncidents" })
      seconds     = local.every
      missing     = local.scheduled || local.function ? "ignore" : "notBreaching" # the last run's answer holds until the next run
    }
    stopped-senders = {
      # Among the ten metrics that are free, a run or a function has no place for it.
      watch       = var.watch_worker_metrics && !local.scheduled && !local.function
      description = "A sender's rate of hard bounces or complaints was too high: programs that ask first send none of its mail until a person resumes it. `sesbounce gate` (in a task: make cli ARGS='gate') says which sender, and why; remove the cause, and then let it go on with `sesbounce gate resume`."
      metric      = merge(local.worker, { name = "StoppedSenders" })
    }
    sender-faults = {
      watch       = var.watch_worker_metrics
      description = "Receiving hosts reject mail because of the sender: its reputation, authentication, rate or content. The worker's log says why (SenderFaultReasons), and `sesbounce stats --by reason` counts the events. No address is suppressed for it: mend the cause."
      metric      = merge(local.worker, { name = "SenderFaults" })
      stat        = "Sum"
      threshold   = var.sender_faults
      seconds     = max(local.every, 3600)
    }
    bounce-rate = {
      watch       = var.watch_reputation
      description = "The account's bounce rate approaches 5 %; from 5 % on, SES reviews accounts. Stop sending to the addresses that bounce."
      metric      = { namespace = "AWS/SES", name = "Reputation.BounceRate", dimensions = {} }
      threshold   = var.bounce_rate
      seconds     = 3600 # SES reports it a few times a day
      missing     = "ignore"
    }
    complaint-rate = {
      watch       = var.watch_reputation
      description = "The account's complaint rate approaches 0.1 %; from 0.1 % on, SES reviews accounts. Find out which mail the recipients complain about."
      metric      = { namespace = "AWS/SES", name = "Reputation.ComplaintRate", dimensions = {} }
      threshold   = var.complaint_rate
      seconds     = 3600
      missing     = "ignore"
    }
  }
  default = { stat = "Maximum", threshold = 1, below = false, periods = 1, datapoints = null, seconds = 60, missing = "notBreaching" }

  alarms = { for name, alarm in local.candidates : name => merge(local.default, alarm) if try(alarm.watch, true) }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} More: docs/operating.md#${each.key}"
  namespace           = each.value.metric.namespace
  metric_name         = each.value.metric.name
  dimensions          = each.value.metric.dimensions
  statistic           = each.value.stat
  period              = each.value.seconds
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints
  comparison_operator = each.value.below ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
  tags                = var.tags
}
