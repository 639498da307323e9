output "queue_url" {
  description = "URL of the queue."
  value       = module.feedback_queue.queue_url
}

output "dlq_url" {
  description = "URL of the dead-letter queue, which receives the messages that the function could not handle."
  value       = module.feedback_queue.dlq_url
}
