locals {
  here = {
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.id
    account_id = data.aws_caller_identity.current.account_id
  }

  # Composed from names, so that the first plan shows the policies.
  log_group_arn = "arn:${local.here.partition}:logs:${local.here.region}:${local.here.account_id}:log-group:/ecs/${var.name}"

  # Without an image, nothing runs.
  tasks    = var.image == null ? 0 : 1
  services = var.schedule == null ? local.tasks : 0

  use_spot = coalesce(var.use_spot, var.schedule != null)

  ecs          = "arn:${local.here.partition}:ecs:${local.here.region}:${local.here.account_id}"
  cluster_name = element(split("/", local.cluster_arn), 1)
  cluster_arn  = var.cluster_arn == null ? one(aws_ecs_cluster.this[*].arn) : var.cluster_arn

  environment = merge(
    {
      SESBOUNCE_QUEUE_URL        = var.queue_url
      SESBOUNCE_EMF              = "true"
      SESBOUNCE_LOG_FORMAT       = "json"
      SESBOUNCE_PROCESSES        = tostring(var.processes)
      SESBOUNCE_SHUTDOWN_SECONDS = tostring(var.shutdown_seconds)
    },
    # On the task's loopback interface, for its health check.
    var.schedule == null ? { SESBOUNCE_METRICS_PORT = "9464" } : {},
    var.schedule == null ? {} : { SESBOUNCE_EMF_METRICS = join(",", local.run_metrics) },
    local.webhooks,
    var.environment,
  )

  # Settings of the webhooks, and the secrets with theirs.
  webhooks = length(var.webhooks) == 0 ? {} : { SESBOUNCE_WEBHOOKS = jsonencode(var.webhooks) }
  secrets  = merge(var.secrets, var.webhook_secrets_arn == null ? {} : { SESBOUNCE_WEBHOOK_SECRETS = var.webhook_secrets_arn })

  # ECS acts on the health of a service's tasks only.
  health_check = var.schedule != null ? {} : {
    healthCheck = {
      command     = ["CMD", "sesbounce", "health"]
      interval    = 30
      timeout     = 10
      retries     = 3
      startPeriod = 120 # the worker may have to migrate the database's schema first
    }
  }

  capacity = local.use_spot ? {
    FARGATE      = { weight = 0, base = var.on_demand_base }
    FARGATE_SPOT = { weight = 1, base = 0 }
    } : {
    FARGATE = { weight = 1, base = 0 }
  }

  assign_public_ip = coalesce(var.assign_public_ip, var.subnet_ids == null)

  # What the containers of a task have in common.
  container = {
    image                  = var.image
    user                   = "10001:10001" # with a group: without one, the container would run in root's group
    privileged             = false
    readonlyRootFilesystem = true

    linuxParameters = {
      capabilities = { drop = ["ALL"] }
      # The only writable directory: in memory, and without executable files.
      tmpfs = [{ containerPath = "/tmp", size = 64, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.here.region
        awslogs-stream-prefix = "worker"
        mode                  = "non-blocking" # the worker must not stop when CloudWatch does not accept its log
        max-buffer-size       = "4m"
      }
    }

    # AWS returns these defaults: without them, each plan would show a change.
    mountPoints    = []
    portMappings   = []
    systemControls = []
    volumesFrom    = []
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: by default CloudWatch encrypts the log with its own key; the log holds counts and ids, no addresses.
  # checkov:skip=CKV_AWS_338: the variable log_retention_days sets the time; nobody needs a year of this log by default.
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_cluster" "this" {
  # checkov:skip=CKV_AWS_65: Container Insights costs money, and the worker reports its own metrics; the variable container_insights turns it on.
  count = var.cluster_arn == null ? 1 : 0

  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  count = var.cluster_arn == null ? 1 : 0

  cluster_name       = aws_ecs_cluster.this[0].name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_ecs_task_definition" "this" {
  count = local.tasks

  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu_units
  memory                   = var.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # The worker comes first: what reads the definition, such as the doctor, looks there.
  container_definitions = jsonencode(concat(
    [
      merge(local.container, local.health_check, {
        name      = "worker"
        essential = true

        environment = [for name, value in local.environment : { name = name, value = value }]
        secrets     = [for name, arn in local.secrets : { name = name, valueFrom = arn }]

        # ECS sends SIGKILL only after the worker's own time limit.
        stopTimeout = var.shutdown_seconds + 10
      }, var.migration == null ? {} : { dependsOn = [{ containerName = "migrate", condition = "SUCCESS" }] }),
    ],
    [
      for migration in var.migration[*] : merge(local.container, {
        name      = "migrate"
        essential = false # it ends before the worker starts

        command     = migration.command
        environment = [for name, value in merge({ SESBOUNCE_LOG_FORMAT = "json" }, migration.environment) : { name = name, value = value }]
        secrets     = [for name, arn in migration.secrets : { name = name, valueFrom = arn }]
      })
    ],
  ))

  lifecycle {
    precondition {
      condition     = contains(keys(local.environment), "SESBOUNCE_DATABASE_URL") || contains(keys(local.secrets), "SESBOUNCE_DATABASE_URL")
      error_message = "The worker needs a database: set SESBOUNCE_DATABASE_URL in environment (without a password) or in secrets. Without it, the worker would write to a SQLite file, which ECS deletes with the task."
    }
  }
}

resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_333: the default VPC has public subnets only; a public address is cheaper than a NAT gateway, and the security group lets nothing connect. Tasks in your own subnets get none.
  count = local.services

  name            = var.name
  cluster         = local.cluster_arn
  task_definition = aws_ecs_task_definition.this[0].arn
  desired_count   = var.min_tasks # the initial number: see ignore_changes
  propagate_tags  = "SERVICE"
  tags            = var.tags

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  # Version 6 of the provider would default to ENABLED, and ECS would stop healthy tasks to spread them over
  # the zones. While a zone fails, messages wait in the queue.
  availability_zone_rebalancing = "DISABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # ECS changes the strategy of a service only with a new deployment. Without a strategy (launch_type),
  # and without this, Terraform would replace the service when use_spot changes.
  force_new_deployment = true

  dynamic "capacity_provider_strategy" {
    for_each = local.capacity

    content {
      capacity_provider = capacity_provider_strategy.key
      weight            = capacity_provider_strategy.value.weight
      base              = capacity_provider_strategy.value.base
    }
  }

  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = local.security_group_ids
    assign_public_ip = local.assign_public_ip
  }

  lifecycle {
    # Application Auto Scaling keeps the number between min_tasks and max_tasks, also when they
    # change and when they are equal: an apply must not reset its decision.
    ignore_changes = [desired_count]
  }

  # A task that starts before it has its rights fails, and the deployment with it.
  depends_on = [
    aws_ecs_cluster_capacity_providers.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_iam_role_policy_attachment.task,
    aws_vpc_security_group_egress_rule.this,
    aws_vpc_security_group_egress_rule.to_group,
  ]
}
