output "function_name" {
  description = "Name of the function; null without a package."
  value       = one(aws_lambda_function.this[*].function_name)
}

output "function_arn" {
  description = "ARN of the function; null without a package."
  value       = one(aws_lambda_function.this[*].arn)
}

output "event_source_mapping_id" {
  description = "ID of the event source mapping, which gives the function the messages; null without a package."
  value       = one(aws_lambda_event_source_mapping.this[*].id)
}

output "architecture" {
  description = "Architecture that the package must be built for: `arm64` or `x86_64`."
  value       = var.architecture
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "trust_policy" {
  description = "Trust policy of that role, in JSON."
  value       = aws_iam_role.function.assume_role_policy
}

output "function_policy" {
  description = "Policy of that role beside those in `policy_arns`, in JSON."
  value       = aws_iam_role_policy.function.policy
}

output "policies" {
  description = "Further policies of that role, in JSON, by name."
  value       = { for name, policy in aws_iam_role_policy.further : name => policy.policy }
}

output "sweep_arn" {
  description = "ARN of the schedule that sweeps; null without a package."
  value       = one(aws_scheduler_schedule.sweep[*].arn)
}

output "sweep_interval_seconds" {
  description = "Number of seconds between two sweeps, a day for a `cron(…)`."
  value       = local.sweep_interval_seconds
}

output "sweep_policy" {
  description = "Policy of the role with which EventBridge Scheduler calls the function, in JSON."
  value       = aws_iam_role_policy.sweep.policy
}

output "sweep_trust_policy" {
  description = "Trust policy of that role, in JSON."
  value       = aws_iam_role.sweep.assume_role_policy
}

output "log_group_name" {
  description = "Name of the function's log group."
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

output "security_group_id" {
  description = "ID of the function's security group, which the database must let connect; null outside a VPC."
  value       = one(aws_security_group.this[*].id)
}

output "environment" {
  description = "Environment variables of the function: its settings, and the ARNs of its secrets."
  value       = local.environment
}

output "timeout_seconds" {
  description = "Number of seconds after which Lambda ends an invocation."
  value       = var.timeout_seconds
}
