# What is refused before anything is planned.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce" }
  }
}

variables {
  image            = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  queue_arn        = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
  queue_url        = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
  task_policy_arns = {}
  environment      = { SESBOUNCE_DATABASE_URL = "postgresql://db.example/sesbounce" }
}

run "upper_case_name" {
  command = plan

  variables {
    name = "Sesbounce"
  }

  expect_failures = [var.name]
}

run "long_name" {
  command = plan

  variables {
    name = join("", [for _ in range(55) : "n"])
  }

  expect_failures = [var.name]
}

run "image_by_tag" {
  command = plan

  variables {
    image = "registry.example/sesbounce:latest"
  }

  expect_failures = [var.image]
}

run "image_with_short_digest" {
  command = plan

  variables {
    image = "registry.example/sesbounce@sha256:0123"
  }

  expect_failures = [var.image]
}

run "repository_not_arn" {
  command = plan

  variables {
    create_repository = false
    repository_arn    = "registry.example/sesbounce"
  }

  expect_failures = [var.repository_arn]
}

run "repository_twice" {
  command = plan

  variables {
    repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/sesbounce"
  }

  expect_failures = [var.repository_arn]
}

run "queue_with_wildcard" {
  command = plan

  variables {
    queue_arn = "arn:aws:sqs:eu-west-1:123456789012:*"
  }

  expect_failures = [var.queue_arn]
}

run "password_in_environment" {
  command = plan

  variables {
    environment = { SESBOUNCE_DATABASE_PASSWORD = "secret" }
  }

  expect_failures = [var.environment]
}

run "webhook_secret_in_environment" {
  command = plan

  variables {
    environment = { SESBOUNCE_WEBHOOK_SECRET = "secret" }
  }

  expect_failures = [var.environment]
}

run "hash_key_in_environment" {
  command = plan

  variables {
    environment = { SESBOUNCE_HASH_KEY = "secret" }
  }

  expect_failures = [var.environment]
}

run "aws_key_in_environment" {
  command = plan

  variables {
    environment = { AWS_SECRET_ACCESS_KEY = "secret" }
  }

  expect_failures = [var.environment]
}

run "url_with_password" {
  command = plan

  variables {
    environment = { SESBOUNCE_DATABASE_URL = "postgresql://sesbounce:secret@db.example/sesbounce" }
  }

  expect_failures = [var.environment]
}

run "no_environment_variable" {
  command = plan

  variables {
    environment = { "SESBOUNCE-EMF" = "true" }
  }

  expect_failures = [var.environment]
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

run "secret_and_not" {
  command = plan

  variables {
    secrets = { SESBOUNCE_DATABASE_URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf" }
  }

  expect_failures = [var.secrets]
}

run "key_by_alias" {
  command = plan

  variables {
    secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/secrets"]
  }

  expect_failures = [var.secrets_kms_key_arns]
}

run "cluster_by_name" {
  command = plan

  variables {
    cluster_arn = "shared"
  }

  expect_failures = [var.cluster_arn]
}

run "vpc_without_subnets" {
  command = plan

  variables {
    vpc_id = "vpc-own"
  }

  expect_failures = [var.vpc_id]
}

run "no_subnet" {
  command = plan

  variables {
    vpc_id     = "vpc-own"
    subnet_ids = []
  }

  expect_failures = [var.subnet_ids]
}

run "no_way_to_sqs" {
  command = plan

  variables {
    egress_tcp_ports = [5432]
  }

  expect_failures = [var.egress_tcp_ports]
}

run "no_port" {
  command = plan

  variables {
    egress_tcp_ports = [443, 65536]
  }

  expect_failures = [var.egress_tcp_ports]
}

run "other_architecture" {
  command = plan

  variables {
    cpu_architecture = "arm64"
  }

  expect_failures = [var.cpu_architecture]
}

run "odd_cpu" {
  command = plan

  variables {
    cpu_units = 300
  }

  expect_failures = [var.cpu_units]
}

run "too_little_memory" {
  command = plan

  variables {
    cpu_units  = 1024
    memory_mib = 1024
  }

  expect_failures = [var.memory_mib]
}

run "too_much_memory" {
  command = plan

  variables {
    memory_mib = 4096
  }

  expect_failures = [var.memory_mib]
}

run "odd_memory" {
  command = plan

  variables {
    cpu_units  = 1024
    memory_mib = 2500
  }

  expect_failures = [var.memory_mib]
}

run "more_memory_than_there_is" {
  command = plan

  variables {
    cpu_units  = 4096
    memory_mib = 31744
  }

  expect_failures = [var.memory_mib]
}

run "no_process" {
  command = plan

  variables {
    processes = 0
  }

  expect_failures = [var.processes]
}

run "longer_than_fargate_waits" {
  command = plan

  variables {
    shutdown_seconds = 111
  }

  expect_failures = [var.shutdown_seconds]
}

run "no_time_to_shut_down" {
  command = plan

  variables {
    shutdown_seconds = 4
  }

  expect_failures = [var.shutdown_seconds]
}

run "negative_base" {
  command = plan

  variables {
    on_demand_base = -1
  }

  expect_failures = [var.on_demand_base]
}

run "negative_tasks" {
  command = plan

  variables {
    min_tasks = -1
  }

  expect_failures = [var.min_tasks]
}

run "no_task_at_all" {
  command = plan

  variables {
    min_tasks = 0
    max_tasks = 0
  }

  expect_failures = [var.max_tasks]
}

run "fewer_than_the_fewest" {
  command = plan

  variables {
    min_tasks = 2
    max_tasks = 1
  }

  expect_failures = [var.max_tasks]
}

run "no_backlog" {
  command = plan

  variables {
    backlog_per_task = 0
  }

  expect_failures = [var.backlog_per_task]
}

run "odd_retention" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "no_database" {
  command = plan

  variables {
    environment = {}
  }

  expect_failures = [aws_ecs_service.this]
}
