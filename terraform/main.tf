locals {
  # Without it, the role that deploys from GitHub could give the stack's other roles any right.
  permissions_boundary = var.github == null ? var.permissions_boundary : one(module.deploy_role[*].boundary_arn)

  # A task on Fargate, in a service or by a schedule.
  runs_on_ecs = var.worker == null ? false : contains(["service", "scheduled"], var.worker.mode)
  schedule    = try(var.worker.mode, null) == "scheduled" ? var.worker.schedule : null

  # A function in AWS Lambda, with a database of the user's own.
  runs_on_lambda = try(var.worker.mode, null) == "lambda"

  # Six times the timeout of a function and the time for which Lambda gathers messages.
  visibility_timeout_seconds = coalesce(
    var.visibility_timeout_seconds,
    local.runs_on_lambda ? try(6 * var.worker.function.timeout_seconds + var.worker.function.batching_window_seconds, null) : 120,
  )

  # Terraform creates a database unless the user names one; without a worker, nobody would use it.
  creates_database = !local.runs_on_ecs || var.database_url_secret_arn != null ? false : !contains(
    concat(keys(var.worker.environment), keys(var.worker.secrets)), "SESBOUNCE_DATABASE_URL"
  )

  dlq_arns = [module.feedback_queue.dlq_arn, module.feedback_queue.subscription_dlq_arn]

  worker_settings = merge(
    # Raw messages do not name their topic.
    var.raw_message_delivery ? {} : { SESBOUNCE_TOPIC_ARNS = join(",", concat([module.feedback_queue.topic_arn], module.feedback_queue.extra_topic_arns)) },
    var.ses_suppression_list ? { SESBOUNCE_SES_SUPPRESSION_LIST = "true" } : {},
  )

  # The worker asks for a password, or signs a token, at each new connection: RDS rotates the password of the
  # master user, and may not do so under a worker that runs.
  database_environment = merge([for database in module.database : {
    SESBOUNCE_DATABASE_URL           = database.url
    SESBOUNCE_DATABASE_PASSWORD_FROM = database.password_from
    SESBOUNCE_MIGRATE                = tostring(local.migration == null)
  }]...)
  database_secrets = var.database_url_secret_arn == null ? {} : { SESBOUNCE_DATABASE_URL = var.database_url_secret_arn }

  # Secrets in which the worker looks up the password of your own databases, without a key that may follow.
  password_secret_arns = var.worker == null ? [] : distinct([
    for name, value in var.worker.environment : join(":", slice(split(":", value), 0, min(7, length(split(":", value)))))
    if endswith(name, "DATABASE_PASSWORD_FROM") && startswith(value, "arn:")
  ])
  passwords_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadPasswords"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.password_secret_arns
      }],
      [for arns in [try(var.worker.secrets_kms_key_arns, [])] : {
        Sid      = "DecryptPasswords"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = arns
      } if length(arns) > 0],
    )
  })

  # Of the worker's role, in each mode.
  worker_policies = { for name, policy in { passwords = local.passwords_policy } : name => policy if length(local.password_secret_arns) > 0 }

  # A decision by the HTTP API does what the worker does: it has the worker's settings, secrets and database.
  api = local.runs_on_ecs ? var.api : null
  api_environment = local.api == null ? {} : merge(
    local.worker_settings,
    length(local.api_policies) > 0 ? { SESBOUNCE_QUEUE_URL = module.feedback_queue.queue_url } : {},
    length(var.worker.webhooks) == 0 ? {} : { SESBOUNCE_WEBHOOKS = jsonencode(var.worker.webhooks) },
    local.database_environment,
    var.worker.environment,
    local.api.environment,
  )
  # What the console looks at in AWS, and does with dead letters.
  api_policies = local.api == null ? {} : merge(
    local.api.doctor ? { doctor = module.queue_consumer.doctor_policy } : {},
    local.api.dead_letters == "look" ? { dead-letters = module.queue_consumer.viewer_policy } : {},
    local.api.dead_letters == "handle" ? { dead-letters = module.queue_consumer.operator_policy } : {},
  )
  api_secrets = local.api == null ? {} : merge(
    local.database_secrets,
    var.worker.webhook_secrets_arn == null ? {} : { SESBOUNCE_WEBHOOK_SECRETS = var.worker.webhook_secrets_arn },
    var.worker.secrets,
  )

  # With which the worker and the API connect to the database that Terraform creates.
  database_policies        = { for database in module.database : "database" => database.application_policy }
  database_security_groups = { for database in module.database : "database" => { id = database.security_group_id, port = database.port } }

  # The master user makes the worker's user and the tables, in each task before the worker starts.
  migration = one([for database in module.database : {
    command     = ["db", "upgrade", "--application-user", database.application_user, "--read-only-user", database.reader_user]
    environment = { SESBOUNCE_DATABASE_URL = database.migration_url }
    secrets     = { SESBOUNCE_DATABASE_PASSWORD = database.password_secret }
  } if var.database.iam_authentication])
}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

module "feedback_queue" {
  source = "./modules/feedback_queue"

  name       = var.name
  topic_name = var.topic_name
  queue_name = var.queue_name

  existing_topic_arn = var.existing_topic_arn
  existing_queue     = var.existing_queue
  extra_topic_arns   = var.extra_topic_arns

  identities          = var.identities
  configuration_sets  = var.configuration_sets
  feedback_types      = var.feedback_types
  ses_api             = var.ses_api
  dkim_domain         = var.dkim_domain
  notification_emails = var.notification_emails

  raw_message_delivery       = var.raw_message_delivery
  visibility_timeout_seconds = local.visibility_timeout_seconds
  receive_wait_time_seconds  = var.receive_wait_time_seconds
  message_retention_seconds  = var.message_retention_seconds
  sqs_managed_encryption     = var.sqs_managed_encryption
  max_receive_count          = var.max_receive_count

  create_kms_key = var.create_kms_key
  kms_key_arn    = var.kms_key_arn
}

module "queue_consumer" {
  source = "./modules/queue_consumer"

  name        = "${var.name}-consumer"
  queue_arn   = module.feedback_queue.queue_arn
  kms_key_arn = module.feedback_queue.kms_key_arn

  may_redrive                 = var.consumer_may_redrive
  counted_dlq_arns            = var.count_dead_letters ? [module.feedback_queue.dlq_arn] : []
  dlq_arns                    = var.existing_queue == null ? local.dlq_arns : compact(local.dlq_arns)
  topic_arns                  = [module.feedback_queue.topic_arn]
  extra_topic_arns            = module.feedback_queue.extra_topic_arns
  may_update_suppression_list = var.ses_suppression_list

  create_user        = var.create_consumer_user
  create_access_key  = var.create_consumer_access_key
  access_key_pgp_key = var.access_key_pgp_key

  permissions_boundary = local.permissions_boundary
  path                 = var.path
}

module "worker_service" {
  source = "./modules/worker_service"
  count  = local.runs_on_ecs ? 1 : 0

  name     = var.name
  image    = var.worker_image
  schedule = local.schedule

  create_repository = var.worker.create_repository
  repository_arn    = var.worker.repository_arn

  queue_arn        = module.feedback_queue.queue_arn
  queue_url        = module.feedback_queue.queue_url
  task_policy_arns = { consumer = module.queue_consumer.policy_arn }
  task_policies    = merge(local.worker_policies, local.database_policies)
  migration        = local.migration

  environment = merge(
    # Without it, the worker asks for its own default with each receive, and the queue's has no effect.
    { SESBOUNCE_VISIBILITY_SECONDS = tostring(local.visibility_timeout_seconds) },
    var.count_dead_letters ? { SESBOUNCE_DEAD_LETTER_QUEUE_URL = module.feedback_queue.dlq_url } : {},
    local.worker_settings,
    local.database_environment,
    var.worker.environment,
  )
  secrets              = merge(local.database_secrets, var.worker.secrets)
  secrets_kms_key_arns = var.worker.secrets_kms_key_arns
  webhooks             = var.worker.webhooks
  webhook_secrets_arn  = var.worker.webhook_secrets_arn

  cluster_arn        = var.worker.cluster_arn
  container_insights = var.worker.container_insights
  vpc_id             = var.network.vpc_id
  subnet_ids         = var.network.worker_subnet_ids
  security_group_ids = var.network.worker_security_group_ids
  assign_public_ip   = var.network.assign_public_ip

  # To the database that Terraform creates, and to no other address by that port.
  egress_tcp_ports       = var.worker.egress_tcp_ports
  egress_cidr_ipv4       = var.worker.egress_cidr_ipv4
  egress_security_groups = local.database_security_groups

  cpu_architecture   = var.worker.cpu_architecture
  cpu_units          = var.worker.cpu_units
  memory_mib         = var.worker.memory_mib
  processes          = var.worker.processes
  shutdown_seconds   = var.worker.shutdown_seconds
  use_spot           = var.worker.use_spot
  on_demand_base     = var.worker.on_demand_base
  min_tasks          = var.worker.min_tasks
  max_tasks          = var.worker.max_tasks
  backlog_per_task   = var.worker.backlog_per_task
  log_retention_days = var.worker.log_retention_days
  log_kms_key_arn    = var.worker.log_kms_key_arn

  further_log_streams = local.api == null ? [] : ["api"]
  further_secret_arns = local.api == null ? [] : compact([local.api.serve_secret_arn])

  permissions_boundary = local.permissions_boundary
  path                 = var.path
}

module "api_service" {
  source = "./modules/api_service"
  count  = local.api == null ? 0 : 1

  name               = var.name
  image              = var.worker_image
  cluster_arn        = module.worker_service[0].cluster_arn
  execution_role_arn = module.worker_service[0].execution_role_arn
  log_group_name     = module.worker_service[0].log_group_name
  task_policies      = merge(local.worker_policies, local.database_policies, local.api_policies)
  environment        = local.api_environment
  secrets            = local.api_secrets
  console            = local.api.console
  serve_secret_arn   = local.api.serve_secret_arn

  target_group_arn          = local.api.target_group_arn
  cloud_map_service_arn     = local.api.cloud_map_service_arn
  client_security_group_ids = local.api.client_security_group_ids
  port                      = local.api.port

  vpc_id             = module.worker_service[0].vpc_id
  subnet_ids         = module.worker_service[0].subnet_ids
  security_group_ids = var.network.worker_security_group_ids
  assign_public_ip   = coalesce(var.network.assign_public_ip, var.network.worker_subnet_ids == null)

  egress_tcp_ports       = var.worker.egress_tcp_ports
  egress_cidr_ipv4       = var.worker.egress_cidr_ipv4
  egress_security_groups = local.database_security_groups

  tasks            = local.api.tasks
  cpu_architecture = var.worker.cpu_architecture
  cpu_units        = local.api.cpu_units
  memory_mib       = local.api.memory_mib
  shutdown_seconds = var.worker.shutdown_seconds

  permissions_boundary = local.permissions_boundary
  path                 = var.path
}

module "worker_lambda" {
  source = "./modules/worker_lambda"
  count  = local.runs_on_lambda ? 1 : 0

  name    = var.name
  package = var.worker_package

  queue_arn                  = module.feedback_queue.queue_arn
  queue_url                  = module.feedback_queue.queue_url
  visibility_timeout_seconds = local.visibility_timeout_seconds
  policy_arns                = { consumer = module.queue_consumer.policy_arn }
  policies                   = local.worker_policies

  environment          = merge(local.worker_settings, var.worker.environment)
  secrets              = merge(local.database_secrets, var.worker.secrets)
  secrets_kms_key_arns = var.worker.secrets_kms_key_arns
  webhooks             = var.worker.webhooks
  webhook_secrets_arn  = var.worker.webhook_secrets_arn

  architecture            = var.worker.cpu_architecture == "ARM64" ? "arm64" : "x86_64"
  memory_mib              = var.worker.function.memory_mib
  timeout_seconds         = var.worker.function.timeout_seconds
  batch_size              = var.worker.function.batch_size
  batching_window_seconds = var.worker.function.batching_window_seconds
  maximum_concurrency     = var.worker.function.maximum_concurrency
  reserved_concurrency    = var.worker.function.reserved_concurrency
  sweep_schedule          = var.worker.function.sweep_schedule

  vpc_id             = var.network.vpc_id
  subnet_ids         = coalesce(var.network.worker_subnet_ids, [])
  security_group_ids = var.network.worker_security_group_ids
  ipv6               = var.worker.function.ipv6
  egress_tcp_ports   = var.worker.egress_tcp_ports
  egress_cidr_ipv4   = var.worker.egress_cidr_ipv4

  log_retention_days = var.worker.log_retention_days
  log_kms_key_arn    = var.worker.log_kms_key_arn

  permissions_boundary = local.permissions_boundary
  path                 = var.path
}

module "database" {
  source = "./modules/database"
  count  = local.creates_database ? 1 : 0

  name       = var.name
  vpc_id     = module.worker_service[0].vpc_id
  subnet_ids = var.network.database_subnet_ids == null ? module.worker_service[0].subnet_ids : var.network.database_subnet_ids

  client_security_group_ids = merge(
    var.database.client_security_group_ids,
    { worker = module.worker_service[0].security_group_id },
    local.api == null ? {} : { api = module.api_service[0].security_group_id },
  )

  engine_version            = var.database.engine_version
  instance_class            = var.database.instance_class
  allocated_storage_gib     = var.database.allocated_storage_gib
  max_allocated_storage_gib = var.database.max_allocated_storage_gib
  multi_az                  = var.database.multi_az
  backup_retention_days     = var.database.backup_retention_days
  deletion_protection       = var.database.deletion_protection
  final_snapshot            = var.database.final_snapshot
  kms_key_arn               = var.database.kms_key_arn
  root_certificate          = var.database.root_certificate
  iam_authentication        = var.database.iam_authentication

  snapshot_identifier        = var.database.snapshot_identifier
  auto_minor_version_upgrade = var.database.auto_minor_version_upgrade
  apply_immediately          = var.database.apply_immediately
}

module "monitoring" {
  source = "./modules/monitoring"
  count  = var.monitoring == null ? 0 : 1

  name                 = var.name
  queue_arn            = module.feedback_queue.queue_arn
  dlq_arn              = module.feedback_queue.dlq_arn
  watch_dlq            = var.existing_queue == null || try(var.existing_queue.dlq_arn, null) != null
  subscription_dlq_arn = module.feedback_queue.subscription_dlq_arn

  # Without an image, there is no service to watch.
  worker = !local.runs_on_ecs || local.schedule != null || var.worker_image == null ? null : {
    cluster_name = module.worker_service[0].cluster_name
    service_name = module.worker_service[0].service_name
    min_tasks    = var.worker.min_tasks
  }

  function_name          = one(module.worker_lambda[*].function_name)
  sweep_interval_seconds = one(module.worker_lambda[*].sweep_interval_seconds)
  run_interval_seconds   = var.worker_image == null ? null : one(module.worker_service[*].run_interval_seconds)
  watch_worker_metrics   = var.worker == null ? false : (local.runs_on_lambda ? var.worker_package : var.worker_image) != null && lookup(var.worker.environment, "SESBOUNCE_EMF", "true") == "true"
  watch_reputation       = var.monitoring.watch_reputation
  alarm_emails           = var.monitoring.alarm_emails
  alarm_topic_arn        = var.monitoring.alarm_topic_arn
  oldest_message_seconds = var.monitoring.oldest_message_seconds
  sender_faults          = var.monitoring.sender_faults
  bounce_rate            = var.monitoring.bounce_rate
  complaint_rate         = var.monitoring.complaint_rate
  dashboard              = var.monitoring.dashboard
}

module "deploy_role" {
  source = "./modules/deploy_role"
  count  = var.github == null ? 0 : 1

  name       = var.name
  topic_name = var.topic_name
  queue_name = var.existing_queue == null ? var.queue_name : module.feedback_queue.queue_name

  existing_topic_arn  = var.existing_topic_arn
  existing_queue_arns = compact([for name in ["arn", "dlq_arn", "subscription_dlq_arn"] : try(var.existing_queue[name], null)])

  cluster_name = try(element(split("/", var.worker.cluster_arn), 1), null)

  identities         = var.identities
  configuration_sets = var.configuration_sets
  ses_api            = var.ses_api

  region     = data.aws_region.current.id
  account_id = data.aws_caller_identity.current.account_id

  permissions_boundary = var.permissions_boundary
  path                 = var.path
  repository_arn       = try(var.worker.repository_arn, null)
  secret_arns          = compact(concat([var.database_url_secret_arn, try(var.worker.webhook_secrets_arn, null), try(var.api.serve_secret_arn, null)], try(values(var.worker.secrets), []), local.password_secret_arns))
  api_may_examine      = try(var.api.doctor, false)
  function_in_vpc      = local.runs_on_lambda && var.network.vpc_id != null
  may_manage_user      = var.github.may_manage_user
  may_manage_key       = var.github.may_manage_key
  alarm_topic_arn      = try(var.monitoring.alarm_topic_arn, null)

  repository        = var.github.repository
  owner_id          = var.github.owner_id
  repository_id     = var.github.repository_id
  branches          = var.github.branches
  environments      = var.github.environments
  oidc_provider_arn = var.github.oidc_provider_arn
  state_bucket      = var.github.state_bucket
  state_key         = var.github.state_key
}

check "something_publishes" {
  assert {
    condition = (
      length(var.configuration_sets) > 0
      || anytrue([for identity in values(var.identities) : identity.notifications])
    )
    error_message = "SES publishes nothing to the topic yet: name your SES identities in var.identities, or your configuration sets in var.configuration_sets."
  }
}

check "somebody_hears_alarms" {
  assert {
    condition     = var.monitoring == null ? true : length(var.monitoring.alarm_emails) > 0 || var.monitoring.alarm_topic_arn != null
    error_message = "Nobody receives the alarms yet: name people in var.monitoring.alarm_emails, or subscribe to the topic in the output alarm_topic_arn."
  }
}
