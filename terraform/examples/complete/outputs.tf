output "repository_url" {
  description = "URL of the ECR repository for the worker's image."
  value       = module.worker_service.repository_url
}

output "domain_verification_tokens" {
  description = "Values of the TXT records `_amazonses.<domain>` of the domains that Terraform creates."
  value       = module.feedback_queue.domain_verification_tokens
}
