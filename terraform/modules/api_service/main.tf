locals {
  here = {
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.id
    account_id = data.aws_caller_identity.current.account_id
  }

  name = "${var.name}-api"

  # Without an image, nothing runs.
  services = var.image == null ? 0 : 1

  environment = merge(
    {
      SESBOUNCE_LOG_FORMAT       = "json"
      SESBOUNCE_SHUTDOWN_SECONDS = tostring(var.shutdown_seconds)
    },
    var.environment,
    # As the security group and what registers the tasks know it.
    {
      SESBOUNCE_SERVE_HOST = "0.0.0.0"
      SESBOUNCE_SERVE_PORT = tostring(var.port)
    },
    var.console ? { SESBOUNCE_SERVE_CONSOLE = "true" } : {},
  )

  secrets = merge(var.secrets, var.serve_secret_arn == null ? {} : { SESBOUNCE_SERVE_SECRET = var.serve_secret_arn })

  # It asks for /healthz, which is red while the database does not answer. New tasks could not start then, and
  # ECS would start them more and more slowly: so a restart of the database must not stop the tasks that run.
  health_check = {
    command     = ["CMD", "sesbounce", "health", "--server"]
    interval    = 30
    timeout     = 10
    retries     = 10
    startPeriod = 60
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

resource "aws_ecs_task_definition" "this" {
  count = local.services

  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu_units
  memory                   = var.memory_mib
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([
    {
      name                   = "api"
      image                  = var.image
      command                = ["serve"]
      essential              = true
      user                   = "10001:10001" # with a group: without one, the container would run in root's group
      privileged             = false
      readonlyRootFilesystem = true

      linuxParameters = {
        capabilities = { drop = ["ALL"] }
        # The only writable directory: in memory, and without executable files.
        tmpfs = [{ containerPath = "/tmp", size = 64, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
      }

      portMappings = [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }]
      environment  = [for name, value in local.environment : { name = name, value = value }]
      secrets      = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
      healthCheck  = local.health_check

      # ECS sends SIGKILL only after the server's own time limit.
      stopTimeout = var.shutdown_seconds + 10

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = var.log_group_name
          awslogs-region        = local.here.region
          awslogs-stream-prefix = "api"
          mode                  = "non-blocking" # the server must not stop when CloudWatch does not accept its log
          max-buffer-size       = "4m"
        }
      }

      # AWS returns these defaults: without them, each plan would show a change.
      mountPoints    = []
      systemControls = []
      volumesFrom    = []
    },
  ])

  lifecycle {
    precondition {
      condition     = contains(keys(local.environment), "SESBOUNCE_DATABASE_URL") || contains(keys(var.secrets), "SESBOUNCE_DATABASE_URL")
      error_message = "The server needs the worker's database: set SESBOUNCE_DATABASE_URL in environment (without a password) or in secrets."
    }
  }
}

resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_333: the default VPC has public subnets only; a public address is cheaper than a NAT gateway, and the security group lets only the named groups connect. Tasks in your own subnets get none.
  count = local.services

  name            = local.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this[0].arn
  launch_type     = "FARGATE"
  desired_count   = var.tasks
  propagate_tags  = "SERVICE"
  tags            = var.tags

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  # When a zone has failed and works again, ECS spreads the tasks over the zones: it starts a task before it
  # stops one.
  availability_zone_rebalancing = "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  health_check_grace_period_seconds = var.target_group_arn == null ? null : 60

  dynamic "load_balancer" {
    for_each = var.target_group_arn[*]

    content {
      target_group_arn = load_balancer.value
      container_name   = "api"
      container_port   = var.port
    }
  }

  dynamic "service_registries" {
    for_each = var.cloud_map_service_arn[*]

    content {
      registry_arn = service_registries.value
    }
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = local.security_group_ids
    assign_public_ip = var.assign_public_ip
  }

  # A task that starts before it has its rights fails, and the deployment with it.
  depends_on = [
    aws_iam_role_policy.task,
    aws_vpc_security_group_egress_rule.this,
    aws_vpc_security_group_egress_rule.to_group,
    aws_vpc_security_group_ingress_rule.this,
  ]
}
