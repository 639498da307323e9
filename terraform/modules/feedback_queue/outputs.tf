output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = aws_sns_topic.this.arn
}

output "topic_name" {
  description = "Name of the SNS topic."
  value       = aws_sns_topic.this.name
}

output "topic_policy" {
  description = "Policy of the topic, in JSON."
  value       = aws_sns_topic_policy.this.policy
}

output "queue_arn" {
  description = "ARN of the SQS queue that the worker reads."
  value       = aws_sqs_queue.this.arn
}

output "queue_name" {
  description = "Name of the SQS queue."
  value       = aws_sqs_queue.this.name
}

output "queue_url" {
  description = "URL of the SQS queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = aws_sqs_queue.this.url
}

output "queue_policy" {
  description = "Policy of the queue, in JSON."
  value       = aws_sqs_queue.this.policy
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue, which receives the messages that the worker could not handle."
  value       = aws_sqs_queue.dlq.arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dlq.url
}

output "dlq_policy" {
  description = "Policy of the dead-letter queue, in JSON."
  value       = aws_sqs_queue.dlq.policy
}

output "subscription_arn" {
  description = "ARN of the queue's subscription to the topic."
  value       = aws_sns_topic_subscription.queue.arn
}

output "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue, which receives the messages that SNS could not deliver."
  value       = aws_sqs_queue.subscription_dlq.arn
}

output "subscription_dlq_url" {
  description = "URL of the subscription's dead-letter queue."
  value       = aws_sqs_queue.subscription_dlq.url
}

output "subscription_dlq_policy" {
  description = "Policy of the subscription's dead-letter queue, in JSON."
  value       = aws_sqs_queue.subscription_dlq.policy
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

output "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the topic and the queues; null if SQS manages the keys."
  value       = local.kms_key_arn
}

output "kms_key_policy" {
  description = "Policy of the KMS key that Terraform creates, in JSON; null without one."
  value       = one(aws_kms_key_policy.this[*].policy)
}

output "kms_key_statements" {
  description = "Statements that the policy of your own KMS key must contain, in JSON."
  value       = jsonencode(local.kms_key_statements)
}
