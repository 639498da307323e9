# Your own stack, composed of the modules, if the stack in terraform/ does not fit: in your own network,
# with Fargate Spot, a KMS key and three sending identities.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = "sesbounce" }
  }
}

module "feedback_queue" {
  source = "../../modules/feedback_queue"

  identities = {
    "example.com"      = { include_original_headers = true }
    "example.org"      = { create = true, mail_from_domain = "bounce.example.org" }
    "news@example.com" = { forward_feedback_by_email = false }
  }

  configuration_sets = {
    transactional = {}
    newsletter    = { create = true, event_types = ["Bounce", "Complaint", "Delivery", "DeliveryDelay", "Subscription"] }
  }

  notification_emails = ["postmaster@example.com"]
  create_kms_key      = true
}

module "queue_consumer" {
  source = "../../modules/queue_consumer"

  queue_arn   = module.feedback_queue.queue_arn
  kms_key_arn = module.feedback_queue.kms_key_arn
}

module "worker_service" {
  source = "../../modules/worker_service"

  image            = var.worker_image
  queue_arn        = module.feedback_queue.queue_arn
  queue_url        = module.feedback_queue.queue_url
  task_policy_arns = { consumer = module.queue_consumer.policy_arn }

  vpc_id     = var.vpc_id
  subnet_ids = var.private_subnet_ids
  use_spot   = true
  max_tasks  = 8

  environment = {
    SESBOUNCE_TOPIC_ARNS             = module.feedback_queue.topic_arn
    SESBOUNCE_DATABASE_URL           = module.database.url
    SESBOUNCE_DATABASE_PASSWORD_FROM = module.database.password_from
    SESBOUNCE_MIGRATE                = "false"
  }
  secrets = { SESBOUNCE_HASH_KEY = var.hash_key_parameter_arn }

  # The worker connects as a user that may not change the schema; the master user makes both.
  task_policies = { database = module.database.application_policy }
  migration = {
    command     = ["db", "upgrade", "--application-user", module.database.application_user, "--read-only-user", module.database.reader_user]
    environment = { SESBOUNCE_DATABASE_URL = module.database.migration_url }
    secrets     = { SESBOUNCE_DATABASE_PASSWORD = module.database.password_secret }
  }

  egress_security_groups = { database = { id = module.database.security_group_id, port = module.database.port } }
}

module "database" {
  source = "../../modules/database"

  vpc_id                    = var.vpc_id
  subnet_ids                = var.private_subnet_ids
  client_security_group_ids = { worker = module.worker_service.security_group_id }
  instance_class            = "db.t4g.small"
}

module "monitoring" {
  source = "../../modules/monitoring"

  queue_arn            = module.feedback_queue.queue_arn
  dlq_arn              = module.feedback_queue.dlq_arn
  subscription_dlq_arn = module.feedback_queue.subscription_dlq_arn
  alarm_emails         = ["operator@example.com"]

  # Without an image, there is no worker to watch.
  watch_worker_metrics = var.worker_image != null
  worker = var.worker_image == null ? null : {
    cluster_name = module.worker_service.cluster_name
    service_name = module.worker_service.service_name
  }
}
