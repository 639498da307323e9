output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = local.topic_arn

  # Who subscribes a queue to the topic from another account needs its policy.
  depends_on = [aws_sns_topic_policy.this]
}

output "topic_name" {
  description = "Name of the SNS topic."
  value       = local.topic_name
}

output "topic_policy" {
  description = "Policy of the topic that Terraform creates, in JSON; null for one that exists."
  value       = one(aws_sns_topic_policy.this[*].policy)
}

output "topic_statements" {
  description = "Statements that the policy of an existing topic must contain, in JSON."
  value       = jsonencode(local.topic_statements)
}

output "subscription_arn" {
  description = "ARN of the queue's subscription to the topic; null without one."
  value       = one(aws_sns_topic_subscription.queue[*].arn)
}

output "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue, which receives the messages that SNS could not deliver; null without a subscription."
  value       = var.subscription_dlq == null ? one(aws_sqs_queue.subscription_dlq[*].arn) : var.subscription_dlq.arn
}

output "subscription_dlq_url" {
  description = "URL of the subscription's dead-letter queue that Terraform creates; null without one."
  value       = one(aws_sqs_queue.subscription_dlq[*].url)
}

output "subscription_dlq_policy" {
  description = "Policy of the subscription's dead-letter queue that Terraform creates, in JSON; null without one."
  value       = one(aws_sqs_queue.subscription_dlq[*].policy)
}

output "identity_names" {
  description = "SES identities that publish to the topic."
  value       = toset([for attachment in aws_ses_identity_notification_topic.this : attachment.identity])
}

output "configuration_set_names" {
  description = "SES configuration sets that publish to the topic."
  value = setunion(
    [for destination in aws_ses_event_destination.this : destination.configuration_set_name],
    [for destination in aws_sesv2_configuration_set_event_destination.this : destination.configuration_set_name],
  )
}

output "domain_verification_tokens" {
  description = "Value of the TXT record `_amazonses.<domain>` for each domain that Terraform creates. SES sends for the domain once its DNS has the record."
  value       = { for domain, identity in aws_ses_domain_identity.this : domain => identity.verification_token }
}

output "ses_sources" {
  description = "ARNs, with wildcards, of the identities and configuration sets that may publish to the topic, for the policy of a KMS key."
  value       = local.ses_sources
}

output "here" {
  description = "Partition, region and account of the SES that publishes to the topic."
  value       = local.here
}
