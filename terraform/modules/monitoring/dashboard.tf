locals {
  cluster_name = try(var.worker.cluster_name, null)
  service_name = try(var.worker.service_name, null)

  region = element(split(":", var.queue_arn), 3)

  # The dashboard shows two widgets in each row, in this order. The runs of a schedule and a function publish few metrics.
  widgets = [for widget in [
    {
      shown   = !local.scheduled && !local.function
      title   = "Events by kind"
      stat    = "Sum"
      metrics = [[{ expression = "SEARCH('{sesbounce,Service,Kind} MetricName=\"EventsRecorded\" Service=\"${local.queue_name}\"', 'Sum', 300)", label = "" }]]
    },
    {
      shown   = !local.scheduled && !local.function
      title   = "Suppressed addresses by reason"
      stat    = "Sum"
      metrics = [[{ expression = "SEARCH('{sesbounce,Service,Reason} MetricName=\"AddressesSuppressed\" Service=\"${local.queue_name}\"', 'Sum', 300)", label = "" }]]
    },
    {
      title = "Messages in the queues"
      stat  = "Maximum"
      metrics = [for metric in [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.queue_name, { label = "waiting" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", local.queue_name, { label = "in flight" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.dlq_name, { label = "dead letters" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.subscription_dlq_name, { label = "undelivered by SNS" }],
      ] : metric if metric[3] != null]
    },
    {
      title   = "Age of the oldest message, seconds"
      stat    = "Maximum"
      metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", local.queue_name, { label = "oldest" }]]
    },
    {
      title   = "Messages received, events recorded, duplicates"
      stat    = "Sum"
      metrics = [for name in ["MessagesReceived", "EventsRecorded", "Duplicates"] : ["sesbounce", name, "Service", local.queue_name]]
    },
    {
      shown = !local.scheduled && !local.function
      title = "Seconds per batch and per commit"
      stat  = "p50"
      metrics = flatten([
        for name in ["BatchSeconds", "CommitSeconds"] : [
          for stat in ["p50", "p99"] : [["sesbounce", name, "Service", local.queue_name, { stat = stat, label = "${name} ${stat}" }]]
        ]
      ])
    },
    {
      title   = "Addresses suppressed and released"
      stat    = "Sum"
      metrics = [for name in ["AddressesSuppressed", "AddressesReleased"] : ["sesbounce", name, "Service", local.queue_name]]
    },
    {
      title   = "Errors"
      stat    = "Sum"
      metrics = [for name in ["Undecodable", "Failed", "StatementsRejected", "DeleteFailures"] : ["sesbounce", name, "Service", local.queue_name]]
    },
    {
      title = "Rejected because of the sender, suspected incidents, stopped senders"
      stat  = "Sum"
      metrics = [
        ["sesbounce", "SenderFaults", "Service", local.queue_name],
        ["sesbounce", "SuspectedIncidents", "Service", local.queue_name, { stat = "Maximum" }],
        ["sesbounce", "StoppedSenders", "Service", local.queue_name, { stat = "Maximum" }],
      ]
    },
    {
      title = "Reputation of the account, %"
      stat  = "Maximum"
      metrics = [
        [{ expression = "100 * bounces", label = "bounce rate (review at 5)" }],
        [{ expression = "100 * complaints", label = "complaint rate (review at 0.1)" }],
        ["AWS/SES", "Reputation.BounceRate", { id = "bounces", visible = false }],
        ["AWS/SES", "Reputation.ComplaintRate", { id = "complaints", visible = false }],
      ]
    },
    {
      shown   = local.scheduled
      title   = "Runs that have ended well"
      stat    = "Sum"
      seconds = local.every
      metrics = [["sesbounce", "RunsSucceeded", "Service", local.queue_name]]
    },
    {
      shown = local.function
      title = "Invocations of the function"
      stat  = "Sum"
      metrics = [
        for name in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", name, "FunctionName", var.function_name]
      ]
    },
    {
      shown   = local.function
      title   = "Duration of an invocation, milliseconds"
      stat    = "p99"
      metrics = [["AWS/Lambda", "Duration", "FunctionName", var.function_name]]
    },
    {
      shown   = var.worker != null
      title   = "Running tasks"
      stat    = "SampleCount"
      seconds = 60 # each task reports its CPU once a minute
      metrics = [["AWS/ECS", "CPUUtilization", "ClusterName", local.cluster_name, "ServiceName", local.service_name, { label = "tasks" }]]
    },
    {
      shown = var.worker != null
      title = "CPU and memory of the tasks, %"
      stat  = "Average"
      metrics = [
        for name in ["CPUUtilization", "MemoryUtilization"] :
        ["AWS/ECS", name, "ClusterName", local.cluster_name, "ServiceName", local.service_name]
      ]
    },
  ] : widget if try(widget.shown, true)]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = local.region
          view    = "timeSeries"
          stat    = widget.stat
          period  = try(widget.seconds, 300)
          metrics = widget.metrics
        }
      }
    ]
  })
}
