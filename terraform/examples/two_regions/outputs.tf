output "queue_url" {
  description = "URL of the queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = module.feedback_queue.queue_url
}

output "topic_arns" {
  description = "ARNs of both topics, for the worker's `SESBOUNCE_TOPIC_ARNS`."
  value       = concat([module.feedback_queue.topic_arn], module.feedback_queue.extra_topic_arns)
}

output "other_dlq_url" {
  description = "URL of the dead-letter queue of the other region, which receives the messages that SNS could not deliver from there."
  value       = module.other_topic.subscription_dlq_url
}

output "consumer_policy_arn" {
  description = "ARN of the policy that lets the worker consume the queue."
  value       = module.queue_consumer.policy_arn
}
