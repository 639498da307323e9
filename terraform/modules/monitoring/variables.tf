variable "name" {
  description = "Name of the dashboard and prefix of the names of the alarms and their topic."
  type        = string
  default     = "sesbounce"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must have 1 to 64 characters: letters, digits, hyphens and underscores."
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

variable "dlq_arn" {
  description = "ARN of that queue's dead-letter queue, which receives the messages that the worker could not handle; null without one."
  type        = string
  default     = null
}

variable "watch_dlq" {
  description = "Whether an alarm watches that dead-letter queue; false for a queue without one."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = !var.watch_dlq || var.dlq_arn != null
    error_message = "watch_dlq needs dlq_arn. Set it to false for a queue without a dead-letter queue."
  }
}

variable "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue, which receives the messages that SNS could not deliver."
  type        = string
  nullable    = false
}

variable "worker" {
  description = "The ECS service that the alarms watch; null for a worker elsewhere. With `min_tasks` 0, no alarm watches the number of tasks: the alarm on the oldest message shows whether messages wait."
  type = object({
    cluster_name = string
    service_name = string
    min_tasks    = optional(number, 1)
  })
  default = null
}

variable "function_name" {
  description = "Name of the function in AWS Lambda that the alarms watch; null for a worker elsewhere."
  type        = string
  default     = null

  validation {
    condition     = var.function_name == null || var.worker == null && var.run_interval_seconds == null
    error_message = "A worker is a function (function_name), has a service (worker) or has a schedule (run_interval_seconds)."
  }
}

variable "sweep_interval_seconds" {
  description = "Number of seconds between two sweeps of the function; some alarms fit this interval."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.sweep_interval_seconds >= 60 && var.sweep_interval_seconds <= 86400 && var.sweep_interval_seconds % 60 == 0
    error_message = "sweep_interval_seconds must be a multiple of 60, from 60 to 86400."
  }
}

variable "run_interval_seconds" {
  description = "Number of seconds between two runs of a worker that a schedule starts; null for a worker that runs all the time. With it, an alarm watches that runs end well, and the others fit the interval."
  type        = number
  default     = null

  validation {
    condition     = var.run_interval_seconds == null ? true : var.run_interval_seconds >= 60 && var.run_interval_seconds <= 86400 && var.run_interval_seconds % 60 == 0
    error_message = "run_interval_seconds must be a multiple of 60, from 60 to 86400."
  }

  validation {
    condition     = var.run_interval_seconds == null || var.worker == null
    error_message = "A worker has a service (worker) or a schedule (run_interval_seconds), not both."
  }
}

variable "watch_worker_metrics" {
  description = "Whether alarms watch the worker's health and errors. The worker must write these metrics to CloudWatch Logs (`SESBOUNCE_EMF=true`)."
  type        = bool
  default     = true
  nullable    = false
}

variable "watch_reputation" {
  description = "Whether alarms watch the bounce and complaint rates by which SES reviews the account. SES counts them for the account and region, not for this stack."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarm_emails" {
  description = "E-mail addresses of people to whom SNS sends the alarms. Each person must confirm the subscription once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+$", email))])
    error_message = "Each element of alarm_emails must be an e-mail address."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of your own SNS topic for the alarms, in the region of the queue; with null, Terraform creates a topic. The policy of your topic must contain the statement of the output `topic_statement`, and its subscribers are yours: `alarm_emails` must be empty."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:\\d{12}:[A-Za-z0-9_-]{1,256}$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of one standard SNS topic."
  }

  validation {
    # Another region's topic would be accepted, and no alarm would reach it.
    condition     = var.alarm_topic_arn == null ? true : element(split(":", var.alarm_topic_arn), 3) == element(split(":", var.queue_arn), 3)
    error_message = "alarm_topic_arn must name a topic in the region of the queue: CloudWatch publishes to no other."
  }

  validation {
    condition     = var.alarm_topic_arn == null || length(var.alarm_emails) == 0
    error_message = "Set alarm_emails or alarm_topic_arn, not both: Terraform does not change who subscribes to a topic of your own."
  }
}

variable "oldest_message_seconds" {
  description = "Age of the oldest waiting message, in seconds, at which CloudWatch raises an alarm. Null means 900, and with `run_interval_seconds` two intervals more: messages wait for the next run."
  type        = number
  default     = null

  validation {
    condition     = var.oldest_message_seconds == null ? true : var.oldest_message_seconds >= 60
    error_message = "oldest_message_seconds must be 60 or more."
  }
}

variable "sender_faults" {
  description = "Number of mails an hour that receiving hosts reject because of the sender, at which CloudWatch raises an alarm."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.sender_faults >= 1
    error_message = "sender_faults must be 1 or more."
  }
}

variable "bounce_rate" {
  description = "Bounce rate of the account, as a fraction, at which CloudWatch raises an alarm. SES reviews accounts from 0.05 on and may pause their sending from 0.1 on."
  type        = number
  default     = 0.04
  nullable    = false

  validation {
    condition     = var.bounce_rate > 0 && var.bounce_rate <= 0.1
    error_message = "bounce_rate must be a fraction above 0 and at most 0.1, such as 0.04 for 4 %."
  }
}

variable "complaint_rate" {
  description = "Complaint rate of the account, as a fraction, at which CloudWatch raises an alarm. SES reviews accounts from 0.001 on and may pause their sending from 0.005 on."
  type        = number
  default     = 0.0008
  nullable    = false

  validation {
    condition     = var.complaint_rate > 0 && var.complaint_rate <= 0.005
    error_message = "complaint_rate must be a fraction above 0 and at most 0.005, such as 0.0008 for 0.08 %."
  }
}

variable "dashboard" {
  description = "Whether Terraform creates the dashboard. The first three dashboards of an account are free."
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
