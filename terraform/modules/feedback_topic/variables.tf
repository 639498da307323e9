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

  validation {
    condition = alltrue([
      for name, identity in var.identities :
      identity.create && !strcontains(name, "@") || identity.mail_from_domain == null && identity.route53_zone_id == null
    ])
    error_message = "mail_from_domain and route53_zone_id need a domain with create = true: an address has the settings of its domain, and Terraform does not change those of an existing domain."
  }

  validation {
    condition = alltrue([
      for name, identity in var.identities :
      identity.mail_from_domain == null ? !identity.mail_from_required : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+$", trimsuffix(identity.mail_from_domain, name))) && endswith(identity.mail_from_domain, ".${name}")
    ])
    error_message = "mail_from_domain must be a subdomain of its identity, such as bounce.example.com for example.com, in lower case; mail_from_required needs one."
  }

  validation {
    condition     = alltrue([for identity in values(var.identities) : can(regex("^Z[A-Z0-9]{1,31}$", coalesce(identity.route53_zone_id, "Z1")))])
    error_message = "route53_zone_id must be the ID of a hosted zone, such as Z0123456789ABC: aws route53 list-hosted-zones-by-name --dns-name example.com"
  }

  validation {
    condition     = var.ses_api == "v2" || alltrue([for identity in values(var.identities) : identity.mail_from_domain == null && identity.route53_zone_id == null])
    error_message = "mail_from_domain and route53_zone_id need ses_api = \"v2\"."
  }
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

  validation {
    condition     = alltrue([for set in keys(var.configuration_sets) : can(regex("^[A-Za-z0-9_-]{1,64}$", set))])
    error_message = "Each key of configuration_sets must have 1 to 64 characters: letters, digits, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for set in values(var.configuration_sets) : set.create || !set.require_tls && set.suppressed_reasons == null])
    error_message = "require_tls and suppressed_reasons need create = true: Terraform does not change the settings of an existing configuration set."
  }

  validation {
    condition = alltrue([
      for set in values(var.configuration_sets) : set.suppressed_reasons == null ? true : (
        length(set.suppressed_reasons) > 0 && length(setsubtract(set.suppressed_reasons, ["BOUNCE", "COMPLAINT"])) == 0
      )
    ])
    error_message = "suppressed_reasons must contain BOUNCE, COMPLAINT or both, and nothing else; null leaves it to the account's setting."
  }

  validation {
    condition = var.ses_api == "v2" || alltrue([
      for set in values(var.configuration_sets) :
      set.suppressed_reasons == null && length(setintersection(coalesce(set.event_types, []), ["DeliveryDelay", "Subscription"])) == 0
    ])
    error_message = "suppressed_reasons and the event types DeliveryDelay and Subscription need ses_api = \"v2\"."
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
  description = "Types of feedback that SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, but each mail sent then costs a message: a million, 0.50 USD of SNS and 3 × 0.40 USD of SQS; less of SQS where messages always wait."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false

  validation {
    condition     = length(var.feedback_types) > 0 && length(setsubtract(var.feedback_types, ["Bounce", "Complaint", "Delivery"])) == 0
    error_message = "feedback_types must contain at least one of Bounce, Complaint and Delivery, and nothing else."
  }
}

variable "ses_api" {
  description = "Version of SES's API by which Terraform creates identities, configuration sets and their event destinations: `v2`, or `v1` for emulators that have no other. Version 1 signs no mail of a created domain with DKIM."
  type        = string
  default     = "v2"
  nullable    = false

  validation {
    condition     = contains(["v1", "v2"], var.ses_api)
    error_message = "ses_api must be v1 or v2."
  }
}

variable "dkim_domain" {
  description = "Domain of SES's DKIM keys, to which the DKIM records of created domains lead; null takes the one that AWS documents for the region. `aws sesv2 get-email-identity` prints it as `SigningHostedZone`."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]+$", coalesce(var.dkim_domain, "a.b")))
    error_message = "dkim_domain must be a domain, such as dkim.amazonses.com."
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
