variable "name" {
  description = "Prefix of the resources' names. The topic and the queue are called `<name>-feedback`, unless `topic_name` or `queue_name` is set."
  type        = string
  default     = "sesbounce"
  nullable    = false
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

  validation {
    condition     = !endswith(coalesce(var.queue_name, "-"), ".fifo")
    error_message = "queue_name must not end in .fifo: SES publishes to standard topics only, and a standard topic cannot deliver to a FIFO queue. Use a standard queue; sesbounce does not depend on the order of messages and ignores duplicates."
  }

  validation {
    # The longest derived name ends in "-subscription-dlq"; SQS allows 80 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,63}$", trimsuffix(coalesce(var.queue_name, "-"), ".fifo")))
    error_message = "queue_name must have 1 to 63 characters: letters, digits, hyphens and underscores."
  }
}

variable "existing_topic_arn" {
  description = "ARN of a topic that exists, in the region that SES sends from: Terraform creates no topic, but connects SES to it and subscribes the queue. Terraform does not change its policy, which must contain the statements of the output `topic_statements`."
  type        = string
  default     = null

  validation {
    condition     = var.existing_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", var.existing_topic_arn))
    error_message = "existing_topic_arn must be the ARN of one standard SNS topic, without wildcards: SES cannot publish to a FIFO topic."
  }
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

  validation {
    condition = alltrue([
      for arn in [for name in ["arn", "dlq_arn", "subscription_dlq_arn"] : try(var.existing_queue[name], null)] :
      arn == null || can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", arn))
    ])
    error_message = "Each ARN of existing_queue must be that of one standard SQS queue, without wildcards."
  }

  validation {
    condition     = try(var.existing_queue.url, null) == null || can(regex("^https?://", var.existing_queue.url))
    error_message = "existing_queue.url must begin with https://."
  }

  validation {
    condition     = var.existing_queue == null || (var.queue_name == null && !var.create_kms_key)
    error_message = "existing_queue excludes queue_name and create_kms_key: Terraform neither names nor encrypts a queue that exists. If a key of yours encrypts it, set kms_key_arn."
  }
}

variable "extra_topic_arns" {
  description = "ARNs of SNS topics of other regions or accounts whose messages the queue accepts. The module `feedback_topic` creates such a topic and subscribes the queue to it."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.extra_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "Each element of extra_topic_arns must be the ARN of one standard SNS topic, without wildcards: SES cannot publish to a FIFO topic."
  }
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
  description = "Number of seconds for which SQS hides a received message from other receivers. Set it to at least six times the time that a worker needs for a batch: 120 allows 20 seconds. A worker asks for its own time with each receive, which takes precedence: the stack sets `SESBOUNCE_VISIBILITY_SECONDS` of its worker to this number. If a worker dies, SQS delivers its messages again after this time."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.visibility_timeout_seconds >= 30 && var.visibility_timeout_seconds <= 43200 && floor(var.visibility_timeout_seconds) == var.visibility_timeout_seconds
    error_message = "visibility_timeout_seconds must be a whole number from 30 to 43200 (12 hours)."
  }
}

variable "receive_wait_time_seconds" {
  description = "Number of seconds for which a receive without a wait of its own waits for messages; SQS's own default is 0. The worker sets its own wait with each receive."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.receive_wait_time_seconds >= 0 && var.receive_wait_time_seconds <= 20 && floor(var.receive_wait_time_seconds) == var.receive_wait_time_seconds
    error_message = "receive_wait_time_seconds must be a whole number from 0 to 20."
  }
}

variable "message_retention_seconds" {
  description = "Number of seconds after which SQS deletes a message that nobody has handled. The default is the longest time that SQS allows, 14 days: SES publishes feedback only once. SQS's own default is 345600, 4 days."
  type        = number
  default     = 1209600
  nullable    = false

  validation {
    condition     = var.message_retention_seconds >= 86400 && var.message_retention_seconds <= 1209600 && floor(var.message_retention_seconds) == var.message_retention_seconds
    error_message = "message_retention_seconds must be a whole number from 86400 to 1209600 (1 to 14 days): a worker that is down for a weekend must lose nothing."
  }
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

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 1 to 1000."
  }
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

  validation {
    condition     = var.kms_key_arn == null || !var.create_kms_key
    error_message = "Set create_kms_key or kms_key_arn, not both: the first creates a key, the second names an existing one."
  }
}

variable "tags" {
  description = "Tags of each resource that this module creates and AWS can tag."
  type        = map(string)
  default     = {}
  nullable    = false
}
