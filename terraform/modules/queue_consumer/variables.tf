variable "name" {
  description = "Name of the policy and, if there is one, of the user."
  type        = string
  default     = "sesbounce-consumer"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must have 1 to 64 characters that IAM accepts: letters, digits and + = , . @ _ -."
  }
}

variable "queue_arn" {
  description = "ARN of the one queue that the policy lets the worker consume."
  type        = string
  nullable    = false

  validation {
    # With a wildcard, the policy would allow other queues too.
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", var.queue_arn))
    error_message = "queue_arn must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "kms_key_arn" {
  description = "ARN of the customer managed KMS key that encrypts the queue; null without one."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of one key, not of an alias, without wildcards."
  }
}

variable "may_redrive" {
  description = "Whether the consumer may also handle dead letters (`sesbounce dlq`): read the dead-letter queues `dlq_arns`, delete messages from them and send messages to the queue."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.may_redrive || length(var.dlq_arns) > 0
    error_message = "may_redrive needs dlq_arns, the ARNs of the dead-letter queues."
  }
}

variable "dlq_arns" {
  description = "ARNs of the dead-letter queues whose messages `may_redrive` lets the consumer handle, and the outputs `operator_policy` and `viewer_policy` a person."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.dlq_arns : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", arn))])
    error_message = "Each element of dlq_arns must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "counted_dlq_arns" {
  description = "ARNs of the dead-letter queues whose messages the consumer may count (`SESBOUNCE_DEAD_LETTER_QUEUE_URL`), and not read."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.counted_dlq_arns : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", arn))])
    error_message = "Each element of counted_dlq_arns must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "topic_arns" {
  description = "ARNs of the topics to which the queue is subscribed: with them, `may_redrive` and the outputs `operator_policy` and `viewer_policy` also allow to look up the dead-letter queue of a subscription, and `doctor_policy` to look at the topics."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "Each element of topic_arns must be the ARN of one standard SNS topic, without wildcards."
  }
}

variable "extra_topic_arns" {
  description = "ARNs of topics of other regions and accounts that send to the queue, at which the output `doctor_policy` allows to look as well."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.extra_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "Each element of extra_topic_arns must be the ARN of one standard SNS topic, without wildcards."
  }
}

variable "may_update_suppression_list" {
  description = "Whether the consumer may add addresses to SES's own suppression list of the account and remove them (`SESBOUNCE_SES_SUPPRESSION_LIST`)."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_user" {
  description = "Whether Terraform creates an IAM user with this policy and no other, for a worker outside AWS. In AWS, attach the policy to the worker's role."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_access_key" {
  description = "Whether Terraform creates an access key for the user. It needs `create_user`, and `access_key_pgp_key`, so that the state holds only the encrypted secret; or else `secret_in_state`."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.create_access_key || var.create_user
    error_message = "create_access_key needs create_user = true: an access key belongs to a user."
  }

  validation {
    condition     = !var.create_access_key || var.access_key_pgp_key != null || var.secret_in_state
    error_message = "create_access_key needs access_key_pgp_key: without it, the state would hold the secret in plain text. Set access_key_pgp_key; or accept that with secret_in_state = true; or create the access key yourself: aws iam create-access-key --user-name NAME."
  }
}

variable "secret_in_state" {
  description = "Whether the state may hold the secret of the access key in plain text. Everybody who can read the state can then read the queue."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.secret_in_state || var.access_key_pgp_key == null
    error_message = "Set secret_in_state or access_key_pgp_key, not both: with the PGP key, the state holds no secret."
  }
}

variable "access_key_pgp_key" {
  description = "PGP public key that encrypts the access key's secret: in base64 and unarmored (`gpg --export`), or `keybase:NAME`."
  type        = string
  default     = null
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the user; null sets none."
  type        = string
  default     = null
}

variable "path" {
  description = "IAM path of the policy and the user."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.path))
    error_message = "path must begin and end with a slash, for example /mail/."
  }
}

variable "tags" {
  description = "Tags of the policy and the user."
  type        = map(string)
  default     = {}
  nullable    = false
}
