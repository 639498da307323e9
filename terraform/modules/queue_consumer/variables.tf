variable "name" {
  description = "Name of the policy, and of the user if there is one."
  type        = string
  default     = "sesbounce-consumer"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 characters that IAM takes: letters, digits and + = , . @ _ -."
  }
}

variable "queue_arn" {
  description = "ARN of the one queue that the policy is about."
  type        = string
  nullable    = false

  validation {
    # A wildcard would widen the policy to other queues.
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", var.queue_arn))
    error_message = "queue_arn must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the queue, if a customer's key does."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of one key, not of an alias, without wildcards."
  }
}

variable "may_redrive" {
  description = "Whether the consumer may also read the dead-letter queues `dlq_arns`, delete from them, and send messages back to the queue (`sesbounce dlq`)."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.may_redrive || length(var.dlq_arns) > 0
    error_message = "may_redrive needs dlq_arns: name the dead-letter queues."
  }
}

variable "dlq_arns" {
  description = "ARNs of the dead-letter queues that `may_redrive` is about."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.dlq_arns : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", arn))])
    error_message = "Each of dlq_arns must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "may_update_suppression_list" {
  description = "Whether the consumer may put addresses on SES's own suppression list of the account and take them off (`SESBOUNCE_SES_SUPPRESSION_LIST`)."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_user" {
  description = "Whether to make an IAM user with this policy and no other, for a worker outside AWS. In AWS, attach the policy to the worker's role."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_access_key" {
  description = "Whether to make an access key for the user. Needs `create_user` and `access_key_pgp_key`, so that the state holds only the encrypted secret."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.create_access_key || var.create_user
    error_message = "create_access_key needs create_user = true: a key belongs to a user."
  }

  validation {
    condition     = !var.create_access_key || var.access_key_pgp_key != null
    error_message = "create_access_key needs access_key_pgp_key: without it the secret would stand in the state in plain text. Set it, or make the key yourself: aws iam create-access-key --user-name NAME."
  }
}

variable "access_key_pgp_key" {
  description = "PGP public key, in base64 and unarmored (`gpg --export`), or `keybase:NAME`, that encrypts the access key's secret."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the policy and the user."
  type        = map(string)
  default     = {}
  nullable    = false
}
