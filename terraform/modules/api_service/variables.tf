variable "name" {
  description = "Prefix of the names of the service, the role and the security group, which are called `<name>-api`."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9_-]{0,52}[a-z0-9])?$", var.name))
    error_message = "name must have 1 to 54 characters: lower-case letters, digits, hyphens and underscores. It must begin and end with a letter or digit."
  }
}

variable "image" {
  description = "The worker's image, which holds the server too, by digest (`NAME@sha256:…`). With null, Terraform creates no task definition and no service."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^\\s@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in its digest, @sha256: and 64 hexadecimal digits: a tag can point to another image tomorrow."
  }
}

variable "target_group_arn" {
  description = "ARN of a target group of your load balancer, with the target type `ip`, the protocol HTTP and the health check `/healthz`, in which ECS registers each task."
  type        = string
  default     = null

  validation {
    condition     = var.target_group_arn == null || can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\\d{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+$", var.target_group_arn))
    error_message = "target_group_arn must be the ARN of one target group."
  }

  validation {
    condition     = (var.target_group_arn == null) != (var.cloud_map_service_arn == null)
    error_message = "Set one of target_group_arn and cloud_map_service_arn: programs reach the server by your load balancer or by AWS Cloud Map."
  }
}

variable "cloud_map_service_arn" {
  description = "ARN of a service of AWS Cloud Map in a private DNS namespace of yours, with records of the type `A`, in which ECS registers each task."
  type        = string
  default     = null

  validation {
    condition     = var.cloud_map_service_arn == null || can(regex("^arn:[a-z-]+:servicediscovery:[a-z0-9-]+:\\d{12}:service/srv-[a-z0-9]+$", var.cloud_map_service_arn))
    error_message = "cloud_map_service_arn must be the ARN of a service of AWS Cloud Map (…:service/srv-…)."
  }
}

variable "client_security_group_ids" {
  description = "Security groups, each by a name of your choice, whose members may connect to the server: the group of your load balancer, or with Cloud Map those of the programs. Nothing else reaches the server."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.client_security_group_ids) > 0 && alltrue([for id in values(var.client_security_group_ids) : startswith(id, "sg-")])
    error_message = "client_security_group_ids must have at least one security group (sg-…): otherwise nothing reaches the server."
  }
}

variable "port" {
  description = "TCP port that the server listens on."
  type        = number
  default     = 8080
  nullable    = false

  validation {
    condition     = var.port >= 1024 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port must be a whole number from 1024 to 65535: the server is not root."
  }
}

variable "tasks" {
  description = "Number of tasks. With two or more, ECS spreads them over the zones of the subnets, and the API answers while one task is replaced after a fault."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.tasks >= 1 && floor(var.tasks) == var.tasks
    error_message = "tasks must be a whole number, at least 1."
  }
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:\\d{12}:cluster/[A-Za-z0-9_-]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster."
  }
}

variable "execution_role_arn" {
  description = "ARN of the role with which ECS starts the tasks. It must let ECS pull the image, read the `secrets`, and write streams `api/…` of the log group; the one of `worker_service` does with `further_log_streams = [\"api\"]`."
  type        = string
  nullable    = false
}

variable "log_group_name" {
  description = "Name of the log group in CloudWatch; the names of the server's streams begin with `api/`."
  type        = string
  nullable    = false
}

variable "task_policies" {
  description = "Policies of the server's role, in JSON, each by a name of your choice: the right to connect to the database, `{ database = module.database.application_policy }`, or to read its password."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "environment" {
  description = "Settings of the server. A decision by the API does what the worker would do: give the server the settings of the worker, `SESBOUNCE_STRIKE_OFF_SQL` and those of the policy among them. Everybody who may read the task definition can read them: put secrets into `secrets`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.environment), [
      "SESBOUNCE_DATABASE_PASSWORD", "SESBOUNCE_WEBHOOK_SECRET", "SESBOUNCE_WEBHOOK_SECRETS", "SESBOUNCE_HASH_KEY", "SESBOUNCE_SERVE_SECRET",
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ])) == 0
    error_message = "environment must not contain a secret: store the secret in Secrets Manager or Parameter Store and put its ARN into secrets. The server gets AWS credentials from the task's role."
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
  description = "Secret settings of the server: for each environment variable, the ARN of a secret in Secrets Manager (`ARN:KEY::` for one key of a JSON secret) or of a parameter in Parameter Store."
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

variable "console" {
  description = "Whether the server also serves the console for people in browsers, under `/console` (docs/console.md). It needs `serve_secret_arn`, and TLS at your load balancer."
  type        = bool
  default     = false
  nullable    = false
}

variable "serve_secret_arn" {
  description = "ARN of the secret in Secrets Manager, or of the parameter in Parameter Store, with which the console encrypts its sessions and links (`SESBOUNCE_SERVE_SECRET`: at least 32 characters, `openssl rand -hex 32`). The role `execution_role_arn` must let ECS read it."
  type        = string
  default     = null

  validation {
    condition = var.serve_secret_arn == null ? true : (
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:*]*:[^:*]*:[^:*]*)?$", var.serve_secret_arn))
      || can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:\\d{12}:parameter/[A-Za-z0-9_./-]+$", var.serve_secret_arn))
    )
    error_message = "serve_secret_arn must be the ARN of one secret in Secrets Manager or of one parameter in Parameter Store. It must not be the secret itself and must not contain a wildcard."
  }

  validation {
    condition     = !var.console || var.serve_secret_arn != null
    error_message = "console needs serve_secret_arn: all tasks need one secret, because a session that one task begins goes on at another one."
  }
}

variable "vpc_id" {
  description = "ID of the VPC in which the server runs."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "IDs of the subnets in which the server runs."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must name at least one subnet."
  }
}

variable "assign_public_ip" {
  description = "Whether ECS gives each task a public address, so that the task reaches AWS without a NAT gateway; the security group still lets only `client_security_group_ids` connect."
  type        = bool
  default     = false
  nullable    = false
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

variable "egress_tcp_ports" {
  description = "TCP ports that the server may connect to: 443 for AWS, and the port of a database (5432 PostgreSQL, 3306 MySQL). Null means 443, and 5432 as long as `egress_security_groups` is empty."
  type        = set(number)
  default     = null

  validation {
    condition = var.egress_tcp_ports == null ? true : (
      contains(var.egress_tcp_ports, 443) && alltrue([for port in var.egress_tcp_ports : port >= 1 && port <= 65535 && floor(port) == port])
    )
    error_message = "egress_tcp_ports must be whole numbers from 1 to 65535 and include 443: ECS pulls the image by this port."
  }
}

variable "egress_cidr_ipv4" {
  description = "IPv4 range to which the server may connect by a port of `egress_tcp_ports`, by port, for example `{ 3306 = \"10.0.0.0/16\" }`; any address where there is none. AWS's own endpoints (443) have no fixed addresses, unless your VPC has endpoints for them."
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
  description = "Security groups whose members the server may connect to, by a name of your choice: the id of the group and the TCP port."
  type        = map(object({ id = string, port = number }))
  default     = {}
  nullable    = false
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

variable "shutdown_seconds" {
  description = "Number of seconds from SIGTERM to the server's exit, in which it answers the requests that have begun. ECS kills the server ten seconds later."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.shutdown_seconds >= 5 && var.shutdown_seconds <= 110 && floor(var.shutdown_seconds) == var.shutdown_seconds
    error_message = "shutdown_seconds must be a whole number from 5 to 110: Fargate kills a task after 120 seconds at the latest."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null sets none."
  type        = string
  default     = null
}

variable "path" {
  description = "IAM path of the role."
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
