# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  image            = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  queue_arn        = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
  queue_url        = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
  task_policy_arns = {}
  environment      = { SESBOUNCE_DATABASE_URL = "postgresql://db.example/sesbounce" }
}

run "wrong_values" {
  command = plan

  variables {
    name                 = "Sesbounce"
    image                = "registry.example/sesbounce:latest"
    create_repository    = false
    repository_arn       = "registry.example/sesbounce"
    queue_arn            = "arn:aws:sqs:eu-west-1:123456789012:*"
    environment          = { "SESBOUNCE-EMF" = "true" }
    secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/secrets"]
    cluster_arn          = "shared"
    vpc_id               = "vpc-own" # without subnets
    egress_tcp_ports     = [5432]    # no way to SQS
    cpu_architecture     = "arm64"
    cpu_units            = 300
    processes            = 0
    shutdown_seconds     = 4
    on_demand_base       = -1
    min_tasks            = -1
    backlog_per_task     = 0
    log_retention_days   = 31
    log_kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:alias/logs"
    security_group_ids   = ["default"]
  }

  expect_failures = [
    var.name,
    var.image,
    var.repository_arn,
    var.queue_arn,
    var.environment,
    var.secrets_kms_key_arns,
    var.cluster_arn,
    var.vpc_id,
    var.egress_tcp_ports,
    var.cpu_architecture,
    var.cpu_units,
    var.processes,
    var.shutdown_seconds,
    var.on_demand_base,
    var.min_tasks,
    var.backlog_per_task,
    var.log_retention_days,
    var.log_kms_key_arn,
    var.security_group_ids,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    name             = join("", [for _ in range(55) : "n"])
    image            = "registry.example/sesbounce@sha256:0123"                  # too short
    repository_arn   = "arn:aws:ecr:eu-west-1:123456789012:repository/sesbounce" # and one to make
    environment      = { SESBOUNCE_DATABASE_PASSWORD = "secret" }
    vpc_id           = "vpc-own"
    subnet_ids       = []
    egress_tcp_ports = [443, 65536]
    cpu_units        = 1024
    memory_mib       = 1024 # too little for that
    schedule         = "every 15 minutes"
    shutdown_seconds = 111 # longer than Fargate waits
    min_tasks        = 0
    max_tasks        = 0
    path             = "mail/"

    security_group_ids = [for number in range(5) : "sg-${number}"] # with the stack's, more than an interface has
  }

  expect_failures = [
    var.name,
    var.image,
    var.repository_arn,
    var.environment,
    var.subnet_ids,
    var.egress_tcp_ports,
    var.memory_mib,
    var.schedule,
    var.shutdown_seconds,
    var.max_tasks,
    var.path,
    var.security_group_ids,
  ]
}

run "url_with_a_password" {
  command = plan

  variables {
    environment = { SESBOUNCE_DATABASE_URL = "postgresql://sesbounce:secret@db.example/sesbounce" }
    memory_mib  = 4096 # too much for 256 units
    min_tasks   = 2
    max_tasks   = 1

    egress_cidr_ipv4 = { 5432 = "10.0.0.1", 3306 = "10.0.0.0/16" } # no range; no port of egress_tcp_ports
  }

  expect_failures = [var.environment, var.memory_mib, var.max_tasks, var.egress_cidr_ipv4]
}

run "secret_itself" {
  command = plan

  variables {
    secrets = { SESBOUNCE_HASH_KEY = "0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.secrets]
}

run "secret_with_wildcard" {
  command = plan

  variables {
    secrets = { SESBOUNCE_HASH_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*" }
  }

  expect_failures = [var.secrets]
}

run "parameter_with_wildcard" {
  command = plan

  variables {
    secrets = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/*" }
  }

  expect_failures = [var.secrets]
}

run "secret_given_twice" {
  command = plan

  variables {
    secrets    = { SESBOUNCE_DATABASE_URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf" }
    cpu_units  = 1024
    memory_mib = 2500 # no whole GiB
  }

  expect_failures = [var.secrets, var.memory_mib]
}

run "webhook_secret_in_the_environment" {
  command = plan

  variables {
    environment = { SESBOUNCE_WEBHOOK_SECRET = "secret" }
    webhooks    = { crm = { url = "http://crm.example" } }
    cpu_units   = 4096
    memory_mib  = 31744 # more than Fargate has
  }

  expect_failures = [var.environment, var.webhooks, var.memory_mib]
}

run "hash_key_in_the_environment" {
  command = plan

  variables {
    environment = { SESBOUNCE_HASH_KEY = "secret" }
    webhooks    = { crm = { url = "https://crm.example" } } # without secrets
  }

  expect_failures = [var.environment, var.webhook_secrets_arn]
}

run "aws_key_in_the_environment" {
  command = plan

  variables {
    environment = { AWS_SECRET_ACCESS_KEY = "secret" }
  }

  expect_failures = [var.environment]
}

run "no_database" {
  command = plan

  variables {
    environment = {}
  }

  expect_failures = [aws_ecs_task_definition.this]
}
