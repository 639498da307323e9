variable "name" {
  description = "Names derive from it: repository, cluster, service, roles and log group."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # The repository takes lower case only; IAM's roles end in "-execution" and have 64 characters.
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,52}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 54 lower-case letters, digits, hyphens or underscores, and begin and end with a letter or digit."
  }
}

variable "image" {
  description = "The worker's image, by digest (`NAME@sha256:…`), so that what runs is what was tested. Null makes all but the task and the service: the repository has to be there before an image can be pushed to it."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^\\s@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in its digest, @sha256: and 64 hexadecimal digits: a tag may mean another image tomorrow."
  }
}

variable "create_repository" {
  description = "Whether to make an ECR repository for the image. False where the image comes from elsewhere."
  type        = bool
  default     = true
  nullable    = false
}

variable "repository_arn" {
  description = "ARN of an ECR repository that exists and that the image comes from; only with `create_repository = false`."
  type        = string
  default     = null

  validation {
    condition     = var.repository_arn == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:\\d{12}:repository/[a-z0-9._/-]+$", var.repository_arn))
    error_message = "repository_arn must be the ARN of one ECR repository, without wildcards."
  }

  validation {
    condition     = var.repository_arn == null || !var.create_repository
    error_message = "repository_arn is for a repository that exists: set create_repository = false."
  }
}

variable "queue_arn" {
  description = "ARN of the queue that the worker drains."
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
  description = "Policies of the task's role, by any name: what the worker may do. Usually the one of the module `queue_consumer`."
  type        = map(string)
  nullable    = false
}

variable "environment" {
  description = "Settings of the worker, e.g. `SESBOUNCE_STRIKE_OFF_SQL`. They stand in the task definition for all to read: secrets go into `secrets`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "SESBOUNCE_DATABASE_PASSWORD", "SESBOUNCE_WEBHOOK_SECRET", "SESBOUNCE_HASH_KEY",
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ])) == 0
    error_message = "environment must hold no secret: put it into Secrets Manager or Parameter Store and its ARN into secrets. AWS's own credentials come from the task's role."
  }

  validation {
    condition     = alltrue([for value in values(var.environment) : !can(regex("://[^/@\\s]*:[^/@\\s]+@", value))])
    error_message = "environment must hold no URL with a password: put the whole URL into Secrets Manager and its ARN into secrets, or only the password (SESBOUNCE_DATABASE_PASSWORD)."
  }

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "The keys of environment must be names of environment variables."
  }
}

variable "secrets" {
  description = "Secrets of the worker, by the environment variable that they are given in: the ARN of a secret in Secrets Manager (`ARN:KEY::` for one key of a JSON secret) or of a parameter in Parameter Store."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for arn in values(var.secrets) :
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:*]*:[^:*]*:[^:*]*)?$", arn))
      || can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:\\d{12}:parameter/[A-Za-z0-9_./-]+$", arn))
    ])
    error_message = "Each of secrets must be the ARN of one secret in Secrets Manager (with :KEY:: after it for one key of a JSON secret) or of one parameter in Parameter Store: not the secret itself, and no wildcard."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.environment))) == 0
    error_message = "A name must not be in both secrets and environment."
  }
}

variable "secrets_kms_key_arns" {
  description = "ARNs of customer KMS keys that the secrets are encrypted with; none for AWS's own keys."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secrets_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each of secrets_kms_key_arns must be the ARN of one key, not of an alias, without wildcards."
  }
}

variable "cluster_arn" {
  description = "ARN of an ECS cluster that exists; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.cluster_arn == null || can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:\\d{12}:cluster/[A-Za-z0-9_-]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster."
  }
}

variable "container_insights" {
  description = "Whether a cluster made here has Container Insights, which CloudWatch charges for. Nothing here needs it."
  type        = bool
  default     = false
  nullable    = false
}

variable "vpc_id" {
  description = "VPC that the worker runs in; null takes the default VPC of the region."
  type        = string
  default     = null

  validation {
    condition     = (var.vpc_id == null) == (var.subnet_ids == null)
    error_message = "vpc_id and subnet_ids go together: give both, or neither for the default VPC."
  }
}

variable "subnet_ids" {
  description = "Subnets that the worker runs in; null takes those of the default VPC, which are public."
  type        = list(string)
  default     = null

  validation {
    condition     = var.subnet_ids == null ? true : length(var.subnet_ids) > 0
    error_message = "subnet_ids must name at least one subnet, or be null."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks have a public address, by which they reach AWS without a NAT gateway; nothing can reach them. Null: in the default VPC yes, in your own subnets no, which then need a NAT gateway or VPC endpoints."
  type        = bool
  default     = null
}

variable "egress_tcp_ports" {
  description = "TCP ports that the worker may reach: 443 for AWS and a webhook, and that of the database (5432 PostgreSQL, 3306 MySQL)."
  type        = set(number)
  default     = [443, 5432]
  nullable    = false

  validation {
    condition     = contains(var.egress_tcp_ports, 443) && alltrue([for port in var.egress_tcp_ports : port >= 1 && port <= 65535 && floor(port) == port])
    error_message = "egress_tcp_ports must be ports from 1 to 65535, 443 among them: SQS is reached by it."
  }
}

variable "cpu_architecture" {
  description = "What the image is built for: `ARM64`, which costs a fifth less, or `X86_64`."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "cpu_architecture must be ARM64 or X86_64."
  }
}

variable "cpu_units" {
  description = "CPU of a task, in units of 1/1024 vCPU."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu_units)
    error_message = "cpu_units must be one of 256, 512, 1024, 2048, 4096."
  }
}

variable "memory_mib" {
  description = "Memory of a task, in MiB."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition = (
      var.cpu_units == 256
      ? contains([512, 1024, 2048], var.memory_mib)
      : var.memory_mib % 1024 == 0 && var.memory_mib >= 2 * var.cpu_units && var.memory_mib <= min(8 * var.cpu_units, 30720)
    )
    error_message = "memory_mib must be what Fargate has for cpu_units: 512, 1024 or 2048 for 256 units; for more, whole GiB from two to eight times the units, and 30 GiB at most."
  }
}

variable "processes" {
  description = "How many processes a task works with; more than one pays from 2048 CPU units on."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.processes >= 1 && var.processes <= 64 && floor(var.processes) == var.processes
    error_message = "processes must be a whole number from 1 to 64."
  }
}

variable "shutdown_seconds" {
  description = "By when a worker has ended after it was told to stop. ECS kills it ten seconds later."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.shutdown_seconds >= 5 && var.shutdown_seconds <= 110 && floor(var.shutdown_seconds) == var.shutdown_seconds
    error_message = "shutdown_seconds must be a whole number from 5 to 110: Fargate kills after 120 seconds at the latest."
  }
}

variable "use_spot" {
  description = "Whether tasks beyond `on_demand_base` run on Fargate Spot, which costs up to 70 % less. AWS may end such a task with two minutes' notice: the worker drains, and no message is lost."
  type        = bool
  default     = false
  nullable    = false
}

variable "on_demand_base" {
  description = "With `use_spot`: how many tasks run on demand all the same."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.on_demand_base >= 0 && var.on_demand_base <= 1000 && floor(var.on_demand_base) == var.on_demand_base
    error_message = "on_demand_base must be a whole number from 0 to 1000."
  }
}

variable "min_tasks" {
  description = "Fewest tasks. 0 stops the worker while the queue is empty: the first message then waits some minutes for a task, after hours of silence up to a quarter of an hour for CloudWatch to notice."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_tasks >= 0 && floor(var.min_tasks) == var.min_tasks
    error_message = "min_tasks must be a whole number, 0 or more."
  }
}

variable "max_tasks" {
  description = "Most tasks. As many as `min_tasks` means a fixed number."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_tasks >= 1 && var.max_tasks >= var.min_tasks && floor(var.max_tasks) == var.max_tasks
    error_message = "max_tasks must be a whole number, at least 1 and at least min_tasks."
  }
}

variable "backlog_per_task" {
  description = "How many waiting messages a task is meant to have before there is another task: what a task handles in a minute, say."
  type        = number
  default     = 5000
  nullable    = false

  validation {
    condition     = var.backlog_per_task >= 1
    error_message = "backlog_per_task must be 1 or more."
  }
}

variable "log_retention_days" {
  description = "For how many days CloudWatch keeps the worker's log."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "tags" {
  description = "Tags of everything here that can be tagged."
  type        = map(string)
  default     = {}
  nullable    = false
}
