variable "name" {
  description = "Name of the database instance and prefix of the names of its subnet group and security group."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # The users' names end in "_worker" and "_reader"; PostgreSQL allows 63 characters.
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,50}$", var.name))
    error_message = "name must have 1 to 51 characters: lower-case letters, digits and single hyphens. It must begin with a letter and must not end in a hyphen."
  }
}

variable "vpc_id" {
  description = "ID of the database's VPC."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "IDs of the database's subnets, in at least two availability zones. They may be public: RDS gives the database no public address."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least two subnets, in different availability zones: RDS requires them."
  }
}

variable "client_security_group_ids" {
  description = "IDs of the security groups that may connect to the database, each by a name of your choice. Nothing else may connect."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "engine_version" {
  description = "Version of PostgreSQL, 15 or later. Without a minor version, RDS installs the newest one and keeps it up to date."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^(1[5-9]|[2-9][0-9])(\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be 15 or later: the worker needs 15, and from 15 on RDS requires TLS by default."
  }
}

variable "instance_class" {
  description = "Instance class of the database."
  type        = string
  default     = "db.t4g.micro"
  nullable    = false

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must be an instance class of RDS, such as db.t4g.micro."
  }
}

variable "allocated_storage_gib" {
  description = "Initial size of the disk, in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allocated_storage_gib >= 20 && floor(var.allocated_storage_gib) == var.allocated_storage_gib
    error_message = "allocated_storage_gib must be a whole number, 20 or more."
  }
}

variable "max_allocated_storage_gib" {
  description = "Size up to which RDS may enlarge the disk, in GiB."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.max_allocated_storage_gib >= 1.1 * var.allocated_storage_gib
    error_message = "max_allocated_storage_gib must be at least 10 % more than allocated_storage_gib: RDS requires this."
  }
}

variable "multi_az" {
  description = "Whether RDS runs a standby in another availability zone, at twice the price. While the database is unavailable, messages wait in the queue."
  type        = bool
  default     = false
  nullable    = false
}

variable "backup_retention_days" {
  description = "Number of days for which RDS keeps backups; it can restore the database to any moment in this time."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35 && floor(var.backup_retention_days) == var.backup_retention_days
    error_message = "backup_retention_days must be a whole number from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the database. Before you destroy the database, set this to false and apply."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot" {
  description = "Whether RDS takes a snapshot `<name>-final-<time>` when Terraform destroys the database; the time is that of the database's creation."
  type        = bool
  default     = true
  nullable    = false
}

variable "snapshot_identifier" {
  description = "Name of the snapshot from which RDS creates the database, for example `sesbounce-final-20261126091500`; null creates an empty one. Terraform reads it only when it creates the database."
  type        = string
  default     = null
}

variable "auto_minor_version_upgrade" {
  description = "Whether RDS installs newer minor versions in the maintenance window."
  type        = bool
  default     = true
  nullable    = false
}

variable "apply_immediately" {
  description = "Whether RDS makes a change at once, also if it restarts the database: messages wait in the queue meanwhile. With false, RDS waits for the maintenance window, and a worker that needs the change fails until then."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the disk; null takes the AWS managed key of RDS."
  type        = string
  default     = null
}

variable "iam_authentication" {
  description = "Whether the worker connects as a user of its own, by RDS IAM authentication. With false, the worker connects as the master user, whose password it reads from Secrets Manager for each new connection: this needs less of the instance's memory, of which RDS wants some hundred MiB for IAM authentication."
  type        = bool
  default     = true
  nullable    = false
}

variable "root_certificate" {
  description = "Whose certificate the server must show. `rds`: one of RDS in the regions whose roots the worker holds (docs/database.md). A path: one of the authorities in this file of the worker's image. `none`: any; the connection is encrypted, but a server in between could read it."
  type        = string
  default     = "rds"
  nullable    = false

  validation {
    condition     = contains(["rds", "none"], var.root_certificate) || can(regex("^/[A-Za-z0-9._/-]+$", var.root_certificate))
    error_message = "root_certificate must be rds, none, or an absolute path that consists of letters, digits and the characters . _ - /."
  }
}

variable "tags" {
  description = "Tags of each resource that this module creates and AWS can tag."
  type        = map(string)
  default     = {}
  nullable    = false
}
