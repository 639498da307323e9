variable "region" {
  description = "AWS region, the one that SES sends from; null takes it from the environment (AWS_REGION)."
  type        = string
  default     = null
}

variable "name" {
  description = "Names derive from it: the topic and the queue are called `<name>-feedback`, unless `topic_name` or `queue_name` says otherwise."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # What ECR, IAM and RDS all take; the modules take more, each by itself.
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,50}$", var.name))
    error_message = "name must be 1 to 51 lower-case letters, digits and single hyphens, begin with a letter and not end in a hyphen."
  }
}

variable "topic_name" {
  description = "Name of the SNS topic, e.g. the classic `SESBounce`; null derives it from `name`."
  type        = string
  default     = null
}

variable "queue_name" {
  description = "Name of the SQS queue, e.g. the classic `SESBounceSQS`; null derives it from `name`. The dead-letter queues are called `<queue name>-dlq` and `<queue name>-subscription-dlq`."
  type        = string
  default     = null
}

variable "identities" {
  description = "SES identities whose feedback goes to the topic, by address or domain. `create`: Terraform makes the identity, otherwise it exists. `notifications`: attach the topic to it. `include_original_headers`: repeat the mail's headers in each notification. `forward_feedback_by_email`: null leaves SES's own forwarding as it is."
  type = map(object({
    create                    = optional(bool, false)
    notifications             = optional(bool, true)
    include_original_headers  = optional(bool, false)
    forward_feedback_by_email = optional(bool)
  }))
  default  = {}
  nullable = false
}

variable "configuration_sets" {
  description = "SES configuration sets whose events go to the topic, by name. `create`: Terraform makes the set, otherwise it exists. `require_tls`: a set made here sends only to hosts that take TLS. `event_types`: what the set publishes, in place of `feedback_types`; besides those `DeliveryDelay`, `Subscription`, `Reject`, `RenderingFailure`, `Send`, `Open`, `Click`."
  type = map(object({
    create      = optional(bool, false)
    require_tls = optional(bool, false)
    event_types = optional(set(string))
  }))
  default  = {}
  nullable = false
}

variable "feedback_types" {
  description = "What SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, at the price of one message for each mail sent."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false
}

variable "notification_emails" {
  description = "Addresses of people who get each bounce and complaint by e-mail (never deliveries). Each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "raw_message_delivery" {
  description = "Whether SQS gets what SES said as it is, without the SNS envelope. The envelope carries the topic and the signature that the worker can check, so it stays by default."
  type        = bool
  default     = false
  nullable    = false
}

variable "visibility_timeout_seconds" {
  description = "How long a received message stays hidden from other receivers. At least six times what the handling of a batch takes: 120 gives it 20 seconds, and a message of a worker that died comes back after two minutes."
  type        = number
  default     = 120
  nullable    = false
}

variable "max_receive_count" {
  description = "After how many receives without success SQS moves a message to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "create_kms_key" {
  description = "Whether to make a KMS key that encrypts topic and queues, with a policy that lets SES and SNS use it. Without a key of your own, SQS encrypts the queues with keys that it manages, at no price."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of yours that encrypts topic and queues. Its policy must hold the statements of the output `kms_key_statements`, or SES and SNS lose messages without a word."
  type        = string
  default     = null
}

variable "worker_image" {
  description = "The worker's image, by digest (`NAME@sha256:…`). `make deploy` builds it, pushes it and sets this. Null makes all but the task and the service: the repository has to be there before an image can be pushed to it."
  type        = string
  default     = null
}

variable "worker" {
  description = "The worker on Fargate; null leaves it out, and the database with it. `environment`: settings of the worker, e.g. `SESBOUNCE_STRIKE_OFF_SQL`. `secrets`: settings that are secret, by the ARN of a secret or parameter. `min_tasks` 0 stops it while the queue is empty. The rest is described in the module `worker_service`."
  type = object({
    environment          = optional(map(string), {})
    secrets              = optional(map(string), {})
    secrets_kms_key_arns = optional(list(string), [])
    min_tasks            = optional(number, 1)
    max_tasks            = optional(number, 4)
    backlog_per_task     = optional(number, 5000)
    cpu_architecture     = optional(string, "ARM64")
    cpu_units            = optional(number, 256)
    memory_mib           = optional(number, 512)
    processes            = optional(number, 1)
    shutdown_seconds     = optional(number, 25)
    use_spot             = optional(bool, false)
    on_demand_base       = optional(number, 0)
    egress_tcp_ports     = optional(set(number), [443, 5432])
    create_repository    = optional(bool, true)
    repository_arn       = optional(string)
    cluster_arn          = optional(string)
    container_insights   = optional(bool, false)
    log_retention_days   = optional(number, 30)
  })
  default = {}
}

variable "network" {
  description = "Where worker and database run; by default in the default VPC, whose subnets are public. `vpc_id` and `worker_subnet_ids` go together. `database_subnet_ids`: those of the worker, unless told otherwise. `assign_public_ip`: null gives the worker one in the default VPC only, to reach AWS without a NAT gateway."
  type = object({
    vpc_id              = optional(string)
    worker_subnet_ids   = optional(list(string))
    database_subnet_ids = optional(list(string))
    assign_public_ip    = optional(bool)
  })
  default  = {}
  nullable = false
}

variable "database_url_secret_arn" {
  description = "ARN of a secret in Secrets Manager that holds the whole `SESBOUNCE_DATABASE_URL` of a database of yours (`ARN:KEY::` for one key of a JSON secret). Null makes a PostgreSQL in RDS for the worker."
  type        = string
  default     = null
}

variable "database" {
  description = "The PostgreSQL in RDS that is made where there is a worker and no `database_url_secret_arn`. Described in the module `database`. Before you destroy it, apply with `deletion_protection = false`."
  type = object({
    engine_version            = optional(string, "17")
    instance_class            = optional(string, "db.t4g.micro")
    allocated_storage_gib     = optional(number, 20)
    max_allocated_storage_gib = optional(number, 100)
    multi_az                  = optional(bool, false)
    backup_retention_days     = optional(number, 7)
    deletion_protection       = optional(bool, true)
    final_snapshot            = optional(bool, true)
    kms_key_arn               = optional(string)
    root_certificate          = optional(string)
  })
  default  = {}
  nullable = false
}

variable "monitoring" {
  description = "Alarms and a dashboard in CloudWatch; null leaves them out. `alarm_emails`: people who are told of alarms. The rest is described in the module `monitoring`."
  type = object({
    alarm_emails           = optional(set(string), [])
    watch_reputation       = optional(bool, true)
    oldest_message_seconds = optional(number, 900)
    bounce_rate            = optional(number, 0.04)
    complaint_rate         = optional(number, 0.0008)
    dashboard              = optional(bool, true)
  })
  default = {}
}

variable "ses_suppression_list" {
  description = "Whether the worker keeps SES's own suppression list of the account in step: it gets the right to, and `SESBOUNCE_SES_SUPPRESSION_LIST` is set."
  type        = bool
  default     = false
  nullable    = false
}

variable "consumer_may_redrive" {
  description = "Whether the worker may also read the dead-letter queues, delete from them, and send messages back to the queue. Otherwise that takes the rights of a person."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_consumer_user" {
  description = "Whether to make an IAM user for a worker outside AWS, allowed to consume this queue and nothing else."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_consumer_access_key" {
  description = "Whether to make an access key for that user. Needs `create_consumer_user` and `access_key_pgp_key`, so that the state holds only the encrypted secret."
  type        = bool
  default     = false
  nullable    = false
}

variable "access_key_pgp_key" {
  description = "PGP public key, in base64 and unarmored (`gpg --export`), or `keybase:NAME`, that encrypts the access key's secret."
  type        = string
  default     = null
}

variable "github" {
  description = "GitHub repository (`OWNER/NAME`) whose workflows may deploy this stack, by a role without keys; null makes none. `branches`, `environments`: who of it may. `oidc_provider_arn`: where the account has a provider for GitHub already. `state_bucket`, `state_key`: where the state is in S3."
  type = object({
    repository        = string
    branches          = optional(set(string), ["main"])
    environments      = optional(set(string), [])
    oidc_provider_arn = optional(string)
    state_bucket      = optional(string)
    state_key         = optional(string, "sesbounce/terraform.tfstate")
  })
  default = null
}

variable "tags" {
  description = "More tags of everything here; `Application` and `ManagedBy` are set."
  type        = map(string)
  default     = {}
  nullable    = false
}
