output "queue_url" {
  description = "URL of the queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = module.feedback_queue.queue_url
}

output "queue_arn" {
  description = "ARN of the queue."
  value       = module.feedback_queue.queue_arn
}

output "topic_arn" {
  description = "ARN of the topic, for the worker's `SESBOUNCE_TOPIC_ARNS`."
  value       = module.feedback_queue.topic_arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue, which receives the messages that the worker could not handle."
  value       = module.feedback_queue.dlq_url
}

output "user_name" {
  description = "Name of the user."
  value       = module.queue_consumer.user_name
}

output "user_policy" {
  description = "Policy of the user, in JSON."
  value       = module.queue_consumer.policy_json
}

output "access_key_file" {
  description = "Access key of the user, as AWS's tools read it from the file that AWS_SHARED_CREDENTIALS_FILE names; null with a PGP key."
  sensitive   = true
  value       = module.queue_consumer.secret_access_key == null ? null : <<-EOT
    [default]
    aws_access_key_id = ${module.queue_consumer.access_key_id}
    aws_secret_access_key = ${module.queue_consumer.secret_access_key}
  EOT
}

output "access_key_id" {
  description = "ID of the access key."
  value       = module.queue_consumer.access_key_id
  sensitive   = true
}

output "encrypted_secret_access_key" {
  description = "Secret of the access key, encrypted with the PGP key, in base64; null without one."
  value       = module.queue_consumer.encrypted_secret_access_key
  sensitive   = true
}
