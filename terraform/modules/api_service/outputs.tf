output "service_name" {
  description = "Name of the ECS service; null without an image."
  value       = one(aws_ecs_service.this[*].name)
}

output "task_definition_arn" {
  description = "ARN of the task definition; null without an image."
  value       = one(aws_ecs_task_definition.this[*].arn)
}

output "container_definitions" {
  description = "Container definitions of the task, in JSON; null without an image."
  value       = one(aws_ecs_task_definition.this[*].container_definitions)
}

output "task_role_arn" {
  description = "ARN of the server's role."
  value       = aws_iam_role.task.arn
}

output "trust_policy" {
  description = "Trust policy of that role, in JSON."
  value       = aws_iam_role.task.assume_role_policy
}

output "task_policies" {
  description = "Policies of that role, in JSON, by name."
  value       = { for name, policy in aws_iam_role_policy.task : name => policy.policy }
}

output "security_group_id" {
  description = "ID of the server's security group; the database must let it connect."
  value       = aws_security_group.this.id
}

output "security_group_ids" {
  description = "IDs of the security groups of each task: that one, and your own."
  value       = local.security_group_ids
}

output "port" {
  description = "TCP port that the server listens on."
  value       = var.port
}
