variable "name" {
  description = "Name of the function and the schedule, and prefix of the names of the roles and the log group."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # A role's name ends in "-function", and IAM allows 64 characters.
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9_-]{0,53}[A-Za-z0-9])?$", var.name))
    error_message = "name must have 1 to 55 characters: letters, digits, hyphens and underscores. It must begin and end with a letter or digit."
  }
}

variable "package" {
  description = "Path of the zip file that `make package` builds. With null, Terraform creates the roles and the log group, and nothing that runs."
  type        = string
  default     = null
}

variable "queue_arn" {
  description = "ARN of the SQS queue that the worker reads."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,80}$", var.queue_arn))
    error_message = "queue_arn must be the ARN of one standard SQS queue."
  }
}

variable "queue_url" {
  description = "URL of that queue."
  type        = string
  nullable    = false
}

variable "visibility_timeout_seconds" {
  description = "Visibility timeout of that queue, in seconds: at least six times `timeout_seconds`, plus `batching_window_seconds`."
  type        = number
  nullable    = false
}

variable "policy_arns" {
  description = "ARNs of the policies that the function's role gets, each by a name of your choice. Usually this is the policy of the module `queue_consumer`, with which Lambda receives the messages."
  type        = map(string)
  nullable    = false
}

variable "policies" {
  description = "Further policies of the function's role, in JSON, each by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "environment" {
  description = "Settings of the worker, for example `SESBOUNCE_STRIKE_OFF_SQL`. Everybody who may read the function's configuration can read them: put secrets into `secrets`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "SESBOUNCE_DATABASE_PASSWORD", "SESBOUNCE_WEBHOOK_SECRET", "SESBOUNCE_WEBHOOK_SECRETS", "SESBOUNCE_HASH_KEY",
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ])) == 0
    error_message = "environment must not contain a secret: store the secret in Secrets Manager or Parameter Store and put its ARN into secrets. The worker gets AWS credentials from the function's role."
  }

  validation {
    condition     = alltrue([for value in values(var.environment) : !can(regex("://[^/@\\s]*:[^/@\\s]+@", value))])
    error_message = "environment must not contain a URL with a password: store the whole URL, or only the password (SESBOUNCE_DATABASE_PASSWORD), in Secrets Manager and put its ARN into secrets."
  }

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "Each key of environment must be a valid name of an environment variable."
  }

  validation {
    condition     = !contains(keys(var.environment), "SESBOUNCE_SECRETS")
    error_message = "environment must not contain SESBOUNCE_SECRETS: the module makes it from secrets."
  }
}

variable "secrets" {
  description = "Secret settings of the worker: for each environment variable, the ARN of a secret in Secrets Manager (`ARN:KEY::` for one key of a JSON secret) or of a parameter in Parameter Store. The function reads them when an execution environment starts and after the database has failed (`SESBOUNCE_SECRETS`)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for arn in values(var.secrets) :
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:*]*:[^:*]*:[^:*]*)?$", arn))
      || can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:\\d{12}:parameter/[A-Za-z0-9_./-]+$", arn))
    ])
    error_message = "Each value of secrets must be the ARN of one secret in Secrets Manager (with :KEY:: after it for one key of a JSON secret) or of one parameter in Parameter Store. It must not be the secret itself and must not contain a wildcard."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.environment))) == 0
    error_message = "An environment variable must not be in both secrets and environment."
  }
}

variable "webhooks" {
  description = "Webhooks of the worker, each by a name of your choice: `url`, and maybe the `types` of events and the `reasons` of suppressions that it gets (docs/webhooks.md). Everybody who may read the function's configuration can read the URLs: if one holds a token, put `SESBOUNCE_WEBHOOKS` and `SESBOUNCE_WEBHOOK_SECRETS` into `secrets` instead."
  type = map(object({
    url     = string
    types   = optional(list(string), [])
    reasons = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name, webhook in var.webhooks : name != "webhook" && can(regex("^[a-z0-9][a-z0-9_-]{0,39}$", name)) && can(regex("^https://[^/@\\s]+(/\\S*)?$", webhook.url))
    ])
    error_message = "Each key of webhooks must have at most 40 of the characters a to z, 0 to 9, - and _, and must not be webhook; each url must begin with https:// and contain no user and no password."
  }
}

variable "webhook_secrets_arn" {
  description = "ARN of the secret in Secrets Manager, or of the parameter in Parameter Store, that holds the secrets of the webhooks: a JSON object by their names (`SESBOUNCE_WEBHOOK_SECRETS`)."
  type        = string
  default     = null

  validation {
    condition = var.webhook_secrets_arn == null ? true : (
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:*]*:[^:*]*:[^:*]*)?$", var.webhook_secrets_arn))
      || can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:\\d{12}:parameter/[A-Za-z0-9_./-]+$", var.webhook_secrets_arn))
    )
    error_message = "webhook_secrets_arn must be the ARN of one secret in Secrets Manager or of one parameter in Parameter Store. It must not be the secret itself and must not contain a wildcard."
  }

  validation {
    condition     = length(var.webhooks) == 0 || var.webhook_secrets_arn != null
    error_message = "webhooks need their secrets: set webhook_secrets_arn."
  }
}

variable "secrets_kms_key_arns" {
  description = "ARNs of the customer managed KMS keys that encrypt the secrets; empty if AWS managed keys encrypt them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secrets_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each element of secrets_kms_key_arns must be the ARN of one key, not of an alias, without wildcards."
  }
}

variable "architecture" {
  description = "CPU architecture of the function, and of the package: `arm64`, which costs 20 % less, or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mib" {
  description = "Memory of the function, in MiB. CPU grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mib >= 192 && var.memory_mib <= 10240 && floor(var.memory_mib) == var.memory_mib
    error_message = "memory_mib must be a whole number from 192 to 10240: the function needs some 100 MiB at least."
  }
}

variable "timeout_seconds" {
  description = "Number of seconds after which Lambda ends an invocation. Messages of such an invocation return to the queue."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 30 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 30 to 900: a cold start, a batch and the statements need some time."
  }
}

variable "batch_size" {
  description = "Largest number of messages that the function gets and commits at once."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 1000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1 to 1000."
  }
}

variable "batching_window_seconds" {
  description = "Number of seconds for which Lambda gathers messages before it calls the function."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.batching_window_seconds >= 0 && var.batching_window_seconds <= 300 && floor(var.batching_window_seconds) == var.batching_window_seconds
    error_message = "batching_window_seconds must be a whole number from 0 to 300."
  }

  validation {
    condition     = var.batch_size <= 10 || var.batching_window_seconds >= 1
    error_message = "batching_window_seconds must be 1 or more for a batch_size above 10, as AWS demands."
  }
}

variable "maximum_concurrency" {
  description = "Largest number of invocations at once that the queue causes; each has one connection to the database."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "maximum_concurrency must be a whole number from 2 to 1000, as AWS demands."
  }
}

variable "reserved_concurrency" {
  description = "Number of concurrent invocations that Lambda reserves for the function, out of those of the account: one more than `maximum_concurrency` leaves one for the sweep. With null, it reserves none."
  type        = number
  default     = null

  validation {
    # With fewer, Lambda would throttle what the queue causes, and messages would end as dead letters.
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency > var.maximum_concurrency && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be a whole number above maximum_concurrency, or null."
  }
}

variable "sweep_schedule" {
  description = "Expression of EventBridge Scheduler, `rate(…)` or `cron(…)`, by which the function releases expired suppressions, retries statements and deliveries, and looks for incidents."
  type        = string
  default     = "rate(1 hour)"
  nullable    = false

  validation {
    # From a minute to a day.
    condition = (
      can(regex("^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.sweep_schedule))
      || can(regex("^rate\\((1 minute|([2-9]|[1-9]\\d|[1-9]\\d\\d|1[0-3]\\d\\d|14[0-3]\\d|1440) minutes|1 hour|([2-9]|1\\d|2[0-4]) hours|1 day)\\)$", var.sweep_schedule))
    )
    error_message = "sweep_schedule must be a rate from one minute to one day, such as rate(1 hour), or a cron(…) with six fields."
  }
}

variable "vpc_id" {
  description = "ID of the VPC in which the database is; with null, the function runs outside of your VPCs and reaches what is public."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "IDs of private subnets of that VPC for the function. AWS never gives a function a public IPv4 address: without `ipv6`, the subnets need a NAT gateway, or VPC endpoints."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.vpc_id == null) == (length(var.subnet_ids) == 0)
    error_message = "Set vpc_id and subnet_ids together."
  }
}

variable "security_group_ids" {
  description = "IDs of security groups that the function gets beside its own; they need `vpc_id`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.security_group_ids) == 0 || var.vpc_id != null
    error_message = "security_group_ids needs vpc_id: outside a VPC, a function has no security groups."
  }

  validation {
    condition     = length(var.security_group_ids) <= 4 && alltrue([for id in var.security_group_ids : startswith(id, "sg-")])
    error_message = "security_group_ids must be at most 4 IDs of security groups (sg-…): a network interface has at most 5 groups."
  }
}

variable "ipv6" {
  description = "Whether the function also gets IPv6 addresses, by which it reaches AWS through an egress-only internet gateway, free of charge. The subnets must have IPv6 blocks."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.ipv6 || var.vpc_id != null
    error_message = "ipv6 needs vpc_id."
  }
}

variable "egress_tcp_ports" {
  description = "TCP ports that the function may connect to from the VPC: 443 for AWS and a webhook, and the port of the database (5432 PostgreSQL, 3306 MySQL)."
  type        = set(number)
  default     = [443, 5432]
  nullable    = false

  validation {
    condition     = alltrue([for port in var.egress_tcp_ports : port >= 1 && port <= 65535 && floor(port) == port])
    error_message = "egress_tcp_ports must be whole numbers from 1 to 65535."
  }
}

variable "egress_cidr_ipv4" {
  description = "IPv4 range to which the function may connect by a port of `egress_tcp_ports`, by port, for example `{ 3306 = \"10.0.0.0/16\" }`; any address where there is none."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for range in values(var.egress_cidr_ipv4) : can(cidrnetmask(range))])
    error_message = "Each value of egress_cidr_ipv4 must be an IPv4 range such as 10.0.0.0/16."
  }

  validation {
    condition     = length(setsubtract(keys(var.egress_cidr_ipv4), [for port in var.egress_tcp_ports : tostring(port)])) == 0
    error_message = "Each key of egress_cidr_ipv4 must be a port of egress_tcp_ports."
  }
}

variable "log_retention_days" {
  description = "Number of days for which CloudWatch keeps the function's log."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch accepts: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_kms_key_arn" {
  description = "ARN of your own KMS key, if it is to encrypt the function's log; null leaves that to CloudWatch. CloudWatch accepts the key only if its policy contains the statement of the output `log_kms_key_statement` already."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a key, not of an alias."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of both roles; null sets none."
  type        = string
  default     = null
}

variable "path" {
  description = "IAM path of both roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.path))
    error_message = "path must begin and end with a slash, for example /mail/."
  }
}

variable "tags" {
  description = "Tags of each resource that this module creates and AWS can tag."
  type        = map(string)
  default     = {}
  nullable    = false
}
