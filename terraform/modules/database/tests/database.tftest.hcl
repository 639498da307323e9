# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "aws_security_group" {
    defaults = { id = "sg-database" }
  }
}

override_resource {
  target          = terraform_data.created
  override_during = plan
  values          = { output = "20261126091500" }
}

variables {
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b"]
  client_security_group_ids = { worker = "sg-worker" }
}

run "by_default" {
  command = plan

  # It is safe and small.
  assert {
    condition = (
      aws_db_instance.this.storage_encrypted
      && !aws_db_instance.this.publicly_accessible
      && aws_db_instance.this.deletion_protection
      && !aws_db_instance.this.skip_final_snapshot
      && aws_db_instance.this.final_snapshot_identifier == "sesbounce-final-20261126091500"
      && aws_db_instance.this.manage_master_user_password
      && aws_db_instance.this.password == null
      && aws_db_instance.this.backup_retention_period == 7
      && aws_db_instance.this.auto_minor_version_upgrade
      && aws_db_instance.this.apply_immediately
      && aws_db_instance.this.copy_tags_to_snapshot
    )
    error_message = "The database must be encrypted, unreachable from outside, backed up and hard to delete, its password RDS's own."
  }

  assert {
    condition = (
      aws_db_instance.this.engine == "postgres"
      && aws_db_instance.this.engine_version == "17"
      && aws_db_instance.this.instance_class == "db.t4g.micro"
      && aws_db_instance.this.storage_type == "gp3"
      && aws_db_instance.this.allocated_storage == 20
      && aws_db_instance.this.max_allocated_storage == 100
      && !aws_db_instance.this.multi_az
    )
    error_message = "It must be small."
  }

  # Only the worker connects.
  assert {
    condition = { for client, rule in aws_vpc_security_group_ingress_rule.this : client => "${rule.ip_protocol} ${rule.from_port} ${rule.to_port} ${rule.referenced_security_group_id}" } == {
      worker = "tcp 5432 5432 sg-worker"
    }
    error_message = "Only the worker's security group may connect."
  }

  assert {
    condition = (
      aws_security_group.this.vpc_id == "vpc-1"
      && aws_db_instance.this.vpc_security_group_ids == toset(["sg-database"])
      && aws_db_instance.this.db_subnet_group_name == aws_db_subnet_group.this.name
      && aws_db_subnet_group.this.subnet_ids == toset(["subnet-a", "subnet-b"])
    )
    error_message = "It must be in the given network."
  }

  # The worker has a user without a password; the master user, whose password RDS rotates, migrates.
  assert {
    condition = (
      output.url == "postgresql://sesbounce_worker@sesbounce.abc.eu-west-1.rds.amazonaws.com:5432/sesbounce?sslmode=verify-full&sslrootcert=rds"
      && output.reader_url == replace(output.url, "_worker@", "_reader@")
      && output.migration_url == replace(output.url, "_worker@", "@")
      && output.password_from == "rds-iam"
      && aws_db_instance.this.iam_database_authentication_enabled
    )
    error_message = "The URLs must name their users, demand RDS's certificate and hold no password."
  }

  assert {
    condition     = output.password_secret == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf:password::"
    error_message = "The password must be the one key of RDS's secret."
  }

  assert {
    condition = jsondecode(output.application_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid      = "ConnectToTheDatabase"
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABCDEFGHIJKL/sesbounce_worker"]
      }]
    } && jsondecode(output.reader_policy).Statement[0].Resource == ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABCDEFGHIJKL/sesbounce_reader"]
    error_message = "A role must be allowed one user of this one database."
  }
}

run "certificate" {
  command = plan

  variables {
    root_certificate = "/etc/ssl/rds.pem"
  }

  assert {
    condition     = endswith(output.url, "?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem")
    error_message = "With a certificate the worker must check who it talks to."
  }
}

run "any_certificate" {
  command = plan

  variables {
    name               = "sesbounce-prod"
    root_certificate   = "none"
    iam_authentication = false
  }

  assert {
    condition = (
      output.url == output.migration_url
      && output.password_from == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf"
      && jsondecode(output.application_policy).Statement[0].Action == ["secretsmanager:GetSecretValue"]
      && jsondecode(output.application_policy).Statement[0].Resource == [output.password_from]
      && output.reader_policy == null && output.reader_url == null
      && !aws_db_instance.this.iam_database_authentication_enabled
    )
    error_message = "Without IAM authentication, the worker must read the master user's password at each connection."
  }

  assert {
    condition     = endswith(output.url, "?sslmode=require") && output.application_user == "sesbounce_prod_worker" && output.reader_user == "sesbounce_prod_reader"
    error_message = "TLS must stay, and the users must be called after the stack."
  }
}

run "larger" {
  command = plan

  variables {
    name                      = "acme"
    engine_version            = "16.4"
    instance_class            = "db.m7g.large"
    allocated_storage_gib     = 200
    max_allocated_storage_gib = 1000
    multi_az                  = true
    backup_retention_days     = 35
    kms_key_arn               = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"

    snapshot_identifier        = "acme-final-20261126091500"
    auto_minor_version_upgrade = false
    apply_immediately          = false
  }

  assert {
    condition = (
      aws_db_instance.this.identifier == "acme" && output.identifier == "acme"
      && aws_db_instance.this.engine_version == "16.4"
      && aws_db_instance.this.instance_class == "db.m7g.large"
      && aws_db_instance.this.allocated_storage == 200
      && aws_db_instance.this.max_allocated_storage == 1000
      && aws_db_instance.this.multi_az
      && aws_db_instance.this.backup_retention_period == 35
      && aws_db_instance.this.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
      && aws_db_instance.this.snapshot_identifier == "acme-final-20261126091500"
      && !aws_db_instance.this.auto_minor_version_upgrade
      && !aws_db_instance.this.apply_immediately
    )
    error_message = "What is given must be taken."
  }
}

run "to_throw_away" {
  command = plan

  variables {
    deletion_protection = false
    final_snapshot      = false
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == null
    error_message = "It must go without a trace when asked."
  }
}

run "tags" {
  command = plan

  variables {
    tags = { Team = "mail" }
  }

  assert {
    condition = alltrue([for tags in concat(
      [aws_db_instance.this.tags, aws_db_subnet_group.this.tags, aws_security_group.this.tags],
      values(aws_vpc_security_group_ingress_rule.this)[*].tags,
    ) : tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}

# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

run "wrong_values" {
  command = plan

  variables {
    name                  = "Sesbounce"  # upper case
    subnet_ids            = ["subnet-a"] # RDS asks for two
    engine_version        = "14"         # too old
    instance_class        = "t4g.micro"  # EC2's name
    allocated_storage_gib = 10           # RDS has 20 at least
    backup_retention_days = 0            # no backup
    root_certificate      = "rds.pem"    # a relative path
  }

  expect_failures = [
    var.name,
    var.subnet_ids,
    var.engine_version,
    var.instance_class,
    var.allocated_storage_gib,
    var.backup_retention_days,
    var.root_certificate,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    name                      = "ses--bounce"              # two hyphens
    max_allocated_storage_gib = 20                         # no room to grow
    backup_retention_days     = 36                         # more than RDS keeps
    root_certificate          = "/rds.pem&sslmode=disable" # a parameter slipped in
  }

  expect_failures = [
    var.name,
    var.max_allocated_storage_gib,
    var.backup_retention_days,
    var.root_certificate,
  ]
}
