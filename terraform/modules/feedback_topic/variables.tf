variable "name" {
  description = "Prefix of the resources' names. The topic is called `<name>-feedback`, unless `topic_name` is set."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # The longest derived name ends in "-feedback-subscription-dlq"; SQS allows 80 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,54}$", var.name))
    error_message = "name must have 1 to 54 characters: letters, digits, hyphens and underscores."
  }
}

variable "topic_name" {
  description = "Name of the SNS topic, for example `SESBounce`; null derives it from `name`."
  type        = string
  default     = null

  validation {
    condition     = !endswith(coalesce(var.topic_name, "-"), ".fifo")
    error_message = "topic_name must not end in .fifo: SES cannot publish to a FIFO topic. Use a standard topic; sesbounce does not depend on the order of messages and ignores duplicates."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,256}$", trimsuffix(coalesce(var.topic_name, "-"), ".fifo")))
    error_message = "topic_name must have 1 to 256 characters: letters, digits, hyphens and underscores."
  }
}

variable "existing_topic" {
  description = "Topic that exists, in the region of this module's provider, by its ARN: Terraform creates no topic and does not change its policy, which must contain the statements of the output `topic_statements`. The topic may belong to another account."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.existing_topic == null ? true : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", var.existing_topic.arn))
    error_message = "existing_topic.arn must be the ARN of one standard SNS topic, without wildcards: SES cannot publish to a FIFO topic."
  }

  validation {
    condition     = var.existing_topic == null || var.topic_name == null
    error_message = "Set topic_name or existing_topic, not both: the first names a topic that Terraform creates."
  }
}

variable "queue_arn" {
  description = "ARN of the SQS queue that receives the feedback, also in another region. Its policy must let the topic send to it."
  type        = string
  default     = null

  validation {
    condition     = var.queue_arn == null ? !var.subscribe_queue : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", var.queue_arn))
    error_message = "queue_arn must be the ARN of one standard queue (a standard topic cannot deliver to a FIFO queue), unless subscribe_queue is false."
  }
}

variable "subscribe_queue" {
  description = "Whether Terraform subscribes the queue to the topic. Set it to false where the queue belongs to another account, which must subscribe the queue itself."
  type        = bool
  default     = true
  nullable    = false
}

variable "subscriber_account_ids" {
  description = "Numbers of other accounts that may subscribe their queues to the topic."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account_id in var.subscriber_account_ids : can(regex("^\\d{12}$", account_id))])
    error_message = "Each element of subscriber_account_ids must be the number of an AWS account, with 12 digits."
  }

  validation {
    condition     = length(var.subscriber_account_ids) == 0 || var.existing_topic == null
    error_message = "subscriber_account_ids needs a topic that Terraform creates: it does not change the policy of an existing one."
  }
}

variable "subscription_dlq" {
  description = "Dead-letter queue of the subscription that exists, by its ARN; null creates one. It must be in the region of the topic and in the account of the queue, and its policy must let the topic send to it."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.subscription_dlq == null ? true : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", var.subscription_dlq.arn))
    error_message = "subscription_dlq.arn must be the ARN of one standard queue, without wildcards."
  }
}

variable "dlq_topic_arns" {
  description = "ARNs of further topics of this region whose undelivered messages the subscription's dead-letter queue accepts."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.dlq_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "Each element of dlq_topic_arns must be the ARN of one standard SNS topic, without wildcards."
  }
}

variable "subscription_dlq_name" {
  description = "Name of the subscription's dead-letter queue; null calls it `<topic name>-subscription-dlq`."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", coalesce(var.subscription_dlq_name, "-")))
    error_message = "subscription_dlq_name must have 1 to 80 characters: letters, digits, hyphens and underscores."
  }
}

variable "identities" {
  description = "SES identities, by address or domain, whose feedback SES publishes to the topic. `create`: Terraform creates the identity; otherwise it must exist. `notifications`: Terraform attaches the topic to the identity. `include_original_headers`: SES repeats the mail's headers in each notification. `forward_feedback_by_email`: whether SES also sends the feedback by e-mail; null does not change the identity's setting."
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
    error_message = "Each key of identities must be an e-mail address or a domain, not an ARN. Write the domain in lower case, as SES does."
  }

  validation {
    condition = alltrue([
      for identity in values(var.identities) :
      coalesce(identity.forward_feedback_by_email, true)
      || (identity.notifications && length(setintersection(var.feedback_types, ["Bounce", "Complaint"])) == 2)
    ])
    error_message = "forward_feedback_by_email can be false only if SES publishes the identity's bounces and complaints: set notifications = true for the identity and include Bounce and Complaint in feedback_types, or leave forward_feedback_by_email null."
  }
}

variable "configuration_sets" {
  description = "SES configuration sets, by name, whose events SES publishes to the topic. `create`: Terraform creates the set; otherwise it must exist. `require_tls`: SES sends the mail of a set created here only to hosts that support TLS. `event_types`: the types that SES publishes for this set, in place of `feedback_types`: those, `DeliveryDelay`, `Subscription`, `Reject`, `RenderingFailure`, `Send`, `Open` and `Click`."
  type = map(object({
    create      = optional(bool, false)
    require_tls = optional(bool, false)
    event_types = optional(set(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for set in keys(var.configuration_sets) : can(regex("^[A-Za-z0-9_-]{1,64}$", set))])
    error_message = "Each key of configuration_sets must have 1 to 64 characters: letters, digits, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for set in values(var.configuration_sets) : set.create || !set.require_tls])
    error_message = "require_tls needs create = true: Terraform does not change the setting of an existing configuration set."
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
    error_message = "event_types must contain at least one of Bounce, Complaint, Delivery, DeliveryDelay, Subscription, Reject, RenderingFailure, Send, Open and Click, and nothing else."
  }
}

variable "feedback_types" {
  description = "Types of feedback that SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, but deliveries cost one message for each mail sent."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false

  validation {
    condition     = length(var.feedback_types) > 0 && length(setsubtract(var.feedback_types, ["Bounce", "Complaint", "Delivery"])) == 0
    error_message = "feedback_types must contain at least one of Bounce, Complaint and Delivery, and nothing else."
  }
}

variable "notification_emails" {
  description = "E-mail addresses of people to whom SNS sends each bounce and complaint (never deliveries). Each person must confirm the subscription once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", email))])
    error_message = "Each element of notification_emails must be an e-mail address."
  }
}

variable "raw_message_delivery" {
  description = "Whether SNS delivers SES's notifications to the queue without the SNS envelope. The envelope carries the topic and the signature, which the worker can check, so SNS keeps it by default."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of your own KMS key, if it is to encrypt the topic and the subscription's dead-letter queue. The key's policy must let SES and SNS use it; otherwise they lose messages and report no error. The module `feedback_queue` has an output with the statements."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias. The alias alias/aws/sns cannot work at all: its key's policy does not let SES publish, and nobody can change that policy."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics, in the region of this topic, to which CloudWatch publishes an alarm when the subscription's dead-letter queue receives a message. The module `monitoring` watches only the queues of its own region."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "Each element of alarm_topic_arns must be the ARN of one standard SNS topic."
  }
}

variable "publish_after" {
  description = "Resources that must exist before SES publishes to the topic, for example the policy of its KMS key."
  type        = any
  default     = null
}

variable "tags" {
  description = "Tags of each resource that this module creates and AWS can tag."
  type        = map(string)
  default     = {}
  nullable    = false
}
