variable "name" {
  description = "Name of the repository, cluster and service, and prefix of the names of the roles and the log group."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # ECR allows lower case only; a role's name ends in "-execution", and IAM allows 64 characters.
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,52}[a-z0-9])?$", var.name))
    error_message = "name must have 1 to 54 characters: lower-case letters, digits, hyphens and underscores. It must begin and end with a letter or digit."
  }
}

variable "image" {
  description = "The worker's image, by digest (`NAME@sha256:…`), so that ECS runs exactly the image that was tested. With null, Terraform creates everything except the task definition and the service: the repository must exist before an image can be pushed to it."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^\\s@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in its digest, @sha256: and 64 hexadecimal digits: a tag can point to another image tomorrow."
  }
}

variable "create_repository" {
  description = "Whether Terraform creates an ECR repository for the image. Set it to false if the image is in another repository."
  type        = bool
  default     = true
  nullable    = false
}

variable "repository_arn" {
  description = "ARN of an existing ECR repository from which ECS pulls the image; only with `create_repository = false`."
  type        = string
  default     = null

  validation {
    condition     = var.repository_arn == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:\\d{12}:repository/[a-z0-9._/-]+$", var.repository_arn))
    error_message = "repository_arn must be the ARN of one ECR repository, without wildcards."
  }

  validation {
    condition     = var.repository_arn == null || !var.create_repository
    error_message = "repository_arn names an existing repository: set create_repository = false as well."
  }
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

variable "task_policy_arns" {
  description = "ARNs of the policies that the worker's role gets, each by a name of your choice. Usually this is the policy of the module `queue_consumer`."
  type        = map(string)
  nullable    = false
}

variable "task_policies" {
  description = "Further policies of the worker's role, in JSON, each by a name of your choice, for example `{ database = module.database.application_policy }`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "migration" {
  description = "A container that runs a command in each task, with settings and secrets of its own, before the worker starts: `sesbounce db upgrade` with a user that may change the schema, so that the worker needs no such user. If the command fails, or takes longer than the 3 minutes that ECS waits, the worker does not start. With null, there is no such container."
  type = object({
    command     = list(string)
    environment = optional(map(string), {})
    secrets     = optional(map(string), {})
  })
  default = null
}

variable "environment" {
  description = "Settings of the worker, for example `SESBOUNCE_STRIKE_OFF_SQL`. Everybody who may read the task definition can read them: put secrets into `secrets`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "SESBOUNCE_DATABASE_PASSWORD", "SESBOUNCE_WEBHOOK_SECRET", "SESBOUNCE_WEBHOOK_SECRETS", "SESBOUNCE_HASH_KEY",
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ])) == 0
    error_message = "environment must not contain a secret: store the secret in Secrets Manager or Parameter Store and put its ARN into secrets. The worker gets AWS credentials from the task's role."
  }

  validation {
    condition     = alltrue([for value in values(var.environment) : !can(regex("://[^/@\\s]*:[^/@\\s]+@", value))])
    error_message = "environment must not contain a URL with a password: store the whole URL, or only the password (SESBOUNCE_DATABASE_PASSWORD), in Secrets Manager and put its ARN into secrets."
  }

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "Each key of environment must be a valid name of an environment variable."
  }
}

variable "secrets" {
  description = "Secret settings of the worker: for each environment variable, the ARN of a secret in Secrets Manager (`ARN:KEY::` for one key of a JSON secret) or of a parameter in Parameter Store."
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
  description = "Webhooks of the worker, each by a name of your choice: `url`, and maybe the `types` of events and the `reasons` of suppressions that it gets (docs/webhooks.md). Everybody who may read the task definition can read the URLs: if one holds a token, put `SESBOUNCE_WEBHOOKS` and `SESBOUNCE_WEBHOOK_SECRETS` into `secrets` instead."
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

variable "cluster_arn" {
  description = "ARN of an existing ECS cluster, which must have the capacity providers `FARGATE` and `FARGATE_SPOT`; with null, Terraform creates a cluster."
  type        = string
  default     = null

  validation {
    condition     = var.cluster_arn == null || can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:\\d{12}:cluster/[A-Za-z0-9_-]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster."
  }
}

variable "container_insights" {
  description = "Whether Terraform turns on Container Insights in the cluster that it creates. CloudWatch charges for it, and nothing here needs it."
  type        = bool
  default     = false
  nullable    = false
}

variable "vpc_id" {
  description = "ID of the VPC in which the worker runs; null takes the default VPC of the region."
  type        = string
  default     = null

  validation {
    condition     = (var.vpc_id == null) == (var.subnet_ids == null)
    error_message = "Set both vpc_id and subnet_ids, or neither for the default VPC."
  }
}

variable "subnet_ids" {
  description = "IDs of the subnets in which the worker runs; null takes the subnets of the default VPC, which are public."
  type        = list(string)
  default     = null

  validation {
    condition     = var.subnet_ids == null ? true : length(var.subnet_ids) > 0
    error_message = "subnet_ids must name at least one subnet, or be null."
  }
}

variable "security_group_ids" {
  description = "IDs of your own security groups that each task gets beside the one that Terraform creates, for example the group from which your database accepts connections. Their rules add up: an own group can allow more, and never less."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.security_group_ids) <= 4 && alltrue([for id in var.security_group_ids : startswith(id, "sg-")])
    error_message = "security_group_ids must be at most 4 IDs of security groups (sg-…): a network interface has at most 5 groups."
  }
}

variable "assign_public_ip" {
  description = "Whether ECS gives each task a public address, so that the task reaches AWS without a NAT gateway; the security group still lets nothing connect to the task. Null means true in the default VPC and false in your own subnets, which then need a NAT gateway or VPC endpoints."
  type        = bool
  default     = null
}

variable "egress_tcp_ports" {
  description = "TCP ports that the worker may connect to: 443 for AWS and a webhook, and the port of a database (5432 PostgreSQL, 3306 MySQL). Null means 443, and 5432 as long as `egress_security_groups` is empty."
  type        = set(number)
  default     = null

  validation {
    condition = var.egress_tcp_ports == null ? true : (
      contains(var.egress_tcp_ports, 443) && alltrue([for port in var.egress_tcp_ports : port >= 1 && port <= 65535 && floor(port) == port])
    )
    error_message = "egress_tcp_ports must be whole numbers from 1 to 65535 and include 443: the worker reaches SQS by this port."
  }
}

variable "egress_cidr_ipv4" {
  description = "IPv4 range to which the worker may connect by a port of `egress_tcp_ports`, by port, for example `{ 3306 = \"10.0.0.0/16\" }`; any address where there is none. AWS's own endpoints (443) have no fixed addresses, unless your VPC has endpoints for them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for range in values(var.egress_cidr_ipv4) : can(cidrnetmask(range))])
    error_message = "Each value of egress_cidr_ipv4 must be an IPv4 range such as 10.0.0.0/16."
  }

  validation {
    condition     = length(setsubtract(keys(var.egress_cidr_ipv4), local.egress_tcp_ports)) == 0
    error_message = "Each key of egress_cidr_ipv4 must be a port of egress_tcp_ports."
  }
}

variable "egress_security_groups" {
  description = "Security groups whose members the worker may connect to, by a name of your choice: the id of the group and the TCP port."
  type        = map(object({ id = string, port = number }))
  default     = {}
  nullable    = false
}

variable "schedule" {
  description = "Expression of EventBridge Scheduler, `rate(…)` or `cron(…)`, by which a task starts, handles the waiting messages and ends; with null, a service keeps tasks running. With a schedule, `min_tasks`, `max_tasks` and `backlog_per_task` have no effect."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null || can(regex("^(rate|cron)\\([^()]+\\)$", var.schedule))
    error_message = "schedule must be a rate(…) or a cron(…) of EventBridge Scheduler, such as rate(15 minutes)."
  }
}

variable "cpu_architecture" {
  description = "CPU architecture that the image is built for: `ARM64`, which costs 20 % less, or `X86_64`."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture must be ARM64 or X86_64."
  }
}

variable "cpu_units" {
  description = "CPU of each task, in units of 1/1024 vCPU."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu_units)
    error_message = "cpu_units must be one of 256, 512, 1024, 2048, 4096."
  }
}

variable "memory_mib" {
  description = "Memory of each task, in MiB."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition = (
      var.cpu_units == 256
      ? contains([512, 1024, 2048], var.memory_mib)
      : var.memory_mib % 1024 == 0 && var.memory_mib >= 2 * var.cpu_units && var.memory_mib <= min(8 * var.cpu_units, 30720)
    )
    error_message = "memory_mib must be a size that Fargate offers for cpu_units: 512, 1024 or 2048 for 256 units; for more units, a multiple of 1024 from two to eight times cpu_units, and at most 30720."
  }
}

variable "processes" {
  description = "Number of worker processes in each task. More than one process is faster only from 2048 CPU units on."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.processes >= 1 && var.processes <= 64 && floor(var.processes) == var.processes
    error_message = "processes must be a whole number from 1 to 64."
  }
}

variable "shutdown_seconds" {
  description = "Number of seconds from SIGTERM to the worker's exit. ECS kills the worker ten seconds later."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.shutdown_seconds >= 5 && var.shutdown_seconds <= 110 && floor(var.shutdown_seconds) == var.shutdown_seconds
    error_message = "shutdown_seconds must be a whole number from 5 to 110: Fargate kills a task after 120 seconds at the latest."
  }
}

variable "use_spot" {
  description = "Whether ECS runs the tasks beyond `on_demand_base` on Fargate Spot, which costs up to 70 % less. AWS may stop such a task with two minutes' notice: the worker finishes or returns its messages, and none is lost. Null means Spot with a `schedule`, whose next run continues, and no Spot in a service."
  type        = bool
  default     = null
}

variable "on_demand_base" {
  description = "Number of tasks that ECS runs on demand although `use_spot` is true."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.on_demand_base >= 0 && var.on_demand_base <= 1000 && floor(var.on_demand_base) == var.on_demand_base
    error_message = "on_demand_base must be a whole number from 0 to 1000."
  }
}

variable "min_tasks" {
  description = "Minimum number of tasks. With 0, the worker stops while the queue is empty: the first message then waits a few minutes for a task and, if the queue had been unused for hours, up to 15 minutes more until CloudWatch reports the message."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_tasks >= 0 && floor(var.min_tasks) == var.min_tasks
    error_message = "min_tasks must be a whole number, 0 or more."
  }
}

variable "max_tasks" {
  description = "Maximum number of tasks. If it equals `min_tasks`, the number of tasks is fixed."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_tasks >= 1 && var.max_tasks >= var.min_tasks && floor(var.max_tasks) == var.max_tasks
    error_message = "max_tasks must be a whole number, at least 1 and at least min_tasks."
  }
}

variable "backlog_per_task" {
  description = "Number of waiting messages per task above which Application Auto Scaling adds tasks, for example the number that a task handles in a minute."
  type        = number
  default     = 5000
  nullable    = false

  validation {
    condition     = var.backlog_per_task >= 1
    error_message = "backlog_per_task must be 1 or more."
  }
}

variable "log_retention_days" {
  description = "Number of days for which CloudWatch keeps the worker's log."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch accepts: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_kms_key_arn" {
  description = "ARN of your own KMS key, if it is to encrypt the worker's log; null leaves that to CloudWatch. CloudWatch accepts the key only if its policy contains the statement of the output `log_kms_key_statement` already."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a key, not of an alias."
  }
}

variable "further_log_streams" {
  description = "First parts of the names of further log streams that ECS may write with the execution role, for services beside the worker: `[\"api\"]` for the module `api_service`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.further_log_streams : can(regex("^[a-z0-9-]+$", prefix))])
    error_message = "Each element of further_log_streams must consist of lower-case letters, digits and hyphens."
  }
}

variable "further_secret_arns" {
  description = "ARNs of further secrets and parameters that ECS may read with the execution role, for services beside the worker: `serve_secret_arn` of the module `api_service`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.further_secret_arns :
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:*]*:[^:*]*:[^:*]*)?$", arn))
      || can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:\\d{12}:parameter/[A-Za-z0-9_./-]+$", arn))
    ])
    error_message = "Each element of further_secret_arns must be the ARN of one secret in Secrets Manager or of one parameter in Parameter Store, without a wildcard."
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
