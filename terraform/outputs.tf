output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = module.feedback_queue.topic_arn
}

output "topic_name" {
  description = "Name of the SNS topic."
  value       = module.feedback_queue.topic_name
}

output "topic_policy" {
  description = "The topic's policy, JSON."
  value       = module.feedback_queue.topic_policy
}

output "queue_arn" {
  description = "ARN of the SQS queue that the worker reads."
  value       = module.feedback_queue.queue_arn
}

output "queue_name" {
  description = "Name of the SQS queue."
  value       = module.feedback_queue.queue_name
}

output "queue_url" {
  description = "URL of the SQS queue, as the worker takes it."
  value       = module.feedback_queue.queue_url
}

output "queue_policy" {
  description = "The queue's policy, JSON."
  value       = module.feedback_queue.queue_policy
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue: what the worker could not handle."
  value       = module.feedback_queue.dlq_arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.feedback_queue.dlq_url
}

output "subscription_arn" {
  description = "ARN of the queue's subscription to the topic."
  value       = module.feedback_queue.subscription_arn
}

output "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue: what SNS could not deliver."
  value       = module.feedback_queue.subscription_dlq_arn
}

output "subscription_dlq_url" {
  description = "URL of the subscription's dead-letter queue."
  value       = module.feedback_queue.subscription_dlq_url
}

output "subscription_dlq_policy" {
  description = "The policy of the subscription's dead-letter queue, JSON."
  value       = module.feedback_queue.subscription_dlq_policy
}

output "identity_names" {
  description = "The SES identities that publish to the topic."
  value       = module.feedback_queue.identity_names
}

output "configuration_set_names" {
  description = "The SES configuration sets that publish to the topic."
  value       = module.feedback_queue.configuration_set_names
}

output "domain_verification_tokens" {
  description = "For each domain created here, the value of its TXT record `_amazonses.<domain>`: SES sends for the domain once that stands in its DNS."
  value       = module.feedback_queue.domain_verification_tokens
}

output "consumer_policy_arn" {
  description = "ARN of the policy that lets the worker consume the queue."
  value       = module.queue_consumer.policy_arn
}

output "consumer_policy" {
  description = "The consumer's policy, JSON."
  value       = module.queue_consumer.policy_json
}

output "consumer_user_name" {
  description = "Name of the consumer's IAM user; null without one."
  value       = module.queue_consumer.user_name
}

output "consumer_user_arn" {
  description = "ARN of the consumer's IAM user; null without one."
  value       = module.queue_consumer.user_arn
}

output "consumer_access_key_id" {
  description = "ID of the consumer's access key; null without one."
  value       = module.queue_consumer.access_key_id
  sensitive   = true
}

output "consumer_encrypted_secret_access_key" {
  description = "Secret of the consumer's access key, encrypted for `access_key_pgp_key`, in base64; null without one."
  value       = module.queue_consumer.encrypted_secret_access_key
  sensitive   = true
}
