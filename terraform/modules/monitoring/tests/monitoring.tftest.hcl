# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms" }
  }
}

variables {
  queue_arn            = "arn:aws:sqs:eu-west-1:123456789012:feedback"
  dlq_arn              = "arn:aws:sqs:eu-west-1:123456789012:feedback-dlq"
  subscription_dlq_arn = "arn:aws:sqs:eu-west-1:123456789012:feedback-subscription-dlq"
  worker               = { cluster_name = "cluster", service_name = "service" }
}

run "by_default" {
  command = plan

  # The alarms.
  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => join(" ", concat(
      [alarm.alarm_name, alarm.namespace, alarm.metric_name, alarm.statistic],
      [alarm.comparison_operator == "LessThanThreshold" ? "<" : ">=", alarm.threshold, alarm.evaluation_periods, alarm.period, alarm.treat_missing_data],
      alarm.dimensions == null ? [] : values(alarm.dimensions),
      )) } == {
      dlq                 = "sesbounce-dlq AWS/SQS ApproximateNumberOfMessagesVisible Maximum >= 1 1 60 notBreaching feedback-dlq"
      subscription-dlq    = "sesbounce-subscription-dlq AWS/SQS ApproximateNumberOfMessagesVisible Maximum >= 1 1 60 notBreaching feedback-subscription-dlq"
      oldest-message      = "sesbounce-oldest-message AWS/SQS ApproximateAgeOfOldestMessage Maximum >= 900 3 60 notBreaching feedback"
      no-task             = "sesbounce-no-task AWS/ECS CPUUtilization SampleCount < 1 5 60 breaching cluster service"
      unhealthy           = "sesbounce-unhealthy sesbounce Healthy Minimum < 1 5 60 notBreaching feedback"
      failed              = "sesbounce-failed sesbounce Failed Sum >= 1 5 60 notBreaching feedback"
      statement-refusals  = "sesbounce-statement-refusals sesbounce StatementsRejected Sum >= 1 5 60 notBreaching feedback"
      suspected-incidents = "sesbounce-suspected-incidents sesbounce SuspectedIncidents Maximum >= 1 1 60 notBreaching feedback"
      stopped-senders     = "sesbounce-stopped-senders sesbounce StoppedSenders Maximum >= 1 1 60 notBreaching feedback"
      sender-faults       = "sesbounce-sender-faults sesbounce SenderFaults Sum >= 100 1 3600 notBreaching feedback"
      bounce-rate         = "sesbounce-bounce-rate AWS/SES Reputation.BounceRate Maximum >= 0.04 1 3600 ignore"
      complaint-rate      = "sesbounce-complaint-rate AWS/SES Reputation.ComplaintRate Maximum >= 0.0008 1 3600 ignore"
    }
    error_message = "These must be the alarms."
  }

  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset([output.topic_arn]) && alarm.ok_actions == toset([output.topic_arn]) && length(alarm.alarm_description) > 20
    ])
    error_message = "Each alarm must say what to do, and tell when it begins and when it ends."
  }

  assert {
    condition     = length(output.alarm_names) == 12
    error_message = "The output must tell the alarms."
  }

  # The policy of the topic.
  assert {
    condition = jsondecode(output.topic_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "AlarmsOfThisAccountPublish"
          Effect    = "Allow"
          Principal = { Service = "cloudwatch.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"
          Condition = {
            StringEquals = { "aws:SourceAccount" = "123456789012" }
            ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:sesbounce-*" }
          }
        },
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "Only alarms of this stack may publish, and only over TLS."
  }

  assert {
    condition     = aws_sns_topic.this[0].name == "sesbounce-alarms" && aws_sns_topic.this[0].signature_version == 2
    error_message = "Alarms must have a topic of their own, signed with SHA256."
  }

  # The dashboard.
  assert {
    condition     = output.dashboard_name == "sesbounce" && length(jsondecode(output.dashboard).widgets) == 12
    error_message = "The dashboard must be there, with all its widgets."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(output.dashboard).widgets : widget.properties.region == "eu-west-1" && length(widget.properties.title) > 0 && length(widget.properties.metrics) > 0])
    error_message = "Each widget must show something, of the queue's region."
  }

  assert {
    condition     = length(distinct([for widget in jsondecode(output.dashboard).widgets : "${widget.x} ${widget.y}"])) == 12
    error_message = "No widget may lie over another."
  }

  assert {
    condition = (
      strcontains(output.dashboard, "SEARCH('{sesbounce,Service,Reason} MetricName=\\\"AddressesSuppressed\\\" Service=\\\"feedback\\\"', 'Sum', 300)")
      && strcontains(output.dashboard, "SEARCH('{sesbounce,Service,Kind} MetricName=\\\"EventsRecorded\\\" Service=\\\"feedback\\\"', 'Sum', 300)")
    )
    error_message = "The dashboard must show suppressions by reason and events by kind."
  }
}

run "other_thresholds" {
  command = plan

  variables {
    oldest_message_seconds = 120
    sender_faults          = 5
    bounce_rate            = 0.02
    complaint_rate         = 0.0005
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["oldest-message"].threshold == 120
      && aws_cloudwatch_metric_alarm.this["sender-faults"].threshold == 5
      && aws_cloudwatch_metric_alarm.this["bounce-rate"].threshold == 0.02
      && aws_cloudwatch_metric_alarm.this["complaint-rate"].threshold == 0.0005
    )
    error_message = "The given thresholds must be taken."
  }
}

run "worker_elsewhere" {
  command = plan

  variables {
    worker               = null
    watch_worker_metrics = false
    watch_reputation     = false
    alarm_topic_arn      = "arn:aws:sns:eu-west-1:123456789012:operators"
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.this) == ["dlq", "oldest-message", "subscription-dlq"]
    error_message = "Only the queues must be watched."
  }

  assert {
    condition = length(aws_sns_topic.this) + length(aws_sns_topic_policy.this) == 0 && output.topic_policy == null && alltrue([
      for arns in concat([[output.topic_arn]], [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions], [for alarm in aws_cloudwatch_metric_alarm.this : alarm.ok_actions]) :
      toset(arns) == toset([var.alarm_topic_arn])
    ])
    error_message = "A topic of the user must get all alarms, and there must be no other."
  }

  assert {
    condition = jsondecode(output.topic_statement) == {
      Sid       = "AlarmsOfThisAccountPublish"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = var.alarm_topic_arn
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:sesbounce-*" }
      }
    }
    error_message = "The user must learn what the topic's policy must say."
  }

  assert {
    condition     = !strcontains(output.dashboard, "AWS/ECS")
    error_message = "The dashboard must show no tasks where there are none."
  }
}

run "worker_that_sleeps" {
  command = plan

  variables {
    worker = { cluster_name = "cluster", service_name = "service", min_tasks = 0 }
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "no-task") && strcontains(output.dashboard, "AWS/ECS")
    error_message = "A worker that may sleep must be no alarm when it does."
  }
}

run "worker_by_a_schedule" {
  command = plan

  variables {
    worker               = null
    run_interval_seconds = 7200
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => join(" ", concat(
      [alarm.metric_name, alarm.statistic, alarm.comparison_operator == "LessThanThreshold" ? "<" : ">=", alarm.threshold],
      [alarm.datapoints_to_alarm == null ? alarm.evaluation_periods : alarm.datapoints_to_alarm, alarm.evaluation_periods, alarm.period, alarm.treat_missing_data],
      )) if !startswith(alarm.namespace, "AWS/SES") && !strcontains(name, "dlq") } == {
      oldest-message      = "ApproximateAgeOfOldestMessage Maximum >= 15300 3 3 60 notBreaching"
      no-run              = "RunsSucceeded Sum < 1 3 3 7200 breaching"
      failed              = "Failed Sum >= 1 2 3 7200 notBreaching"
      statement-refusals  = "StatementsRejected Sum >= 1 2 3 7200 notBreaching"
      suspected-incidents = "SuspectedIncidents Maximum >= 1 1 1 7200 ignore"
      sender-faults       = "SenderFaults Sum >= 100 1 1 7200 notBreaching"
    }
    error_message = "The alarms must fit the interval."
  }

  # What CloudWatch makes free of charge.
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 10
    error_message = "There must be no more than ten alarms."
  }

  assert {
    condition = (
      strcontains(output.dashboard, "RunsSucceeded")
      && alltrue([for absent in ["AWS/ECS", "BatchSeconds", "SEARCH"] : !strcontains(output.dashboard, absent)])
    )
    error_message = "The dashboard must show the runs, and only metrics that runs publish."
  }
}

run "function_that_seldom_sweeps" {
  command = plan

  variables {
    worker                 = null
    function_name          = "sesbounce"
    sweep_interval_seconds = 86400
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.period if alarm.namespace == "sesbounce" } == {
      failed = 86400, statement-refusals = 86400, suspected-incidents = 86400, sender-faults = 86400
    }
    error_message = "An alarm that two of three intervals raise must know the interval."
  }
}

run "people" {
  command = plan

  variables {
    alarm_emails = ["operator@example.com"]
  }

  assert {
    condition     = [for subscription in aws_sns_topic_subscription.email : "${subscription.protocol} ${subscription.endpoint}"] == ["email operator@example.com"]
    error_message = "People must be told."
  }
}

run "no_dashboard" {
  command = plan

  variables {
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0 && output.dashboard_name == null && output.dashboard == null
    error_message = "There must be no dashboard when none is wanted."
  }
}

run "other_partition" {
  command = plan

  variables {
    queue_arn = "arn:aws-cn:sqs:cn-north-1:123456789012:feedback"
  }

  assert {
    condition     = jsondecode(output.topic_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:sesbounce-*"
    error_message = "Partition and region must be the queue's."
  }
}

run "tags" {
  command = plan

  variables {
    tags = { Team = "mail" }
  }

  assert {
    condition     = alltrue([for tags in concat([aws_sns_topic.this[0].tags], values(aws_cloudwatch_metric_alarm.this)[*].tags) : tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}

run "queue_without_a_dead_letter_queue" {
  command = plan

  variables {
    dlq_arn   = null
    watch_dlq = false
  }

  assert {
    condition     = !contains(output.alarm_names, "sesbounce-dlq") && contains(output.alarm_names, "sesbounce-subscription-dlq")
    error_message = "A queue that is not there must not be watched."
  }

  assert {
    condition     = !strcontains(output.dashboard, "dead letters") && strcontains(output.dashboard, "undelivered by SNS")
    error_message = "The dashboard must not show a queue that is not there."
  }
}

# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

run "wrong_values" {
  command = plan

  variables {
    name                   = "ses bounce"
    queue_arn              = "arn:aws:sqs:eu-west-1:123456789012:*"
    alarm_emails           = ["operator"]
    oldest_message_seconds = 59
    run_interval_seconds   = 90
    sweep_interval_seconds = 90
    bounce_rate            = 5   # in percent
    complaint_rate         = 0.1 # in percent
  }

  expect_failures = [
    var.name,
    var.queue_arn,
    var.alarm_emails,
    var.oldest_message_seconds,
    var.run_interval_seconds,
    var.sweep_interval_seconds,
    var.bounce_rate,
    var.complaint_rate,
  ]
}

run "no_rates" {
  command = plan

  variables {
    run_interval_seconds = 900 # beside a service
    bounce_rate          = 0
    complaint_rate       = 0
    dlq_arn              = null                                           # and watch_dlq is true
    alarm_topic_arn      = "arn:aws:sns:us-east-1:123456789012:operators" # not the queue's region
  }

  expect_failures = [var.bounce_rate, var.complaint_rate, var.run_interval_seconds, var.watch_dlq, var.alarm_topic_arn]
}

run "queue_in_place_of_a_topic" {
  command = plan

  variables {
    alarm_topic_arn = "arn:aws:sqs:eu-west-1:123456789012:operators"
  }

  expect_failures = [var.alarm_topic_arn]
}

run "people_at_a_topic_of_the_user" {
  command = plan

  variables {
    alarm_emails    = ["operator@example.com"]
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:operators"
  }

  expect_failures = [var.alarm_topic_arn]
}
