output "queue_url" {
  description = "URL of the queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = module.feedback_queue.queue_url
}

output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = module.feedback_queue.topic_arn
}
