output "url" {
  description = "Value of the worker's `SESBOUNCE_DATABASE_URL`. The URL requires TLS and holds no password."
  value = format(
    "postgresql://%s@%s:%d/%s?%s",
    aws_db_instance.this.username,
    aws_db_instance.this.address,
    aws_db_instance.this.port,
    aws_db_instance.this.db_name,
    var.root_certificate == null ? "sslmode=require" : "sslmode=verify-full&sslrootcert=${var.root_certificate}",
  )
}

output "password_secret" {
  description = "Reference to the password for a task definition: the key `password` of the secret that RDS manages."
  value       = "${aws_db_instance.this.master_user_secret[0].secret_arn}:password::"
}

output "identifier" {
  description = "Name of the database instance."
  value       = aws_db_instance.this.identifier
}

output "security_group_id" {
  description = "ID of the database's security group."
  value       = aws_security_group.this.id
}
