# What Terraform plans, without AWS: `terraform test`. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "aws_security_group" {
    defaults = { id = "sg-worker" }
  }
}

variables {
  image            = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  queue_arn        = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
  queue_url        = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
  task_policy_arns = { consumer = "arn:aws:iam::123456789012:policy/sesbounce-consumer" }
  environment      = { SESBOUNCE_DATABASE_URL = "postgresql://sesbounce@db.example:5432/sesbounce?sslmode=require" }
}

run "by_default" {
  command = plan

  # Every resource has the stack's name.
  assert {
    condition = (
      aws_ecr_repository.this[0].name == "sesbounce"
      && aws_ecs_cluster.this[0].name == "sesbounce"
      && aws_ecs_service.this[0].name == "sesbounce"
      && aws_ecs_task_definition.this[0].family == "sesbounce"
      && aws_cloudwatch_log_group.this.name == "/ecs/sesbounce"
      && aws_iam_role.task.name == "sesbounce-task"
      && aws_iam_role.execution.name == "sesbounce-execution"
    )
    error_message = "Names must derive from name."
  }

  # The repository.
  assert {
    condition = (
      aws_ecr_repository.this[0].image_tag_mutability == "IMMUTABLE"
      && aws_ecr_repository.this[0].image_scanning_configuration[0].scan_on_push
    )
    error_message = "Tags must be immutable, and images scanned."
  }

  assert {
    condition = jsondecode(aws_ecr_lifecycle_policy.this[0].policy).rules == [{
      rulePriority = 1
      description  = "Keep the last 20 images, to roll back to."
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
      action       = { type = "expire" }
    }]
    error_message = "Old images must go."
  }

  # The container.
  assert {
    condition = jsondecode(aws_ecs_task_definition.this[0].container_definitions) == [{
      name                   = "worker"
      image                  = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      essential              = true
      user                   = "10001:10001"
      privileged             = false
      readonlyRootFilesystem = true
      linuxParameters = {
        capabilities = { drop = ["ALL"] }
        tmpfs        = [{ containerPath = "/tmp", size = 64, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
      }
      environment = [
        { name = "SESBOUNCE_DATABASE_URL", value = "postgresql://sesbounce@db.example:5432/sesbounce?sslmode=require" },
        { name = "SESBOUNCE_EMF", value = "true" },
        { name = "SESBOUNCE_LOG_FORMAT", value = "json" },
        { name = "SESBOUNCE_METRICS_PORT", value = "9464" },
        { name = "SESBOUNCE_PROCESSES", value = "1" },
        { name = "SESBOUNCE_QUEUE_URL", value = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback" },
        { name = "SESBOUNCE_SHUTDOWN_SECONDS", value = "25" },
      ]
      secrets     = []
      healthCheck = { command = ["CMD", "sesbounce", "health"], interval = 30, timeout = 10, retries = 3, startPeriod = 120 }
      stopTimeout = 35
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = "/ecs/sesbounce"
          awslogs-region        = "eu-west-1"
          awslogs-stream-prefix = "worker"
          mode                  = "non-blocking"
          max-buffer-size       = "4m"
        }
      }
      mountPoints    = []
      portMappings   = []
      systemControls = []
      volumesFrom    = []
    }]
    error_message = "The container must be as hardened as it was."
  }

  assert {
    condition = (
      aws_ecs_task_definition.this[0].cpu == "256"
      && aws_ecs_task_definition.this[0].memory == "512"
      && aws_ecs_task_definition.this[0].network_mode == "awsvpc"
      && aws_ecs_task_definition.this[0].requires_compatibilities == toset(["FARGATE"])
      && aws_ecs_task_definition.this[0].runtime_platform[0].cpu_architecture == "ARM64"
      && output.platform == "linux/arm64"
    )
    error_message = "The smallest task on ARM must be the default."
  }

  assert {
    condition     = output.image == var.image
    error_message = "The output must tell the image."
  }

  # The roles.
  assert {
    condition = jsondecode(output.trust_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TasksOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:eu-west-1:123456789012:*" }
        }
      }]
    }
    error_message = "Only tasks of this account and region may take the roles."
  }

  assert {
    condition     = aws_iam_role.execution.assume_role_policy == aws_iam_role.task.assume_role_policy
    error_message = "Both roles must be trusted alike."
  }

  assert {
    condition     = { for name, attachment in aws_iam_role_policy_attachment.task : name => "${attachment.role} ${attachment.policy_arn}" } == { consumer = "sesbounce-task arn:aws:iam::123456789012:policy/sesbounce-consumer" }
    error_message = "The worker must have the consumer's policy and no other."
  }

  assert {
    condition     = length(jsondecode(output.execution_policy).Statement) == 3
    error_message = "Without secrets there must be no right to read any."
  }

  # The service.
  assert {
    condition = (
      aws_ecs_service.this[0].cluster == "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce"
      && [for strategy in aws_ecs_service.this[0].capacity_provider_strategy : "${strategy.capacity_provider} ${strategy.base} ${strategy.weight}"] == ["FARGATE 0 1"]
      && aws_ecs_service.this[0].force_new_deployment
      && aws_ecs_service.this[0].desired_count == 1
      && aws_ecs_service.this[0].deployment_circuit_breaker[0].enable
      && aws_ecs_service.this[0].deployment_circuit_breaker[0].rollback
      && aws_ecs_service.this[0].deployment_minimum_healthy_percent == 100
      && aws_ecs_service.this[0].deployment_maximum_percent == 200
    )
    error_message = "The service must run on demand, and roll a failed deployment back."
  }

  assert {
    condition = (
      aws_ecs_service.this[0].network_configuration[0].subnets == toset(["subnet-a", "subnet-b"])
      && aws_ecs_service.this[0].network_configuration[0].assign_public_ip
      && output.vpc_id == "vpc-default"
    )
    error_message = "The default VPC must be the default, and have public addresses."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this[0].capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "The cluster must have both kinds of Fargate."
  }

  assert {
    condition     = [for setting in aws_ecs_cluster.this[0].setting : setting.value] == ["disabled"]
    error_message = "Container Insights must not cost unasked."
  }

  # The task only connects to others.
  assert {
    condition = { for port, rule in aws_vpc_security_group_egress_rule.this : port => "${rule.ip_protocol} ${rule.from_port} ${rule.to_port} ${rule.cidr_ipv4}" } == {
      "443"  = "tcp 443 443 0.0.0.0/0"
      "5432" = "tcp 5432 5432 0.0.0.0/0"
    }
    error_message = "The worker must reach AWS and its database, and nothing else."
  }

  # Autoscaling.
  assert {
    condition = (
      aws_appautoscaling_target.this[0].min_capacity == 1
      && aws_appautoscaling_target.this[0].max_capacity == 4
      && aws_appautoscaling_target.this[0].resource_id == "service/sesbounce/sesbounce"
      && aws_appautoscaling_target.this[0].service_namespace == "ecs"
      && aws_appautoscaling_target.this[0].scalable_dimension == "ecs:service:DesiredCount"
    )
    error_message = "The number of tasks must be kept within its range."
  }

  assert {
    condition = (
      aws_appautoscaling_policy.backlog[0].policy_type == "TargetTrackingScaling"
      && aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration[0].target_value == 5000
      && { for metric in aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics :
        metric.id => metric.return_data ? metric.expression : "${metric.metric_stat[0].stat} ${metric.metric_stat[0].metric[0].namespace} ${metric.metric_stat[0].metric[0].metric_name} ${join(" ", sort([for dimension in metric.metric_stat[0].metric[0].dimensions : dimension.value]))}"
        } == {
        per_task = "waiting / tasks"
        waiting  = "Average AWS/SQS ApproximateNumberOfMessagesVisible sesbounce-feedback"
        tasks    = "SampleCount AWS/ECS CPUUtilization sesbounce sesbounce"
      }
    )
    error_message = "Tasks must follow the backlog that each of them has."
  }

  assert {
    condition = (
      aws_appautoscaling_policy.cpu[0].policy_type == "TargetTrackingScaling"
      && aws_appautoscaling_policy.cpu[0].resource_id == "service/sesbounce/sesbounce"
      && aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration[0].target_value == 60
      && aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageCPUUtilization"
    )
    error_message = "Tasks that a steady load needs must stay."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.step) + length(aws_cloudwatch_metric_alarm.step) == 0
    error_message = "A worker that never sleeps needs no waking."
  }
}

run "other_sizes" {
  command = plan

  variables {
    cpu_architecture   = "X86_64"
    cpu_units          = 2048
    memory_mib         = 4096
    processes          = 2
    shutdown_seconds   = 60
    log_retention_days = 365
    log_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/9abc"
    security_group_ids = ["sg-own", "sg-other"]

    permissions_boundary = "arn:aws:iam::123456789012:policy/developers"
    path                 = "/mail/"
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.task, aws_iam_role.execution] : role.path == "/mail/" && role.permissions_boundary == var.permissions_boundary
    ])
    error_message = "Both roles must have the boundary and the path."
  }

  assert {
    condition = (
      aws_ecs_task_definition.this[0].cpu == "2048"
      && aws_ecs_task_definition.this[0].memory == "4096"
      && aws_ecs_task_definition.this[0].runtime_platform[0].cpu_architecture == "X86_64"
      && output.platform == "linux/amd64"
      && aws_cloudwatch_log_group.this.retention_in_days == 365
    )
    error_message = "The given sizes must be taken."
  }

  assert {
    condition = aws_cloudwatch_log_group.this.kms_key_id == var.log_kms_key_arn && jsondecode(output.log_kms_key_statement) == {
      Sid       = "CloudWatchEncryptsTheLog"
      Effect    = "Allow"
      Principal = { Service = "logs.eu-west-1.amazonaws.com" }
      Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      Resource  = "*"
      Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce" } }
    }
    error_message = "The key of the user must encrypt the log, and the user must learn what its policy must say."
  }

  assert {
    condition     = aws_ecs_service.this[0].network_configuration[0].security_groups == toset(["sg-worker", "sg-own", "sg-other"])
    error_message = "The tasks must have the user's groups beside the stack's."
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].stopTimeout == 70
      && contains(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment, { name = "SESBOUNCE_SHUTDOWN_SECONDS", value = "60" })
      && contains(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment, { name = "SESBOUNCE_PROCESSES", value = "2" })
    )
    error_message = "ECS must wait longer than the worker needs."
  }
}

run "environment_of_the_user_wins" {
  command = plan

  variables {
    environment = {
      SESBOUNCE_DATABASE_URL   = "postgresql://db.example/sesbounce"
      SESBOUNCE_EMF            = "false"
      SESBOUNCE_STRIKE_OFF_SQL = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
    }
  }

  assert {
    condition = (
      contains(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment, { name = "SESBOUNCE_EMF", value = "false" })
      && contains(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment, { name = "SESBOUNCE_STRIKE_OFF_SQL", value = "UPDATE member SET mailable = 0 WHERE lower(email) = :address" })
    )
    error_message = "What the user sets must be set."
  }
}

run "secrets" {
  command = plan

  variables {
    secrets = {
      SESBOUNCE_DATABASE_PASSWORD = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf:password::"
      SESBOUNCE_WEBHOOK_SECRET    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf"
      SESBOUNCE_HASH_KEY          = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
    }
    secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"]
    webhooks             = { crm = { url = "https://crm.example/in/1", reasons = ["unsubscribed"] } }
    webhook_secrets_arn  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhooks-AbCdEf"
  }

  assert {
    condition = contains(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment, {
      name = "SESBOUNCE_WEBHOOKS", value = "{\"crm\":{\"reasons\":[\"unsubscribed\"],\"types\":[],\"url\":\"https://crm.example/in/1\"}}"
    })
    error_message = "The worker must know the webhooks, and not their secrets."
  }

  assert {
    condition = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].secrets == [
      { name = "SESBOUNCE_DATABASE_PASSWORD", valueFrom = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf:password::" },
      { name = "SESBOUNCE_HASH_KEY", valueFrom = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" },
      { name = "SESBOUNCE_WEBHOOK_SECRET", valueFrom = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf" },
      { name = "SESBOUNCE_WEBHOOK_SECRETS", valueFrom = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhooks-AbCdEf" },
    ]
    error_message = "Secrets must be given by reference."
  }

  assert {
    condition = jsondecode(output.execution_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce:log-stream:worker/*"]
        },
        {
          Sid      = "LogInToEcr"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"]
        },
        {
          Sid      = "PullImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
          Resource = ["arn:aws:ecr:eu-west-1:123456789012:repository/sesbounce"]
        },
        {
          Sid    = "ReadSecrets"
          Effect = "Allow"
          Action = ["secretsmanager:GetSecretValue"]
          Resource = [
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhooks-AbCdEf",
          ]
        },
        {
          Sid      = "ReadParameters"
          Effect   = "Allow"
          Action   = ["ssm:GetParameters"]
          Resource = ["arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"]
        },
        {
          Sid      = "DecryptSecrets"
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"]
        },
      ]
    }
    error_message = "ECS must be allowed this log, this repository and these secrets."
  }
}

run "image_from_elsewhere" {
  command = plan

  variables {
    create_repository = false
  }

  assert {
    condition     = length(aws_ecr_repository.this) + length(aws_ecr_lifecycle_policy.this) == 0 && output.repository_url == null
    error_message = "There must be no repository."
  }

  assert {
    condition     = [for statement in jsondecode(output.execution_policy).Statement : statement.Sid] == ["WriteLog"]
    error_message = "Without a repository of ECR there must be no right to pull from one."
  }
}

run "repository_that_exists" {
  command = plan

  variables {
    create_repository = false
    repository_arn    = "arn:aws:ecr:eu-west-1:123456789012:repository/shared/sesbounce"
  }

  assert {
    condition     = jsondecode(output.execution_policy).Statement[2].Resource == ["arn:aws:ecr:eu-west-1:123456789012:repository/shared/sesbounce"]
    error_message = "ECS must be allowed to pull from the given repository."
  }
}

run "mysql_s_port" {
  command = plan

  variables {
    egress_tcp_ports = [443, 3306]
    egress_cidr_ipv4 = { 3306 = "10.0.0.0/16" }
  }

  assert {
    condition = { for port, rule in aws_vpc_security_group_egress_rule.this : port => rule.cidr_ipv4 } == {
      3306 = "10.0.0.0/16"
      443  = "0.0.0.0/0"
    } && length(aws_vpc_security_group_egress_rule.to_group) == 0
    error_message = "The given ports must be open to the given addresses, and no other."
  }
}

# The stack's own database: a user that may migrate, and a worker that may not.
run "migration" {
  command = plan

  variables {
    environment = { SESBOUNCE_DATABASE_URL = "postgresql://worker@db.example/sesbounce" }
    migration = {
      command     = ["db", "upgrade"]
      environment = { SESBOUNCE_DATABASE_URL = "postgresql://master@db.example/sesbounce" }
      secrets     = { SESBOUNCE_DATABASE_PASSWORD = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf:password::" }
    }
    task_policies          = { database = jsonencode({ Version = "2012-10-17", Statement = [] }) }
    egress_security_groups = { database = { id = "sg-database", port = 5432 } }
  }

  assert {
    condition = [for container in jsondecode(aws_ecs_task_definition.this[0].container_definitions) : [
      container.name, container.essential, try(container.dependsOn, []), try(container.command, []),
      [for secret in container.secrets : secret.name],
      [for variable in container.environment : variable.value if variable.name == "SESBOUNCE_DATABASE_URL"],
      ]] == [
      ["worker", true, [{ containerName = "migrate", condition = "SUCCESS" }], [], [], ["postgresql://worker@db.example/sesbounce"]],
      ["migrate", false, [], ["db", "upgrade"], ["SESBOUNCE_DATABASE_PASSWORD"], ["postgresql://master@db.example/sesbounce"]],
    ]
    error_message = "The worker must wait for the migration, and only the migration get the password."
  }

  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this[0].container_definitions) : (
      container.readonlyRootFilesystem && container.user == "10001:10001" && container.linuxParameters.capabilities.drop == ["ALL"]
    )])
    error_message = "Both containers must be confined."
  }

  assert {
    condition     = [for statement in jsondecode(output.execution_policy).Statement : statement.Resource if statement.Sid == "ReadSecrets"] == [["arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf"]]
    error_message = "ECS must be allowed to read the migration's secret."
  }

  assert {
    condition     = { for name, policy in aws_iam_role_policy.task : name => policy.role } == { database = "sesbounce-task" }
    error_message = "The worker's role must have the given policy."
  }

  assert {
    condition = (
      { for port, rule in aws_vpc_security_group_egress_rule.this : port => rule.cidr_ipv4 } == { 443 = "0.0.0.0/0" }
      && { for name, rule in aws_vpc_security_group_egress_rule.to_group : name => "${rule.ip_protocol} ${rule.from_port} ${rule.to_port} ${rule.referenced_security_group_id}" } == { database = "tcp 5432 5432 sg-database" }
    )
    error_message = "The worker must reach AWS and its database, and nothing else."
  }
}

run "own_network" {
  command = plan

  variables {
    vpc_id     = "vpc-own"
    subnet_ids = ["subnet-private"]
  }

  assert {
    condition = (
      length(data.aws_vpc.default) + length(data.aws_subnets.default) == 0
      && output.vpc_id == "vpc-own"
      && output.subnet_ids == tolist(["subnet-private"])
      && aws_security_group.this.vpc_id == "vpc-own"
      && !aws_ecs_service.this[0].network_configuration[0].assign_public_ip
    )
    error_message = "In subnets of one's own there must be no public address, nor a look at the default VPC."
  }
}

run "own_public_network" {
  command = plan

  variables {
    vpc_id           = "vpc-own"
    subnet_ids       = ["subnet-public"]
    assign_public_ip = true
  }

  assert {
    condition     = aws_ecs_service.this[0].network_configuration[0].assign_public_ip
    error_message = "A public address must be had when asked."
  }
}

run "default_vpc_without_public_address" {
  command = plan

  variables {
    assign_public_ip = false
  }

  assert {
    condition     = !aws_ecs_service.this[0].network_configuration[0].assign_public_ip
    error_message = "No public address must be had when none is wanted."
  }
}

run "spot" {
  command = plan

  variables {
    use_spot       = true
    on_demand_base = 1
  }

  assert {
    condition = { for strategy in aws_ecs_service.this[0].capacity_provider_strategy : strategy.capacity_provider => "${strategy.base} ${strategy.weight}" } == {
      FARGATE      = "1 0"
      FARGATE_SPOT = "0 1"
    }
    error_message = "All beyond the base must run on Spot."
  }

  assert {
    condition     = aws_ecs_service.this[0].force_new_deployment
    error_message = "A change of the strategy must not replace the service."
  }
}

run "scheduled" {
  command = plan

  variables {
    schedule = "rate(15 minutes)"
    tags     = { Team = "mail" }
  }

  assert {
    condition = (
      length(aws_ecs_service.this) + length(aws_appautoscaling_target.this) + length(aws_appautoscaling_policy.backlog) + length(aws_appautoscaling_policy.cpu)
      + length(aws_appautoscaling_policy.step) + length(aws_cloudwatch_metric_alarm.step) == 0
      && output.service_name == null
    )
    error_message = "Nothing may keep a task running."
  }

  assert {
    condition = (
      aws_scheduler_schedule_group.this[0].name == "sesbounce"
      && aws_scheduler_schedule.this[0].name == "sesbounce"
      && aws_scheduler_schedule.this[0].group_name == "sesbounce"
      && aws_scheduler_schedule.this[0].schedule_expression == "rate(15 minutes)"
      && aws_scheduler_schedule.this[0].flexible_time_window[0].mode == "OFF"
      && aws_iam_role.schedule[0].name == "sesbounce-schedule"
    )
    error_message = "The schedule must have the stack's name and the given expression."
  }

  # The run.
  assert {
    condition = (
      aws_scheduler_schedule.this[0].target[0].arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce"
      && jsondecode(aws_scheduler_schedule.this[0].target[0].input) == {
        containerOverrides = [{ name = "worker", command = ["run", "--until-empty", "--at-most", "900"] }]
      }
    )
    error_message = "A run must end when the queue is empty, and before the next run."
  }

  assert {
    condition = alltrue([for ecs in aws_scheduler_schedule.this[0].target[0].ecs_parameters : alltrue([
      ecs.task_definition_arn == "arn:aws:ecs:eu-west-1:123456789012:task-definition/sesbounce:1",
      ecs.task_count == 1,
      ecs.launch_type == null,
      { for strategy in ecs.capacity_provider_strategy : strategy.capacity_provider => "${strategy.base} ${strategy.weight}" } == { FARGATE = "0 0", FARGATE_SPOT = "0 1" },
      ecs.network_configuration[0].subnets == toset(["subnet-a", "subnet-b"]),
      ecs.network_configuration[0].assign_public_ip,
      ecs.propagate_tags == "TASK_DEFINITION",
    ])])
    error_message = "A run must be one task on Spot, in the network of the worker."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this[0].target[0].retry_policy[0].maximum_event_age_in_seconds == 900
      && aws_scheduler_schedule.this[0].target[0].retry_policy[0].maximum_retry_attempts == 10
      && output.run_interval_seconds == 900
    )
    error_message = "A start that fails must be retried until the next run."
  }

  # Without a service, ECS acts on no health check, and the metrics that cost nothing are enough.
  assert {
    condition = (
      !can(jsondecode(output.container_definitions)[0].healthCheck)
      && { for variable in jsondecode(output.container_definitions)[0].environment : variable.name => variable.value } == {
        SESBOUNCE_DATABASE_URL     = "postgresql://sesbounce@db.example:5432/sesbounce?sslmode=require"
        SESBOUNCE_EMF              = "true"
        SESBOUNCE_EMF_METRICS      = "RunsSucceeded,Failed,StatementsRejected,SuspectedIncidents,SenderFaults,MessagesReceived,EventsRecorded,AddressesSuppressed,AddressesReleased,Undecodable"
        SESBOUNCE_LOG_FORMAT       = "json"
        SESBOUNCE_PROCESSES        = "1"
        SESBOUNCE_QUEUE_URL        = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
        SESBOUNCE_SHUTDOWN_SECONDS = "25"
      }
    )
    error_message = "The container of a run needs no health check and no port."
  }

  # The role of the schedule.
  assert {
    condition = jsondecode(output.schedule_trust_policy).Statement == [{
      Sid       = "ScheduleOfThisStack"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = {
        "aws:SourceAccount" = "123456789012"
        "aws:SourceArn"     = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/sesbounce"
      } }
    }]
    error_message = "Only this stack's schedule may take the role."
  }

  assert {
    condition = jsondecode(output.schedule_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "RunTheWorker"
          Effect    = "Allow"
          Action    = ["ecs:RunTask"]
          Resource  = ["arn:aws:ecs:eu-west-1:123456789012:task-definition/sesbounce:*"]
          Condition = { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce" } }
        },
        {
          Sid       = "TagTheTask"
          Effect    = "Allow"
          Action    = ["ecs:TagResource"]
          Resource  = ["arn:aws:ecs:eu-west-1:123456789012:task/sesbounce/*"]
          Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
        },
        {
          Sid       = "PassTheRolesOfTheWorker"
          Effect    = "Allow"
          Action    = ["iam:PassRole"]
          Resource  = ["arn:aws:iam::123456789012:role/sesbounce-task", "arn:aws:iam::123456789012:role/sesbounce-execution"]
          Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
        },
      ]
    }
    error_message = "The schedule may start this worker in this cluster, and nothing else."
  }

  assert {
    condition     = aws_scheduler_schedule_group.this[0].tags == tomap({ Team = "mail" }) && aws_iam_role.schedule[0].tags == tomap({ Team = "mail" })
    error_message = "What can be tagged must be tagged."
  }

  override_resource {
    override_during = plan
    target          = aws_iam_role.task
    values          = { arn = "arn:aws:iam::123456789012:role/sesbounce-task" }
  }

  override_resource {
    override_during = plan
    target          = aws_iam_role.execution
    values          = { arn = "arn:aws:iam::123456789012:role/sesbounce-execution" }
  }
}

run "scheduled_by_a_cron_on_demand" {
  command = plan

  variables {
    schedule             = "cron(0 8-18 ? * MON-FRI *)"
    use_spot             = false
    permissions_boundary = "arn:aws:iam::123456789012:policy/developers"
    path                 = "/mail/"
  }

  assert {
    condition = (
      [for strategy in tolist(aws_scheduler_schedule.this[0].target[0].ecs_parameters)[0].capacity_provider_strategy : strategy.capacity_provider] == ["FARGATE"]
      && jsondecode(aws_scheduler_schedule.this[0].target[0].input).containerOverrides[0].command == ["run", "--until-empty", "--at-most", "3600"]
      && output.run_interval_seconds == 86400
    )
    error_message = "A cron must be taken to run once a day, for an hour at most."
  }

  assert {
    condition     = aws_iam_role.schedule[0].path == "/mail/" && aws_iam_role.schedule[0].permissions_boundary == var.permissions_boundary
    error_message = "The role of the schedule must have the boundary and the path."
  }
}

run "cluster_that_exists" {
  command = plan

  variables {
    cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/shared"
    container_insights = true
  }

  assert {
    condition = (
      length(aws_ecs_cluster.this) + length(aws_ecs_cluster_capacity_providers.this) == 0
      && aws_ecs_service.this[0].cluster == "arn:aws:ecs:eu-west-1:123456789012:cluster/shared"
      && output.cluster_name == "shared"
      && aws_appautoscaling_target.this[0].resource_id == "service/shared/sesbounce"
    )
    error_message = "The given cluster must be taken, and none made."
  }
}

run "container_insights" {
  command = plan

  variables {
    container_insights = true
  }

  assert {
    condition     = [for setting in aws_ecs_cluster.this[0].setting : "${setting.name} ${setting.value}"] == ["containerInsights enabled"]
    error_message = "Container Insights must be had when asked."
  }
}

run "fixed_number" {
  command = plan

  variables {
    min_tasks = 2
    max_tasks = 2
  }

  assert {
    condition = (
      aws_appautoscaling_target.this[0].min_capacity == 2
      && aws_appautoscaling_target.this[0].max_capacity == 2
      && aws_ecs_service.this[0].desired_count == 2
      && length(aws_appautoscaling_policy.backlog) + length(aws_appautoscaling_policy.cpu) == 0
    )
    error_message = "A fixed number must be kept, with nothing to change it."
  }
}

run "down_to_nothing" {
  command = plan

  variables {
    min_tasks = 0
  }

  assert {
    condition     = aws_ecs_service.this[0].desired_count == 0 && aws_appautoscaling_target.this[0].min_capacity == 0 && length(aws_appautoscaling_policy.backlog) == 1
    error_message = "There must be no task to begin with, and more than one when it is needed."
  }

  assert {
    condition = { for name, policy in aws_appautoscaling_policy.step : name => join(" ", [
      policy.policy_type,
      policy.step_scaling_policy_configuration[0].adjustment_type,
      tolist(policy.step_scaling_policy_configuration[0].step_adjustment)[0].scaling_adjustment,
      ]) } == {
      wake  = "StepScaling ChangeInCapacity 1"
      sleep = "StepScaling ExactCapacity 0"
    }
    error_message = "There must be a way up to one and down to none."
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.step : name => "${alarm.evaluation_periods} ${alarm.comparison_operator} ${alarm.threshold} ${join("", [for query in alarm.metric_query : query.expression == null ? "" : query.expression])}" } == {
      wake  = "1 GreaterThanOrEqualToThreshold 1 IF(FILL(visible, 0) > 0 AND FILL(received, 0) + FILL(empty, 0) < 1, 1, 0)"
      sleep = "15 GreaterThanOrEqualToThreshold 1 IF(FILL(visible, 0) + FILL(in_flight, 0) + FILL(delayed, 0) < 1, 1, 0)"
    }
    error_message = "It must wake when messages wait and nobody receives, and sleep when there are none."
  }

  assert {
    condition = alltrue([for metric in flatten([for alarm in aws_cloudwatch_metric_alarm.step : [for query in alarm.metric_query : query.metric]]) :
      metric.namespace == "AWS/SQS" && metric.dimensions == tomap({ QueueName = "sesbounce-feedback" }) && metric.period == 60
    ])
    error_message = "What decides must be of this queue."
  }

  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.step : alarm.alarm_actions == toset([aws_appautoscaling_policy.step[name].arn])])
    error_message = "Each alarm must lead to its policy."
  }
}

run "one_or_none" {
  command = plan

  variables {
    min_tasks = 0
    max_tasks = 1
  }

  assert {
    condition     = length(aws_appautoscaling_policy.backlog) + length(aws_appautoscaling_policy.cpu) == 0 && length(aws_appautoscaling_policy.step) == 2
    error_message = "One task needs no tracking of the backlog or the CPU."
  }
}

run "without_an_image" {
  command = plan

  variables {
    image = null
  }

  assert {
    condition = (
      length(aws_ecs_service.this) + length(aws_ecs_task_definition.this) + length(aws_appautoscaling_target.this)
      + length(aws_appautoscaling_policy.backlog) + length(aws_appautoscaling_policy.cpu) + length(aws_appautoscaling_policy.step) + length(aws_cloudwatch_metric_alarm.step) == 0
    )
    error_message = "Without an image there must be nothing that runs."
  }

  assert {
    condition     = output.schedule_arn == null && output.run_interval_seconds == null && output.repository_url == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce" && output.image == null && output.service_name == null && output.task_definition_arn == null
    error_message = "The repository must be there before the image."
  }
}

run "other_partition" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_partition.current
    values          = { partition = "aws-cn" }
  }

  override_data {
    override_during = plan
    target          = data.aws_region.current
    values          = { id = "cn-north-1" }
  }

  # Without the ARNs of mocks, which AWS tells after the first plan only.
  assert {
    condition = (
      jsondecode(output.trust_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws-cn:ecs:cn-north-1:123456789012:*"
      && jsondecode(output.execution_policy).Statement[0].Resource == ["arn:aws-cn:logs:cn-north-1:123456789012:log-group:/ecs/sesbounce:log-stream:worker/*"]
      && jsondecode(output.execution_policy).Statement[2].Resource == ["arn:aws-cn:ecr:cn-north-1:123456789012:repository/sesbounce"]
    )
    error_message = "The first plan must show the roles' policies, in the partition and region of the provider."
  }
}

run "tags" {
  command = plan

  variables {
    min_tasks = 0
    tags      = { Team = "mail" }
  }

  assert {
    condition = alltrue([for tags in concat(
      [for tagged in [aws_ecr_repository.this[0], aws_ecs_cluster.this[0], aws_ecs_service.this[0], aws_ecs_task_definition.this[0]] : tagged.tags],
      [aws_cloudwatch_log_group.this.tags, aws_iam_role.task.tags, aws_iam_role.execution.tags, aws_security_group.this.tags, aws_appautoscaling_target.this[0].tags],
      values(aws_vpc_security_group_egress_rule.this)[*].tags,
      values(aws_cloudwatch_metric_alarm.step)[*].tags,
    ) : tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}
