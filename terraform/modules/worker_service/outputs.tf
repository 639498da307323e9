output "repository_url" {
  description = "Where to push the image; null without a repository."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "image" {
  description = "The image that runs, by digest; null without a service."
  value       = one([for task in aws_ecs_task_definition.this : jsondecode(task.container_definitions)[0].image])
}

output "container_definitions" {
  description = "The worker's container as ECS runs it, JSON; null without an image."
  value       = one(aws_ecs_task_definition.this[*].container_definitions)
}

output "platform" {
  description = "What the image has to be built for, e.g. `linux/arm64`."
  value       = var.cpu_architecture == "ARM64" ? "linux/arm64" : "linux/amd64"
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = local.cluster_name
}

output "service_name" {
  description = "Name of the ECS service; null without an image."
  value       = one(aws_ecs_service.this[*].name)
}

output "task_definition_arn" {
  description = "ARN of the task definition; null without an image."
  value       = one(aws_ecs_task_definition.this[*].arn)
}

output "task_role_arn" {
  description = "ARN of the role that the worker has."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts the worker with."
  value       = aws_iam_role.execution.arn
}

output "trust_policy" {
  description = "Who may take the two roles, JSON."
  value       = aws_iam_role.task.assume_role_policy
}

output "execution_policy" {
  description = "What the execution role may do, JSON."
  value       = aws_iam_role_policy.execution.policy
}

output "log_group_name" {
  description = "Name of the log group that the worker writes to."
  value       = aws_cloudwatch_log_group.this.name
}

output "vpc_id" {
  description = "VPC that the worker runs in."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Subnets that the worker runs in."
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "Security group of the worker, for a database to let in."
  value       = aws_security_group.this.id
}
