output "role_arn" {
  description = "ARN of the role, for `role-to-assume` of aws-actions/configure-aws-credentials."
  value       = aws_iam_role.this.arn
}

output "trust_policy" {
  description = "Who may take the role, JSON."
  value       = aws_iam_role.this.assume_role_policy
}

output "policies" {
  description = "What the role may do, JSON, by part of the stack."
  value       = { for part, policy in aws_iam_policy.this : part => policy.policy }
}
