variable "name" {
  description = "Names derive from it: the alarms, their topic and the dashboard."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens or underscores."
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

variable "dlq_arn" {
  description = "ARN of its dead-letter queue: what the worker could not handle."
  type        = string
  nullable    = false
}

variable "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue: what SNS could not deliver."
  type        = string
  nullable    = false
}

variable "worker" {
  description = "The ECS service to watch; null for a worker elsewhere. With `min_tasks` 0 no running task is no alarm: the age of the oldest message tells what waits."
  type = object({
    cluster_name = string
    service_name = string
    min_tasks    = optional(number, 1)
  })
  default = null
}

variable "watch_worker_metrics" {
  description = "Whether to watch the metrics that a worker with `SESBOUNCE_EMF=true` tells in a log of CloudWatch: its health and its errors."
  type        = bool
  default     = true
  nullable    = false
}

variable "watch_reputation" {
  description = "Whether to watch the bounce and complaint rates by which SES judges the account. They are of the account and region, not of this stack."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses of people who are told of alarms. Each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", email))])
    error_message = "Each of alarm_emails must be an e-mail address."
  }
}

variable "oldest_message_seconds" {
  description = "How old the oldest waiting message may become before there is an alarm."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.oldest_message_seconds >= 60
    error_message = "oldest_message_seconds must be 60 or more."
  }
}

variable "bounce_rate" {
  description = "Bounce rate of the account that is an alarm, as a fraction. SES reviews accounts from 0.05 on and may pause them at 0.1."
  type        = number
  default     = 0.04
  nullable    = false

  validation {
    condition     = var.bounce_rate > 0 && var.bounce_rate <= 0.1
    error_message = "bounce_rate must be a fraction above 0 and at most 0.1, such as 0.04 for 4 %."
  }
}

variable "complaint_rate" {
  description = "Complaint rate of the account that is an alarm, as a fraction. SES reviews accounts from 0.001 on and may pause them at 0.005."
  type        = number
  default     = 0.0008
  nullable    = false

  validation {
    condition     = var.complaint_rate > 0 && var.complaint_rate <= 0.005
    error_message = "complaint_rate must be a fraction above 0 and at most 0.005, such as 0.0008 for 0.08 %."
  }
}

variable "dashboard" {
  description = "Whether to make the dashboard. The first three of an account are free."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of the alarms and their topic."
  type        = map(string)
  default     = {}
  nullable    = false
}
