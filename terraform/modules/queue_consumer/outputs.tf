output "policy_arn" {
  description = "ARN of the policy; attach it to the worker's role."
  value       = aws_iam_policy.this.arn
}

output "policy_json" {
  description = "The policy, in JSON."
  value       = aws_iam_policy.this.policy
}

output "operator_policy" {
  description = "Policy for a person's role, in JSON, who handles dead letters with `sesbounce dlq`: rights on the dead-letter queues, and to send to the queue; null without `dlq_arns`."
  value       = length(var.dlq_arns) == 0 ? null : jsonencode({ Version = "2012-10-17", Statement = local.of_person.operator })
}

output "viewer_policy" {
  description = "Policy for a person's role, in JSON, who looks at dead letters (`sesbounce dlq list`, `show`), and may neither delete nor send any; null without `dlq_arns`."
  value       = length(var.dlq_arns) == 0 ? null : jsonencode({ Version = "2012-10-17", Statement = local.of_person.viewer })
}

output "doctor_policy" {
  description = "Policy for a person's role, in JSON, who runs `sesbounce doctor`: it allows to look at the queues, the topics, the key, their metrics and SES."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.doctor })
}

output "user_name" {
  description = "Name of the user; null without one."
  value       = one(aws_iam_user.this[*].name)
}

output "user_arn" {
  description = "ARN of the user; null without one."
  value       = one(aws_iam_user.this[*].arn)
}

output "access_key_id" {
  description = "ID of the user's access key; null without one."
  value       = one(aws_iam_access_key.this[*].id)
  sensitive   = true
}

output "secret_access_key" {
  description = "Secret of the access key, in plain text; null without `secret_in_state`."
  value       = one(aws_iam_access_key.this[*].secret)
  sensitive   = true
}

output "encrypted_secret_access_key" {
  description = "Secret of the access key, encrypted with `access_key_pgp_key`, in base64; null without one."
  value       = one(aws_iam_access_key.this[*].encrypted_secret)
  sensitive   = true
}
