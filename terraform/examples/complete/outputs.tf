output "repository_url" {
  description = "URL of the ECR repository for the worker's image."
  value       = module.worker_service.repository_url
}

output "dns_records" {
  description = "DNS records of the domains that Terraform creates in SES."
  value       = module.feedback_queue.dns_records
}
