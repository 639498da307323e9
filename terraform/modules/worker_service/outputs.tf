output "repository_url" {
  description = "URL of the ECR repository for the image; null without a repository."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "image" {
  description = "Image that the service runs, by digest; null without a service."
  value       = one([for task in aws_ecs_task_definition.this : jsondecode(task.container_definitions)[0].image])
}

output "container_definitions" {
  description = "Container definitions of the task, in JSON, the worker's first; null without an image."
  value       = one(aws_ecs_task_definition.this[*].container_definitions)
}

output "platform" {
  description = "Platform that the image must be built for, for example `linux/arm64`."
  value       = var.cpu_architecture == "ARM64" ? "linux/arm64" : "linux/amd64"
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = local.cluster_name
}

output "cluster_arn" {
  description = "ARN of the ECS cluster."
  value       = local.cluster_arn
}

output "service_name" {
  description = "Name of the ECS service; null without an image."
  value       = one(aws_ecs_service.this[*].name)
}

output "schedule_arn" {
  description = "ARN of the schedule that starts the worker; null without one."
  value       = one(aws_scheduler_schedule.this[*].arn)
}

output "schedule_policy" {
  description = "Policy of the role with which EventBridge Scheduler starts the worker, in JSON; null without a schedule."
  value       = one(aws_iam_role_policy.schedule[*].policy)
}

output "schedule_trust_policy" {
  description = "Trust policy of that role, in JSON; null without a schedule."
  value       = one(aws_iam_role.schedule[*].assume_role_policy)
}

output "run_interval_seconds" {
  description = "Number of seconds between two runs of the schedule, a day for a `cron(…)`; null without a schedule."
  value       = var.schedule == null ? null : local.run_interval_seconds
}

output "task_definition_arn" {
  description = "ARN of the task definition; null without an image."
  value       = one(aws_ecs_task_definition.this[*].arn)
}

output "task_role_arn" {
  description = "ARN of the worker's role."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "ARN of the role with which ECS starts the worker."
  value       = aws_iam_role.execution.arn

  # What starts with the role needs its rights as well.
  depends_on = [aws_iam_role_policy.execution]
}

output "trust_policy" {
  description = "Trust policy of both roles, in JSON."
  value       = aws_iam_role.task.assume_role_policy
}

output "execution_policy" {
  description = "Policy of the execution role, in JSON."
  value       = aws_iam_role_policy.execution.policy
}

output "task_policies" {
  description = "Further policies of the worker's role, in JSON, by name."
  value       = { for name, policy in aws_iam_role_policy.task : name => policy.policy }
}

output "log_group_name" {
  description = "Name of the worker's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_kms_key_statement" {
  description = "Statement that the policy of your own KMS key for the log must contain, in JSON."
  value = jsonencode({
    Sid       = "CloudWatchEncryptsTheLog"
    Effect    = "Allow"
    Principal = { Service = "logs.${local.here.region}.${startswith(local.here.region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com"}" }
    Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    Resource  = "*" # in a key's policy, "*" means this key
    Condition = {
      ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = local.log_group_arn }
    }
  })
}

output "vpc_id" {
  description = "ID of the VPC in which the worker runs."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "IDs of the subnets in which the worker runs."
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "ID of the worker's security group; the database must let it connect."
  value       = aws_security_group.this.id
}

output "security_group_ids" {
  description = "IDs of the security groups of each task: that one, and your own."
  value       = local.security_group_ids
}
