output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = module.topic.topic_arn
}

output "topic_name" {
  description = "Name of the SNS topic."
  value       = module.topic.topic_name
}

output "topic_policy" {
  description = "Policy of the topic that Terraform creates, in JSON; null for one that exists."
  value       = module.topic.topic_policy
}

output "topic_statements" {
  description = "Statements that the policy of an existing topic must contain, in JSON."
  value       = module.topic.topic_statements
}

output "extra_topic_arns" {
  description = "ARNs of the topics of other regions or accounts whose messages the queue accepts."
  value       = local.extra_topic_arns
}

output "queue_arn" {
  description = "ARN of the SQS queue that the worker reads."
  value       = local.queue_arn

  # Of a queue elsewhere, neither the alarms nor a function in AWS Lambda would see anything.
  precondition {
    condition     = local.queue_region == local.here.region
    error_message = "existing_queue must be in the region of the provider. Deploy the stack in the region of the queue, and subscribe it to the topics of other regions by the module feedback_topic."
  }
}

output "queue_name" {
  description = "Name of the SQS queue."
  value       = local.queue_name
}

output "queue_url" {
  description = "URL of the SQS queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = var.existing_queue == null ? one(aws_sqs_queue.this[*].url) : coalesce(var.existing_queue.url, local.urls.arn)
}

output "queue_policy" {
  description = "Policy of the queue that Terraform creates, in JSON; null for one that exists."
  value       = one(aws_sqs_queue.this[*].policy)
}

output "queue_statements" {
  description = "Statements that the policy of an existing queue must contain, in JSON."
  value       = jsonencode(local.queue_statements)
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue, which receives the messages that the worker could not handle; null without one."
  value       = var.existing_queue == null ? one(aws_sqs_queue.dlq[*].arn) : var.existing_queue.dlq_arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue; null without one."
  value       = var.existing_queue == null ? one(aws_sqs_queue.dlq[*].url) : local.urls.dlq_arn
}

output "dlq_policy" {
  description = "Policy of the dead-letter queue that Terraform creates, in JSON; null without one."
  value       = one(aws_sqs_queue.dlq[*].policy)
}

output "subscription_arn" {
  description = "ARN of the queue's subscription to the topic."
  value       = module.topic.subscription_arn
}

output "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue, which receives the messages that SNS could not deliver."
  value       = module.topic.subscription_dlq_arn
}

output "subscription_dlq_url" {
  description = "URL of the subscription's dead-letter queue."
  value       = try(var.existing_queue.subscription_dlq_arn, null) == null ? module.topic.subscription_dlq_url : local.urls.subscription_dlq_arn
}

output "subscription_dlq_policy" {
  description = "Policy of the subscription's dead-letter queue that Terraform creates, in JSON; null for one that exists."
  value       = module.topic.subscription_dlq_policy
}

output "identity_names" {
  description = "SES identities that publish to the topic."
  value       = module.topic.identity_names
}

output "configuration_set_names" {
  description = "SES configuration sets that publish to the topic."
  value       = module.topic.configuration_set_names
}

output "dns_records" {
  description = "DNS records of each domain that Terraform creates: DKIM, by which SES also verifies the domain; MX and SPF of its MAIL FROM domain; a DMARC policy to begin with. `created`: whether Terraform creates the record in Route 53."
  value       = module.topic.dns_records
}

output "domain_verification_tokens" {
  description = "With `ses_api = \"v1\"` only: value of the TXT record `_amazonses.<domain>` for each domain that Terraform creates. SES sends for the domain once its DNS has the record."
  value       = module.topic.domain_verification_tokens
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
