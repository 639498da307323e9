variable "region" {
  description = "Region of the queue, which SES also sends from."
  type        = string
  default     = "eu-west-1"
}

variable "other_region" {
  description = "The other region that SES sends from."
  type        = string
  default     = "us-east-1"
}

variable "identity" {
  description = "Domain or address that is verified in SES in both regions."
  type        = string
}

variable "other_alarm_topic_arns" {
  description = "ARNs of SNS topics of the other region that receive an alarm when SNS could not deliver a message from there."
  type        = list(string)
  default     = []
  nullable    = false
}
