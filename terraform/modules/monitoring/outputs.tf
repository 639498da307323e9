output "topic_arn" {
  description = "ARN of the SNS topic that alarms go to."
  value       = aws_sns_topic.this.arn
}

output "topic_policy" {
  description = "The topic's policy, JSON."
  value       = aws_sns_topic_policy.this.policy
}

output "alarm_names" {
  description = "Names of the alarms."
  value       = toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "dashboard" {
  description = "The dashboard, JSON; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_body)
}
