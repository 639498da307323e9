output "topic_arn" {
  description = "ARN of the SNS topic to which CloudWatch publishes the alarms."
  value       = aws_sns_topic.this.arn
}

output "topic_policy" {
  description = "Policy of the topic, in JSON."
  value       = aws_sns_topic_policy.this.policy
}

output "alarm_names" {
  description = "Names of the alarms."
  value       = toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "worker_metrics" {
  description = "Names of the worker's metrics that the alarms watch."
  value       = toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.metric_name if alarm.namespace == local.worker.namespace])
}

output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "dashboard" {
  description = "The dashboard, in JSON; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_body)
}
