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

output "boundary_arn" {
  description = "ARN of the permissions boundary that the stack's roles and its user must have: `permissions_boundary`, or the policy that Terraform creates."
  value       = var.permissions_boundary == null ? one(aws_iam_policy.boundary[*].arn) : var.permissions_boundary
}

output "boundary_policy" {
  description = "The boundary that Terraform creates, in JSON; null with `permissions_boundary`."
  value       = one(aws_iam_policy.boundary[*].policy)
}
