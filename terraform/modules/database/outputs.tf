output "url" {
  description = "Value of the worker's `SESBOUNCE_DATABASE_URL`, with the application user, or without IAM authentication with the master user. The URL holds no password."
  value       = format(local.url, var.iam_authentication ? local.users.application : aws_db_instance.this.username)
}

output "password_from" {
  description = "Value of the worker's `SESBOUNCE_DATABASE_PASSWORD_FROM`: `rds-iam`, or without IAM authentication the ARN of the master user's secret."
  value       = var.iam_authentication ? "rds-iam" : local.secret_arn
}

output "migration_url" {
  description = "Value of `SESBOUNCE_DATABASE_URL` for `sesbounce db upgrade`, with the master user, which owns the tables. The URL holds no password."
  value       = format(local.url, aws_db_instance.this.username)
}

output "reader_url" {
  description = "URL of the database with the user who may only read. That user has no password: a token of RDS IAM authentication stands for it. Null without IAM authentication."
  value       = var.iam_authentication ? format(local.url, local.users.reader) : null
}

output "password_secret" {
  description = "Reference to the master user's password for a task definition: the key `password` of the secret that RDS manages."
  value       = "${local.secret_arn}:password::"
}

output "application_user" {
  description = "Name of the worker's user. `sesbounce db upgrade --application-user` creates the user."
  value       = local.users.application
}

output "reader_user" {
  description = "Name of the user who may only read. `sesbounce db upgrade --read-only-user` creates the user."
  value       = local.users.reader
}

output "application_policy" {
  description = "Policy that the worker's role needs to connect, in JSON."
  value       = var.iam_authentication ? local.connect_policies.application : local.secret_policy
}

output "reader_policy" {
  description = "Policy with which a role may connect as the user who may only read, in JSON; null without IAM authentication."
  value       = var.iam_authentication ? local.connect_policies.reader : null
}

output "port" {
  description = "TCP port of the database."
  value       = aws_db_instance.this.port
}

output "identifier" {
  description = "Name of the database instance."
  value       = aws_db_instance.this.identifier
}

output "security_group_id" {
  description = "ID of the database's security group."
  value       = aws_security_group.this.id
}
