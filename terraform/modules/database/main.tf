locals {
  # The stack's name is part of the users' names, so that a permissions boundary can name them: what IAM
  # knows of an instance besides is a random id.
  users = {
    application = "${replace(var.name, "-", "_")}_worker"
    reader      = "${replace(var.name, "-", "_")}_reader"
  }

  tls = {
    "none" = "sslmode=require"
    "rds"  = "sslmode=verify-full&sslrootcert=rds" # the worker's own copy
  }
  url = format(
    "postgresql://%%s@%s:%d/%s?%s",
    aws_db_instance.this.address,
    aws_db_instance.this.port,
    aws_db_instance.this.db_name,
    lookup(local.tls, var.root_certificate, "sslmode=verify-full&sslrootcert=${var.root_certificate}"),
  )

  # partition, region and account
  here = regex("^arn:(?P<partition>[^:]+):rds:(?P<region>[^:]+):(?P<account_id>[^:]+):", aws_db_instance.this.arn)

  connect_policies = {
    for kind, user in local.users : kind => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "ConnectToTheDatabase"
          Effect   = "Allow"
          Action   = ["rds-db:connect"]
          Resource = ["arn:${local.here.partition}:rds-db:${local.here.region}:${local.here.account_id}:dbuser:${aws_db_instance.this.resource_id}/${user}"]
        },
      ]
    })
  }

  secret_arn = aws_db_instance.this.master_user_secret[0].secret_arn
  secret_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadThePassword"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [local.secret_arn]
      },
    ]
  })
}

# RDS keeps the final snapshot when the database is gone, and takes no second one of the same name.
resource "terraform_data" "created" {
  input = formatdate("YYYYMMDDhhmmss", timestamp())

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets of the database that stores the feedback of SES."
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "The database: the worker reaches it, it reaches nothing."
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = each.key
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = aws_db_instance.this.port
  to_port                      = aws_db_instance.this.port
  tags                         = var.tags
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_293: deletion protection is on by default; checkov can't read the default of an object's attribute.
  # checkov:skip=CKV_AWS_133: seven days of backups are the default and one day is the minimum; checkov can't read them, as above.
  # checkov:skip=CKV_AWS_157: a standby doubles the price; while the database is unavailable, messages wait in the queue. The variable multi_az turns it on.
  # checkov:skip=CKV_AWS_118: enhanced monitoring costs money and describes the host only; the alarms here watch the queue, which shows a slow database.
  # checkov:skip=CKV_AWS_129: PostgreSQL's log may quote rows that hold addresses, so RDS does not export it.
  # checkov:skip=CKV2_AWS_30: as above.
  # checkov:skip=CKV_AWS_161: IAM authentication is on by default; checkov can't read it, as above.
  # checkov:skip=CKV_AWS_226: minor upgrades are on by default; checkov can't read it, as above.
  # checkov:skip=CKV_AWS_353: the smallest instances have no Performance Insights.
  identifier = var.name

  engine                     = "postgres"
  engine_version             = var.engine_version
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  instance_class             = var.instance_class
  multi_az                   = var.multi_az

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage_gib
  max_allocated_storage = var.max_allocated_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_name                     = "sesbounce"
  username                    = "sesbounce"
  manage_master_user_password = true # RDS stores it in Secrets Manager; the state does not hold it

  iam_database_authentication_enabled = var.iam_authentication # of the users above, who have no password

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  port                   = 5432

  backup_retention_period   = var.backup_retention_days
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.final_snapshot
  final_snapshot_identifier = var.final_snapshot ? "${var.name}-final-${terraform_data.created.output}" : null
  snapshot_identifier       = var.snapshot_identifier

  apply_immediately = var.apply_immediately

  tags = var.tags

  lifecycle {
    # It names what the database is made from: another name, or none, must not replace the database.
    ignore_changes = [snapshot_identifier]
  }
}
