output "url" {
  description = "`SESBOUNCE_DATABASE_URL` of the worker: it demands TLS, and holds no password."
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
  description = "Where the password is, as a task definition names it: the key `password` of the secret that RDS keeps."
  value       = "${aws_db_instance.this.master_user_secret[0].secret_arn}:password::"
}

output "identifier" {
  description = "Name of the database instance."
  value       = aws_db_instance.this.identifier
}

output "security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.this.id
}
