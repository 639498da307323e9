output "queue_url" {
  description = "URL of the queue, as the worker takes it."
  value       = module.feedback_queue.queue_url
}

output "topic_arn" {
  description = "ARN of the topic that SES publishes to."
  value       = module.feedback_queue.topic_arn
}
