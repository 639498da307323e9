variable "region" {
  description = "AWS region that SES sends from; null takes the region from the environment (AWS_REGION)."
  type        = string
  default     = null
}

variable "name" {
  description = "Prefix of the resources' names. The topic and the queue are called `<name>-feedback`, unless `topic_name` or `queue_name` is set."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # ECR, IAM and RDS all accept such a name; each module alone accepts more.
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,50}$", var.name))
    error_message = "name must have 1 to 51 characters: lower-case letters, digits and single hyphens. It must begin with a letter and must not end in a hyphen."
  }
}

variable "topic_name" {
  description = "Name of the SNS topic, for example `SESBounce`; null derives it from `name`."
  type        = string
  default     = null
}

variable "queue_name" {
  description = "Name of the SQS queue, for example `SESBounceSQS`; null derives it from `name`. The dead-letter queues are called `<queue name>-dlq` and `<queue name>-subscription-dlq`."
  type        = string
  default     = null
}

variable "existing_topic_arn" {
  description = "ARN of a topic that exists, in the region that SES sends from: Terraform creates no topic, but connects SES to it and subscribes the queue. Terraform does not change its policy, which must contain the statements of the output `topic_statements`."
  type        = string
  default     = null
}

variable "existing_queue" {
  description = "Queue that exists: Terraform creates no queue but the subscription's dead-letter queue, and that only without `subscription_dlq_arn`. Terraform does not change the policy of the queue, which must contain the statements of the output `queue_statements`, nor its other settings; for a function in AWS Lambda, its visibility timeout must be at least six times the function's. `url`: null derives it from `arn`. `dlq_arn`, `subscription_dlq_arn`: its dead-letter queues, which alarms then watch."
  type = object({
    arn                  = string
    url                  = optional(string)
    dlq_arn              = optional(string)
    subscription_dlq_arn = optional(string)
  })
  default = null
}

variable "extra_topic_arns" {
  description = "ARNs of SNS topics of other regions or accounts whose messages the queue accepts. The module `feedback_topic` creates such a topic and subscribes the queue to it."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "identities" {
  description = "SES identities, by address or domain, whose feedback SES publishes to the topic. `create`: Terraform creates the identity, a domain with Easy DKIM; otherwise it must exist. `notifications`: Terraform attaches the topic to the identity. `include_original_headers`: SES repeats the mail's headers in each notification. `forward_feedback_by_email`: whether SES also sends the feedback by e-mail; null does not change the identity's setting. For a domain with `create`: `mail_from_domain`, a subdomain that SES names as the sender of the envelope, so that SPF is about your domain; `mail_from_required`: SES rejects the mail while that subdomain has no MX record, and does not send it as `amazonses.com`; `route53_zone_id`: Terraform creates the DNS records in this hosted zone, except DMARC's."
  type = map(object({
    create                    = optional(bool, false)
    notifications             = optional(bool, true)
    include_original_headers  = optional(bool, false)
    forward_feedback_by_email = optional(bool)
    mail_from_domain          = optional(string)
    mail_from_required        = optional(bool, false)
    route53_zone_id           = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "configuration_sets" {
  description = "SES configuration sets, by name, whose events SES publishes to the topic. `create`: Terraform creates the set; otherwise it must exist. `require_tls`: SES sends the mail of a set created here only to hosts that support TLS. `suppressed_reasons`: for which reasons SES's suppression list holds for a set created here, `BOUNCE`, `COMPLAINT` or both; null leaves it to the account's setting. `event_types`: the types that SES publishes for this set, in place of `feedback_types`: those, `DeliveryDelay`, `Subscription`, `Reject`, `RenderingFailure`, `Send`, `Open` and `Click`. A type that each mail has (`Delivery`, `Send`) costs what `feedback_types` says of deliveries."
  type = map(object({
    create             = optional(bool, false)
    require_tls        = optional(bool, false)
    suppressed_reasons = optional(set(string))
    event_types        = optional(set(string))
  }))
  default  = {}
  nullable = false
}

variable "feedback_types" {
  description = "Types of feedback that SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, but each mail sent then costs a message: a million, 0.50 USD of SNS and 3 × 0.40 USD of SQS; less of SQS where messages always wait."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false
}

variable "ses_api" {
  description = "Version of SES's API by which Terraform creates identities, configuration sets and their event destinations: `v2`, or `v1` for emulators that have no other. Version 1 signs no mail of a created domain with DKIM."
  type        = string
  default     = "v2"
  nullable    = false
}

variable "dkim_domain" {
  description = "Domain of SES's DKIM keys, to which the DKIM records of created domains lead; null takes the one that AWS documents for the region. `aws sesv2 get-email-identity` prints it as `SigningHostedZone`."
  type        = string
  default     = null
}

variable "notification_emails" {
  description = "E-mail addresses of people to whom SNS sends each bounce and complaint (never deliveries). Each person must confirm the subscription once."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "raw_message_delivery" {
  description = "Whether SNS delivers SES's notifications to the queue without the SNS envelope. The envelope carries the topic and the signature, which the worker can check, so SNS keeps it by default."
  type        = bool
  default     = false
  nullable    = false
}

variable "visibility_timeout_seconds" {
  description = "Number of seconds for which SQS hides a received message from other receivers. Set it to at least six times the time that a worker needs for a batch: 120 allows 20 seconds. A worker asks for its own time with each receive, which takes precedence: the stack sets `SESBOUNCE_VISIBILITY_SECONDS` of its worker to this number. If a worker dies, SQS delivers its messages again after this time. Null means 120, and with `worker.mode = \"lambda\"` six times the function's timeout, as AWS demands."
  type        = number
  default     = null

  validation {
    condition = var.visibility_timeout_seconds == null || try(var.worker.mode, null) != "lambda" ? true : (
      var.visibility_timeout_seconds >= 6 * var.worker.function.timeout_seconds + var.worker.function.batching_window_seconds
    )
    error_message = "visibility_timeout_seconds must be at least six times worker.function.timeout_seconds, plus worker.function.batching_window_seconds. Null takes that."
  }
}

variable "receive_wait_time_seconds" {
  description = "Number of seconds for which a receive without a wait of its own waits for messages; SQS's own default is 0. The worker sets its own wait with each receive."
  type        = number
  default     = 20
  nullable    = false
}

variable "message_retention_seconds" {
  description = "Number of seconds after which SQS deletes a message that nobody has handled. The default is the longest time that SQS allows, 14 days: SES publishes feedback only once. SQS's own default is 345600, 4 days."
  type        = number
  default     = 1209600
  nullable    = false
}

variable "sqs_managed_encryption" {
  description = "Whether SQS encrypts the queue with keys that it manages, free of charge; only without a KMS key. Null leaves the queue as it is: SQS encrypts queues that were created since October 2022."
  type        = bool
  default     = true
}

variable "max_receive_count" {
  description = "Number of unsuccessful receives after which SQS moves a message to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "create_kms_key" {
  description = "Whether Terraform creates a KMS key that encrypts the topic and the queues, with a policy that lets SES and SNS use it. Without a KMS key, SQS encrypts the queues with keys that it manages, free of charge."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of your own KMS key, if it is to encrypt the topic and the queues. The key's policy must contain the statements of the output `kms_key_statements`; otherwise SES and SNS lose messages and report no error."
  type        = string
  default     = null
}

variable "worker_image" {
  description = "The worker's image, by digest (`NAME@sha256:…`). `make deploy` builds the image, pushes it and sets this variable. With null, Terraform creates everything except the task definition and the service: the repository must exist before an image can be pushed to it."
  type        = string
  default     = null
}

variable "worker_package" {
  description = "Path of the zip file with which AWS Lambda runs the worker, for `worker.mode = \"lambda\"`. `make deploy` builds the file and sets this variable. With null, Terraform creates everything except the function and what calls it."
  type        = string
  default     = null
}

variable "worker" {
  description = "The worker; with null, Terraform creates no worker and no database. `mode`: `service` keeps a task running on Fargate; `scheduled` starts a task by `schedule`, a `rate(…)` or `cron(…)` of EventBridge Scheduler, which handles the waiting messages and ends; `lambda` runs a function in AWS Lambda when messages arrive, which needs a database of your own (`database_url_secret_arn`); `function` is for it alone, and the module `worker_lambda` describes its attributes. `use_spot`: null means Spot in the mode `scheduled` only. `environment`: settings of the worker, for example `SESBOUNCE_STRIKE_OFF_SQL`. `secrets`: settings that are secret, each by the ARN of a secret or parameter. `webhooks` and `webhook_secrets_arn`: URLs of webhooks by name, and the ARN of the secret that holds their secrets (docs/webhooks.md). A statement in `SESBOUNCE_STRIKE_OFF_SQL` runs in the database of `SESBOUNCE_DATABASE_URL`: give the URL of your own database (or `SESBOUNCE_STRIKE_OFF_DATABASE_URL`), or create your tables in the one that Terraform creates, and grant the worker's user its rights on them. `min_tasks` 0 stops the worker while the queue is empty. `egress_tcp_ports`: null allows 443, and 5432 to the database that Terraform creates or, with your own, to any. The module `worker_service` describes the other attributes."
  type = object({
    mode                 = optional(string, "service")
    schedule             = optional(string, "rate(15 minutes)")
    environment          = optional(map(string), {})
    secrets              = optional(map(string), {})
    secrets_kms_key_arns = optional(list(string), [])
    webhook_secrets_arn  = optional(string)
    min_tasks            = optional(number, 1)
    max_tasks            = optional(number, 4)
    backlog_per_task     = optional(number, 5000)
    cpu_architecture     = optional(string, "ARM64")
    cpu_units            = optional(number, 256)
    memory_mib           = optional(number, 512)
    processes            = optional(number, 1)
    shutdown_seconds     = optional(number, 25)
    use_spot             = optional(bool)
    on_demand_base       = optional(number, 0)
    egress_tcp_ports     = optional(set(number))
    egress_cidr_ipv4     = optional(map(string), {})
    create_repository    = optional(bool, true)
    repository_arn       = optional(string)
    cluster_arn          = optional(string)
    container_insights   = optional(bool, false)
    log_retention_days   = optional(number, 30)
    log_kms_key_arn      = optional(string)
    webhooks = optional(map(object({
      url     = string
      types   = optional(list(string), [])
      reasons = optional(list(string), [])
    })), {})
    function = optional(object({
      memory_mib              = optional(number, 256)
      timeout_seconds         = optional(number, 60)
      batch_size              = optional(number, 100)
      batching_window_seconds = optional(number, 5)
      maximum_concurrency     = optional(number, 2)
      reserved_concurrency    = optional(number)
      sweep_schedule          = optional(string, "rate(1 hour)")
      ipv6                    = optional(bool, false)
    }), {})
  })
  default = {}

  validation {
    condition     = var.worker == null ? true : contains(["service", "scheduled", "lambda"], var.worker.mode)
    error_message = "worker.mode must be service, scheduled or lambda."
  }

  validation {
    condition = try(var.worker.mode, null) != "lambda" || var.database_url_secret_arn != null || contains(
      try(concat(keys(var.worker.environment), keys(var.worker.secrets)), []), "SESBOUNCE_DATABASE_URL"
    )
    error_message = "worker.mode = \"lambda\" needs a database of your own: set database_url_secret_arn. Terraform creates a database only for a worker in ECS."
  }

  validation {
    # From five minutes to a day.
    condition = var.worker == null ? true : (
      can(regex("^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.worker.schedule))
      || can(regex("^rate\\(([5-9]|[1-9]\\d|[1-9]\\d\\d|1[0-3]\\d\\d|14[0-3]\\d|1440) minutes\\)$", var.worker.schedule))
      || can(regex("^rate\\((1 hour|([2-9]|1\\d|2[0-4]) hours|1 day)\\)$", var.worker.schedule))
    )
    error_message = "worker.schedule must be a rate from five minutes to one day, such as rate(15 minutes), rate(1 hour) or rate(1 day), or a cron(…) with six fields. For less than five minutes, the mode service costs less."
  }
}

variable "api" {
  description = "A service in ECS for the HTTP API (`sesbounce serve`, docs/api.md) beside a worker in ECS, with its image, settings, secrets, database and network; with null, Terraform creates none. Before that, the worker must have run, and the first token must be there: `make cli ARGS='token create crm --scope check'`. Programs reach the service either by your load balancer (`target_group_arn`) or by AWS Cloud Map (`cloud_map_service_arn`), and only from `client_security_group_ids`. `environment`: further settings, for example `SESBOUNCE_SERVE_RATE`. `console`: whether people get the console in browsers as well, which needs `serve_secret_arn` (docs/console.md). `doctor`: whether the console may examine the path from SES to the database, for which the server's role may look at SES, the topics, the queues, the key and their metrics. `dead_letters`: the server's rights on the dead-letter queues for the console: `none`, `look`, or `handle`, with which an operator of the console can delete dead letters and send them to the queue. The module `api_service` describes the attributes."
  type = object({
    target_group_arn          = optional(string)
    cloud_map_service_arn     = optional(string)
    client_security_group_ids = map(string)
    port                      = optional(number, 8080)
    tasks                     = optional(number, 2)
    cpu_units                 = optional(number, 256)
    memory_mib                = optional(number, 512)
    environment               = optional(map(string), {})
    console                   = optional(bool, false)
    serve_secret_arn          = optional(string)
    doctor                    = optional(bool, false)
    dead_letters              = optional(string, "none")
  })
  default = null

  validation {
    condition     = contains(["none", "look", "handle"], try(var.api.dead_letters, "none"))
    error_message = "api.dead_letters must be none, look or handle."
  }

  validation {
    condition     = try(var.api.console || (!var.api.doctor && var.api.dead_letters == "none"), true)
    error_message = "api.doctor and api.dead_letters are for the console: set api.console = true as well."
  }

  validation {
    condition     = try(!var.api.console, true) || try(var.api.serve_secret_arn, null) != null
    error_message = "api.console needs api.serve_secret_arn, the ARN of the secret for SESBOUNCE_SERVE_SECRET: all tasks need one secret, because a session that one task begins goes on at another one."
  }

  validation {
    condition     = var.api == null || contains(["service", "scheduled"], try(var.worker.mode, "none"))
    error_message = "api needs a worker in ECS, whose image it runs: worker.mode must be service or scheduled."
  }
}

variable "network" {
  description = "Network of the worker and the database; the default is the default VPC, whose subnets are public. Set `vpc_id` and `worker_subnet_ids` together. `database_subnet_ids`: null takes the worker's subnets. `worker_security_group_ids`: your own security groups, which the worker gets beside the one that Terraform creates. `assign_public_ip`: null gives the worker a public address in the default VPC only, so that it reaches AWS without a NAT gateway."
  type = object({
    vpc_id                    = optional(string)
    worker_subnet_ids         = optional(list(string))
    worker_security_group_ids = optional(list(string), [])
    database_subnet_ids       = optional(list(string))
    assign_public_ip          = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "database_url_secret_arn" {
  description = "ARN of a secret in Secrets Manager that holds the whole `SESBOUNCE_DATABASE_URL` of your own database (`ARN:KEY::` for one key of a JSON secret). With null, Terraform creates a PostgreSQL in RDS for the worker, unless `worker.environment` or `worker.secrets` contains `SESBOUNCE_DATABASE_URL`."
  type        = string
  default     = null
}

variable "database" {
  description = "The PostgreSQL in RDS, which Terraform creates if there is a worker and you give it no URL of your own database. `client_security_group_ids`: security groups, each by a name of your choice, that may connect besides the worker. The module `database` describes the attributes. Before you destroy the database, apply with `deletion_protection = false`."
  type = object({
    engine_version             = optional(string, "17")
    instance_class             = optional(string, "db.t4g.micro")
    allocated_storage_gib      = optional(number, 20)
    max_allocated_storage_gib  = optional(number, 100)
    multi_az                   = optional(bool, false)
    backup_retention_days      = optional(number, 7)
    deletion_protection        = optional(bool, true)
    final_snapshot             = optional(bool, true)
    kms_key_arn                = optional(string)
    root_certificate           = optional(string, "rds")
    iam_authentication         = optional(bool, true)
    client_security_group_ids  = optional(map(string), {})
    snapshot_identifier        = optional(string)
    auto_minor_version_upgrade = optional(bool, true)
    apply_immediately          = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "monitoring" {
  description = "Alarms and a dashboard in CloudWatch; with null, Terraform creates none. `alarm_emails`: e-mail addresses of people to whom SNS sends the alarms. `alarm_topic_arn`: your own SNS topic, in place of one that Terraform creates. The module `monitoring` describes the other attributes."
  type = object({
    alarm_emails           = optional(set(string), [])
    alarm_topic_arn        = optional(string)
    watch_reputation       = optional(bool, true)
    oldest_message_seconds = optional(number)
    sender_faults          = optional(number, 100)
    bounce_rate            = optional(number, 0.04)
    complaint_rate         = optional(number, 0.0008)
    dashboard              = optional(bool, true)
  })
  default = {}
}

variable "ses_suppression_list" {
  description = "Whether the worker also adds suppressed addresses to SES's own suppression list of the account and removes released ones. Terraform sets `SESBOUNCE_SES_SUPPRESSION_LIST` and gives the worker the rights."
  type        = bool
  default     = false
  nullable    = false
}

variable "consumer_may_redrive" {
  description = "Whether the worker may also read the dead-letter queues, delete messages from them and send messages to the queue: `make cli ARGS=\"dlq list\"` needs that. With false, a person handles dead letters (`sesbounce dlq`), whose role needs the policy in the output `dlq_operator_policy`."
  type        = bool
  default     = false
  nullable    = false
}

variable "count_dead_letters" {
  description = "Whether the worker counts the messages in the dead-letter queue for the console. Terraform sets `SESBOUNCE_DEAD_LETTER_QUEUE_URL` and gives the worker the right `sqs:GetQueueAttributes` on that queue, by which it can't read a message. A worker in AWS Lambda does not count them."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.count_dead_letters || var.existing_queue == null || try(var.existing_queue.dlq_arn, null) != null
    error_message = "count_dead_letters needs a dead-letter queue: name it in existing_queue.dlq_arn."
  }
}

variable "create_consumer_user" {
  description = "Whether Terraform creates an IAM user for a worker outside AWS. The user may consume this queue and do nothing else."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_consumer_access_key" {
  description = "Whether Terraform creates an access key for that user. It needs `create_consumer_user` and `access_key_pgp_key`, so that the state holds only the encrypted secret."
  type        = bool
  default     = false
  nullable    = false
}

variable "access_key_pgp_key" {
  description = "PGP public key that encrypts the access key's secret: in base64 and unarmored (`gpg --export`), or `keybase:NAME`."
  type        = string
  default     = null
}

variable "github" {
  description = "GitHub repository (`OWNER/NAME`) whose workflows may deploy this stack by assuming a role, without keys; with null, Terraform creates no role. `owner_id`, `repository_id`: the numbers of the repository and its owner, which the tokens of newer repositories contain. `branches`, `environments`: branches and GitHub environments whose workflows may assume the role. `may_manage_user`, `may_manage_key`: whether the role may also change the consumer's user with its access keys, and the stack's KMS key. `oidc_provider_arn`: ARN of the account's OIDC provider for GitHub, if there is one. `state_bucket`, `state_key`: S3 bucket and key of Terraform's state."
  type = object({
    repository        = string
    owner_id          = optional(string)
    repository_id     = optional(string)
    branches          = optional(set(string), ["main"])
    environments      = optional(set(string), [])
    oidc_provider_arn = optional(string)
    state_bucket      = optional(string)
    state_key         = optional(string, "sesbounce/terraform.tfstate")
    may_manage_user   = optional(bool, false)
    may_manage_key    = optional(bool, false)
  })
  default = null
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of each role and user that Terraform creates, for an account whose rules require one. With null and `github`, Terraform creates a boundary, `<name>-boundary`, which limits the stack's roles to the stack's own queues, secrets and log."
  type        = string
  default     = null
}

variable "path" {
  description = "IAM path of the roles, the policies and the user that Terraform creates, for example `/mail/`. Choose it before the first deployment: IAM cannot move them."
  type        = string
  default     = "/"
  nullable    = false
}

variable "tags" {
  description = "Further tags of each resource; Terraform also sets `Application` and `ManagedBy`, unless you do. AWS ignores the case of a tag's key."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = "tags must not contain two keys that differ only by their case: AWS rejects them."
  }

  validation {
    # The role recognises the stack's resources by this tag.
    condition     = var.github == null || alltrue([for key, value in var.tags : value == var.name if lower(key) == "application"])
    error_message = "tags must not set Application to another value than name as long as github makes a role: the role may change only resources with Application = name."
  }
}
