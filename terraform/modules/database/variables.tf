variable "name" {
  description = "Name of the database instance; the subnet group and the security group derive from it."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    # The final snapshot's name ends in "-final".
    condition     = can(regex("^[a-z](-?[a-z0-9]){0,50}$", var.name))
    error_message = "name must be 1 to 51 lower-case letters, digits and single hyphens, begin with a letter and not end in a hyphen."
  }
}

variable "vpc_id" {
  description = "VPC that the database is in."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets that the database may be in, of at least two availability zones. They may be public: the database has no public address."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least two subnets, in different availability zones: RDS asks for it."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may connect, by any name. Nothing else may."
  type        = map(string)
  nullable    = false
}

variable "engine_version" {
  description = "Version of PostgreSQL, 15 or later; without a minor version, AWS takes and keeps the newest."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^(1[5-9]|[2-9][0-9])(\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be 15 or later: the worker needs it, and RDS demands TLS by default from there on."
  }
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
  default     = "db.t4g.micro"
  nullable    = false

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must be one of RDS, such as db.t4g.micro."
  }
}

variable "allocated_storage_gib" {
  description = "Disk to begin with, in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allocated_storage_gib >= 20 && floor(var.allocated_storage_gib) == var.allocated_storage_gib
    error_message = "allocated_storage_gib must be a whole number, 20 or more."
  }
}

variable "max_allocated_storage_gib" {
  description = "Up to what the disk may grow by itself, in GiB."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.max_allocated_storage_gib >= 1.1 * var.allocated_storage_gib
    error_message = "max_allocated_storage_gib must be at least a tenth above allocated_storage_gib: RDS asks for it."
  }
}

variable "multi_az" {
  description = "Whether there is a standby in another availability zone, at twice the price. While a database is away, messages wait in the queue."
  type        = bool
  default     = false
  nullable    = false
}

variable "backup_retention_days" {
  description = "For how many days the database can be put back to any moment."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35 && floor(var.backup_retention_days) == var.backup_retention_days
    error_message = "backup_retention_days must be a whole number from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the database. Set it to false and apply, before you destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot" {
  description = "Whether a snapshot `<name>-final` is kept when the database is destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the disk; null takes AWS's own for RDS."
  type        = string
  default     = null
}

variable "root_certificate" {
  description = "Path, inside the worker's image, of RDS's root certificates. With it the worker checks who it talks to (`verify-full`); without, it only demands TLS (`require`)."
  type        = string
  default     = null

  validation {
    condition     = var.root_certificate == null || can(regex("^/[A-Za-z0-9._/-]+$", var.root_certificate))
    error_message = "root_certificate must be an absolute path of letters, digits and . _ - /."
  }
}

variable "tags" {
  description = "Tags of everything here that can be tagged."
  type        = map(string)
  default     = {}
  nullable    = false
}
