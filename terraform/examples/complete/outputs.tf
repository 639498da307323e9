output "repository_url" {
  description = "Where to push the image."
  value       = module.worker_service.repository_url
}

output "domain_verification_tokens" {
  description = "TXT records of the domains that were made here."
  value       = module.feedback_queue.domain_verification_tokens
}
