output "role_arn" {
  description = "ARN of the role, for the input `role-to-assume` of the action aws-actions/configure-aws-credentials."
  value       = aws_iam_role.this.arn
}

output "trust_policy" {
  description = "Trust policy of the role, in JSON."
  value       = aws_iam_role.this.assume_role_policy
}

output "policies" {
  description = "Policies of the role, in JSON, by part of the stack."
  value       = { for part, policy in aws_iam_policy.this : part => policy.policy }
}
