variable "name" {
  description = "Names derive from it: the topic and the queue are called `<name>-feedback`, unless `topic_name` or `queue_name` says otherwise."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # The longest name made of it ends in "-feedback-subscription-dlq"; SQS takes 80 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,54}$", var.name))
    error_message = "name must be 1 to 54 letters, digits, hyphens or underscores."
  }
}

variable "topic_name" {
  description = "Name of the SNS topic, e.g. the classic `SESBounce`; null derives it from `name`."
  type        = string
  default     = null

  validation {
    condition     = !endswith(coalesce(var.topic_name, "-"), ".fifo")
    error_message = "topic_name must not end in .fifo: SES cannot publish to a FIFO topic. Use a standard topic; sesbounce needs no order and drops repetitions itself."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,256}$", trimsuffix(coalesce(var.topic_name, "-"), ".fifo")))
    error_message = "topic_name must be 1 to 256 letters, digits, hyphens or underscores."
  }
}

variable "queue_name" {
  description = "Name of the SQS queue, e.g. the classic `SESBounceSQS`; null derives it from `name`. The dead-letter queues are called `<queue name>-dlq` and `<queue name>-subscription-dlq`."
  type        = string
  default     = null

  validation {
    condition     = !endswith(coalesce(var.queue_name, "-"), ".fifo")
    error_message = "queue_name must not end in .fifo: SES publishes to standard topics only, and those cannot feed a FIFO queue. Use a standard queue; sesbounce needs no order and drops repetitions itself."
  }

  validation {
    # "-subscription-dlq" is added to it; SQS takes 80 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,63}$", trimsuffix(coalesce(var.queue_name, "-"), ".fifo")))
    error_message = "queue_name must be 1 to 63 letters, digits, hyphens or underscores."
  }
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

  validation {
    condition = alltrue([
      for identity in keys(var.identities) :
      can(regex("^([^@\\s]+@)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9-]*[a-z0-9]$", identity))
    ])
    error_message = "Each key of identities must be an e-mail address or a domain, its domain in lower case (SES tells it in lower case), not an ARN."
  }

  validation {
    condition = alltrue([
      for identity in values(var.identities) :
      coalesce(identity.forward_feedback_by_email, true)
      || (identity.notifications && length(setintersection(var.feedback_types, ["Bounce", "Complaint"])) == 2)
    ])
    error_message = "forward_feedback_by_email can be false only where SES publishes bounces and complaints of the identity otherwise: set its notifications = true and let feedback_types hold Bounce and Complaint, or leave forward_feedback_by_email null."
  }
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

  validation {
    condition     = alltrue([for set in keys(var.configuration_sets) : can(regex("^[A-Za-z0-9_-]{1,64}$", set))])
    error_message = "Each key of configuration_sets must be 1 to 64 letters, digits, hyphens or underscores."
  }

  validation {
    condition     = alltrue([for set in values(var.configuration_sets) : set.create || !set.require_tls])
    error_message = "require_tls is for sets with create = true: a set that exists keeps its own setting."
  }

  validation {
    condition = alltrue([
      for set in values(var.configuration_sets) : set.event_types == null ? true : (
        length(set.event_types) > 0 && length(setsubtract(set.event_types, [
          "Bounce", "Complaint", "Delivery", "DeliveryDelay", "Subscription",
          "Reject", "RenderingFailure", "Send", "Open", "Click",
        ])) == 0
      )
    ])
    error_message = "event_types must hold at least one of Bounce, Complaint, Delivery, DeliveryDelay, Subscription, Reject, RenderingFailure, Send, Open, Click, and nothing else."
  }
}

variable "feedback_types" {
  description = "What SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, at the price of one message for each mail sent."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false

  validation {
    condition     = length(var.feedback_types) > 0 && length(setsubtract(var.feedback_types, ["Bounce", "Complaint", "Delivery"])) == 0
    error_message = "feedback_types must hold at least one of Bounce, Complaint, Delivery, and nothing else."
  }
}

variable "notification_emails" {
  description = "Addresses of people who get each bounce and complaint by e-mail (never deliveries). Each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", email))])
    error_message = "Each of notification_emails must be an e-mail address."
  }
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

  validation {
    condition     = var.visibility_timeout_seconds >= 30 && var.visibility_timeout_seconds <= 43200 && floor(var.visibility_timeout_seconds) == var.visibility_timeout_seconds
    error_message = "visibility_timeout_seconds must be a whole number from 30 to 43200 (12 hours)."
  }
}

variable "max_receive_count" {
  description = "After how many receives without success SQS moves a message to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 1 to 1000."
  }
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

  validation {
    condition     = var.kms_key_arn == null || !var.create_kms_key
    error_message = "create_kms_key and kms_key_arn exclude each other: make a key, or name yours."
  }

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key. An alias won't do, alias/aws/sns least of all: SES can't publish through a key whose policy can't be changed."
  }
}

variable "tags" {
  description = "Tags of everything here that can be tagged."
  type        = map(string)
  default     = {}
  nullable    = false
}
