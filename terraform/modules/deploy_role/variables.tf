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

variable "other_names" {
  description = "Names of the stack's topic and queue that do not begin with `name`, if there are any."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.other_names : can(regex("^[A-Za-z0-9_-]{1,256}$", name))])
    error_message = "Each element of other_names must have 1 to 256 characters: letters, digits, hyphens and underscores."
  }
}

variable "repository" {
  description = "GitHub repository whose workflows may assume the role, `OWNER/NAME`."
  type        = string
  nullable    = false

  validation {
    # With a wildcard or an empty owner, other people's workflows could assume the role.
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards."
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
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
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

variable "tags" {
  description = "Tags of the role, its policies and the OIDC provider."
  type        = map(string)
  default     = {}
  nullable    = false
}
