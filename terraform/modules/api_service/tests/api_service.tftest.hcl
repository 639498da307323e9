# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce"
  execution_role_arn = "arn:aws:iam::123456789012:role/sesbounce-execution"
  log_group_name     = "/ecs/sesbounce"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2"]
  environment        = { SESBOUNCE_DATABASE_URL = "postgresql://sesbounce@db.example/sesbounce", SESBOUNCE_SERVE_PORT = "1" }
  secrets            = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" }

  target_group_arn          = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4"
  client_security_group_ids = { load_balancer = "sg-balancer" }
}

run "behind_a_load_balancer" {
  command = plan

  assert {
    condition = (
      aws_ecs_service.this[0].name == "sesbounce-api"
      && aws_ecs_service.this[0].desired_count == 2
      && aws_ecs_service.this[0].launch_type == "FARGATE"
      && aws_ecs_service.this[0].deployment_circuit_breaker == tolist([{ enable = true, rollback = true }])
      && aws_ecs_service.this[0].deployment_minimum_healthy_percent == 100
    )
    error_message = "Two tasks must run, and a deployment that fails must be rolled back."
  }

  assert {
    condition = (
      [for each in aws_ecs_service.this[0].load_balancer : [each.target_group_arn, each.container_name, each.container_port]] == [[var.target_group_arn, "api", 8080]]
      && aws_ecs_service.this[0].health_check_grace_period_seconds == 60
      && length(aws_ecs_service.this[0].service_registries) == 0
    )
    error_message = "ECS must register the tasks in the target group."
  }

  assert {
    condition     = { for name, rule in aws_vpc_security_group_ingress_rule.this : name => [rule.referenced_security_group_id, rule.ip_protocol, rule.from_port, rule.to_port] } == { load_balancer = ["sg-balancer", "tcp", 8080, 8080] }
    error_message = "Only the load balancer may reach the server, and only its port."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.this) == ["443", "5432"] && length(aws_vpc_security_group_egress_rule.to_group) == 0
    error_message = "The server must reach AWS and a database, and nothing else."
  }

  assert {
    condition = (
      aws_ecs_service.this[0].network_configuration[0].assign_public_ip == false
      && length(output.security_group_ids) == 1
    )
    error_message = "No task must get a public address or another security group unasked."
  }
}

run "what_the_container_is_told" {
  command = plan

  assert {
    condition = { for variable in jsondecode(output.container_definitions)[0].environment : variable.name => variable.value } == {
      SESBOUNCE_DATABASE_URL     = "postgresql://sesbounce@db.example/sesbounce"
      SESBOUNCE_LOG_FORMAT       = "json"
      SESBOUNCE_SERVE_HOST       = "0.0.0.0"
      SESBOUNCE_SERVE_PORT       = "8080"
      SESBOUNCE_SHUTDOWN_SECONDS = "25"
    }
    error_message = "The server must listen where the load balancer asks it, whatever the settings say."
  }

  assert {
    condition = (
      jsondecode(output.container_definitions)[0].command == ["serve"]
      && jsondecode(output.container_definitions)[0].portMappings == [{ containerPort = 8080, hostPort = 8080, protocol = "tcp" }]
      && jsondecode(output.container_definitions)[0].secrets == [{ name = "SESBOUNCE_HASH_KEY", valueFrom = var.secrets["SESBOUNCE_HASH_KEY"] }]
      && jsondecode(output.container_definitions)[0].healthCheck.command == ["CMD", "sesbounce", "health", "--server"]
      && jsondecode(output.container_definitions)[0].stopTimeout == 35
    )
    error_message = "The image must serve, by the health check of the server, and have time to answer before it is killed."
  }

  assert {
    condition = (
      jsondecode(output.container_definitions)[0].user == "10001:10001"
      && jsondecode(output.container_definitions)[0].readonlyRootFilesystem
      && !jsondecode(output.container_definitions)[0].privileged
      && jsondecode(output.container_definitions)[0].linuxParameters.capabilities == { drop = ["ALL"] }
      && jsondecode(output.container_definitions)[0].linuxParameters.tmpfs == [{ containerPath = "/tmp", size = 64, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
    )
    error_message = "The container must be as confined as the worker's."
  }

  assert {
    condition = jsondecode(output.container_definitions)[0].logConfiguration.options == {
      awslogs-group         = "/ecs/sesbounce"
      awslogs-region        = "eu-west-1"
      awslogs-stream-prefix = "api"
      mode                  = "non-blocking"
      max-buffer-size       = "4m"
    }
    error_message = "The server must log to streams of its own."
  }

  # The role.
  assert {
    condition     = length(aws_iam_role_policy.task) == 0 && aws_iam_role.task.name == "sesbounce-api"
    error_message = "The server must have no right unasked."
  }

  assert {
    condition = jsondecode(output.trust_policy).Statement[0].Condition == {
      StringEquals = { "aws:SourceAccount" = "123456789012" }
      ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:eu-west-1:123456789012:*" }
    }
    error_message = "Only tasks of this account and region may assume the role."
  }
}

run "in_cloud_map" {
  command = plan

  variables {
    target_group_arn          = null
    cloud_map_service_arn     = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-utcrh6wavdkggqtk"
    client_security_group_ids = { shop = "sg-shop", crm = "sg-crm" }
    port                      = 9000
    tasks                     = 3
    egress_security_groups    = { database = { id = "sg-database", port = 5432 } }
    task_policies             = { database = jsonencode({ Version = "2012-10-17", Statement = [] }) }
    security_group_ids        = ["sg-own"]
    assign_public_ip          = true
  }

  assert {
    condition = (
      [for each in aws_ecs_service.this[0].service_registries : each.registry_arn] == [var.cloud_map_service_arn]
      && length(aws_ecs_service.this[0].load_balancer) == 0
      && aws_ecs_service.this[0].health_check_grace_period_seconds == null
      && aws_ecs_service.this[0].desired_count == 3
    )
    error_message = "ECS must register the tasks in Cloud Map."
  }

  assert {
    condition = (
      { for name, rule in aws_vpc_security_group_ingress_rule.this : name => [rule.referenced_security_group_id, rule.from_port] } == { crm = ["sg-crm", 9000], shop = ["sg-shop", 9000] }
      && jsondecode(output.container_definitions)[0].portMappings[0].containerPort == 9000
      && output.port == 9000
    )
    error_message = "The named programs may reach the port, and nobody else."
  }

  assert {
    condition = (
      keys(aws_vpc_security_group_egress_rule.this) == ["443"]
      && [for rule in aws_vpc_security_group_egress_rule.to_group : [rule.referenced_security_group_id, rule.from_port]] == [["sg-database", 5432]]
      && length(output.security_group_ids) == 2 && contains(output.security_group_ids, "sg-own")
      && aws_ecs_service.this[0].network_configuration[0].assign_public_ip
    )
    error_message = "Of the database, the server must reach its security group alone."
  }

  assert {
    condition     = keys(output.task_policies) == ["database"]
    error_message = "The server may connect to its database."
  }
}

run "without_an_image" {
  command = plan

  variables {
    image = null
  }

  assert {
    condition     = length(aws_ecs_task_definition.this) + length(aws_ecs_service.this) == 0 && output.service_name == null && aws_iam_role.task.name == "sesbounce-api"
    error_message = "Without an image, nothing can run; the rest must be there."
  }
}

run "without_a_database" {
  command = plan

  variables {
    environment = {}
  }

  expect_failures = [aws_ecs_task_definition.this]
}

run "neither_way" {
  command = plan

  variables {
    target_group_arn = null
  }

  expect_failures = [var.target_group_arn]
}

run "both_ways" {
  command = plan

  variables {
    cloud_map_service_arn = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-utcrh6wavdkggqtk"
  }

  expect_failures = [var.target_group_arn]
}

run "open_to_nobody" {
  command = plan

  variables {
    client_security_group_ids = {}
  }

  expect_failures = [var.client_security_group_ids]
}

run "what_is_no_arn" {
  command = plan

  variables {
    image                 = "sesbounce:latest"
    target_group_arn      = null
    cloud_map_service_arn = "srv-utcrh6wavdkggqtk"
    port                  = 80
    tasks                 = 0
    secrets               = { SESBOUNCE_HASH_KEY = "the key itself" }
    serve_secret_arn      = "the secret itself"
  }

  expect_failures = [var.image, var.cloud_map_service_arn, var.port, var.tasks, var.secrets, var.serve_secret_arn]
}

run "a_console_whose_tasks_share_no_secret" {
  command = plan

  variables {
    console = true
  }

  expect_failures = [var.serve_secret_arn]
}

run "a_secret_in_plain_sight" {
  command = plan

  variables {
    environment = { SESBOUNCE_DATABASE_URL = "postgresql://sesbounce:secret@db.example/sesbounce" }
  }

  expect_failures = [var.environment]
}
