variable "name" {
  description = "Name of the stack that the role deploys; the role is called `<name>-deploy`."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,52}[a-z0-9])?$", var.name))
    error_message = "name must have 1 to 54 characters: lower-case letters, digits, hyphens and underscores. It must begin and end with a letter or digit."
  }
}

variable "topic_name" {
  description = "Name of the stack's topic; null derives it from `name`."
  type        = string
  default     = null

  validation {
    condition     = var.topic_name == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.topic_name))
    error_message = "topic_name must have 1 to 255 characters: letters, digits, hyphens and underscores."
  }
}

variable "queue_name" {
  description = "Name of the stack's queue; null derives it from `name`."
  type        = string
  default     = null

  validation {
    condition     = var.queue_name == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.queue_name))
    error_message = "queue_name must have 1 to 255 characters: letters, digits, hyphens and underscores."
  }
}

variable "identities" {
  description = "SES identities of the stack, by address or domain, with `create`, `mail_from_domain` and `route53_zone_id` as in the module `feedback_topic`. The role may change no others, so that only somebody with more rights can add one."
  type = map(object({
    create           = optional(bool, false)
    mail_from_domain = optional(string)
    route53_zone_id  = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name, identity in var.identities :
      alltrue([for part in compact([name, identity.mail_from_domain, identity.route53_zone_id]) : can(regex("^[^*?:/$\\s]+$", part))])
    ])
    error_message = "Each identity must be an address or a domain, without wildcards; so must its MAIL FROM domain and its hosted zone."
  }
}

variable "configuration_sets" {
  description = "SES configuration sets of the stack, by name, with `create` as in the module `feedback_topic`. The role may change no others."
  type        = map(object({ create = optional(bool, false) }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for set in keys(var.configuration_sets) : can(regex("^[A-Za-z0-9_-]{1,64}$", set))])
    error_message = "Each configuration set must be named by 1 to 64 characters: letters, digits, hyphens and underscores."
  }
}

variable "ses_api" {
  description = "Version of SES's API, as in the module `feedback_topic`. IAM can't limit the calls of `v1` to the stack's own identities and sets."
  type        = string
  default     = "v2"
  nullable    = false

  validation {
    condition     = contains(["v1", "v2"], var.ses_api)
    error_message = "ses_api must be v1 or v2."
  }
}

variable "existing_topic_arn" {
  description = "ARN of a topic that exists and that the stack uses in place of its own: the role may only subscribe to it."
  type        = string
  default     = null

  validation {
    condition     = var.existing_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", var.existing_topic_arn))
    error_message = "existing_topic_arn must be the ARN of one standard SNS topic, without wildcards."
  }
}

variable "existing_queue_arns" {
  description = "ARNs of queues that exist and that the stack uses in place of its own: the role may only look at them, and the stack's roles may consume them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.existing_queue_arns : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", arn))])
    error_message = "Each element of existing_queue_arns must be the ARN of one standard SQS queue, without wildcards."
  }
}

variable "cluster_name" {
  description = "Name of your own ECS cluster, if the stack's service is in one; null if the stack contains a cluster."
  type        = string
  default     = null

  validation {
    condition     = var.cluster_name == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.cluster_name))
    error_message = "cluster_name must have 1 to 255 characters: letters, digits, hyphens and underscores."
  }
}

variable "repository" {
  description = "GitHub repository whose workflows may assume the role, `OWNER/NAME`."
  type        = string
  nullable    = false

  validation {
    # With a wildcard or an empty owner, other people's workflows could assume the role.
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards; the numbers go into owner_id and repository_id."
  }
}

variable "owner_id" {
  description = "Number of the repository's owner at GitHub: `gh api repos/OWNER/NAME --jq .owner.id`. Set it together with `repository_id`."
  type        = string
  default     = null

  validation {
    condition     = var.owner_id == null || can(regex("^[0-9]+$", var.owner_id))
    error_message = "owner_id must be a number: gh api repos/OWNER/NAME --jq .owner.id"
  }
}

variable "repository_id" {
  description = "Number of the repository at GitHub: `gh api repos/OWNER/NAME --jq .id`. The tokens of repositories that were created after 15 July 2026 contain both numbers; AWS refuses such a token without them."
  type        = string
  default     = null

  validation {
    condition     = var.repository_id == null || can(regex("^[0-9]+$", var.repository_id))
    error_message = "repository_id must be a number: gh api repos/OWNER/NAME --jq .id"
  }

  validation {
    condition     = (var.owner_id == null) == (var.repository_id == null)
    error_message = "Set owner_id and repository_id together: GitHub's tokens contain both or neither."
  }
}

variable "branches" {
  description = "Branches whose workflows may assume the role. Everybody who can push to one of these branches can deploy."
  type        = set(string)
  default     = ["main"]
  nullable    = false

  validation {
    condition     = alltrue([for branch in var.branches : can(regex("^[A-Za-z0-9._/-]+$", branch))])
    error_message = "Each element of branches must be the name of one branch, without wildcards."
  }

  validation {
    condition     = length(var.branches) + length(var.environments) > 0
    error_message = "Set branches or environments: otherwise no workflow could assume the role."
  }
}

variable "environments" {
  description = "GitHub environments whose jobs may assume the role, for example one that requires a review. For such a job, GitHub's token names the environment in place of the branch."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for environment in var.environments : can(regex("^[A-Za-z0-9._-]+$", environment))])
    error_message = "Each element of environments must be the name of one environment, without wildcards."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitHub; with null, Terraform creates the provider. An account can have only one."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::\\d{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be the ARN of the provider token.actions.githubusercontent.com."
  }
}

variable "region" {
  description = "AWS region of the stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-\\d$", var.region))
    error_message = "region must be an AWS region, such as eu-west-1."
  }
}

variable "account_id" {
  description = "ID of the stack's AWS account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\d{12}$", var.account_id))
    error_message = "account_id must consist of twelve digits."
  }
}

variable "state_bucket" {
  description = "S3 bucket that holds Terraform's state; null if the state is elsewhere."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be the name of one bucket, without wildcards."
  }
}

variable "state_key" {
  description = "Key of the state in that bucket; the lock has the same key with the suffix `.tflock`."
  type        = string
  default     = "sesbounce/terraform.tfstate"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.state_key))
    error_message = "state_key must be one key, without wildcards."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role, which the role must also set on each role and user of the stack. With null, Terraform creates a boundary for those, `<name>-boundary`."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::(\\d{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of one IAM policy, without wildcards."
  }
}

variable "path" {
  description = "IAM path of the roles, the policies and the user of the stack."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.path))
    error_message = "path must begin and end with a slash, for example /mail/."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository of the worker's image, if it is not the stack's own."
  type        = string
  default     = null
}

variable "secret_arns" {
  description = "ARNs of the secrets and parameters that the worker may read, besides the password of the stack's own database. Only somebody with more rights than the role can extend this list."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:[^*?]+$", arn))])
    error_message = "Each element of secret_arns must be the ARN of one secret or parameter, without wildcards."
  }
}

variable "api_may_examine" {
  description = "Whether the server of the HTTP API may look at SES, the topics and the key, as the console's doctor does. The boundary then allows it to the server's role."
  type        = bool
  default     = false
  nullable    = false
}

variable "function_in_vpc" {
  description = "Whether the worker is a function of AWS Lambda in a VPC. The boundary then lets the function's role manage network interfaces, which IAM cannot limit to the function's own."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "ARN of your own SNS topic for the alarms, which the check after a deployment reads; null if the stack contains a topic for them."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[^*?]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of one topic, without wildcards."
  }
}

variable "may_manage_user" {
  description = "Whether the role may also create, change and delete the consumer's IAM user and its access keys. Everybody who can deploy can then get a key of that user."
  type        = bool
  default     = false
  nullable    = false
}

variable "may_manage_key" {
  description = "Whether the role may also change the stack's KMS key and schedule its deletion. The role can never create a key: somebody with more rights does that."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of the role, its policies and the OIDC provider."
  type        = map(string)
  default     = {}
  nullable    = false
}
