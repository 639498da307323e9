variable "region" {
  description = "AWS region, the one that SES sends from; null takes it from the environment (AWS_REGION)."
  type        = string
  default     = null
}

variable "name" {
  description = "Names derive from it: the topic and the queue are called `<name>-feedback`, unless `topic_name` or `queue_name` says otherwise."
  type        = string
  default     = "sesbounce"
  nullable    = false
}

variable "topic_name" {
  description = "Name of the SNS topic, e.g. the classic `SESBounce`; null derives it from `name`."
  type        = string
  default     = null
}

variable "queue_name" {
  description = "Name of the SQS queue, e.g. the classic `SESBounceSQS`; null derives it from `name`. The dead-letter queues are called `<queue name>-dlq` and `<queue name>-subscription-dlq`."
  type        = string
  default     = null
}

variable "identities" {
  description = "SES identities whose feedback goes to the topic, by address or domain. `create`: Terraform makes the identity, otherwise it exists. `notifications`: attach the topic to it. `include_original_headers`: repeat the mail's headers in each notification. `forward_feedback_by_email`: null leaves SES's own forwarding as it is."
  type = map(object({
    create                    = optional(bool, false)
    notifications             = optional(bool, true)
    include_original_headers  = optional(bool, false)
    forward_feedback_by_email = optional(bool)
  }))
  default  = {}
  nullable = false
}

variable "configuration_sets" {
  description = "SES configuration sets whose events go to the topic, by name. `create`: Terraform makes the set, otherwise it exists."
  type        = map(object({ create = optional(bool, false) }))
  default     = {}
  nullable    = false
}

variable "feedback_types" {
  description = "What SES publishes: `Bounce`, `Complaint`, `Delivery`. A delivery ends a run of soft bounces, at the price of one message for each mail sent."
  type        = set(string)
  default     = ["Bounce", "Complaint"]
  nullable    = false
}

variable "notification_emails" {
  description = "Addresses of people who get each bounce and complaint by e-mail (never deliveries). Each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "raw_message_delivery" {
  description = "Whether SQS gets what SES said as it is, without the SNS envelope. The envelope carries the topic and the signature that the worker can check, so it stays by default."
  type        = bool
  default     = false
  nullable    = false
}

variable "visibility_timeout_seconds" {
  description = "How long a received message stays hidden from other receivers. At least six times what the handling of a batch takes: 120 gives it 20 seconds, and a message of a worker that died comes back after two minutes."
  type        = number
  default     = 120
  nullable    = false
}

variable "max_receive_count" {
  description = "After how many receives without success SQS moves a message to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "create_consumer_user" {
  description = "Whether to make an IAM user for a worker outside AWS, allowed to consume this queue and nothing else."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_consumer_access_key" {
  description = "Whether to make an access key for that user. Needs `create_consumer_user` and `access_key_pgp_key`, so that the state holds only the encrypted secret."
  type        = bool
  default     = false
  nullable    = false
}

variable "access_key_pgp_key" {
  description = "PGP public key, in base64 and unarmored (`gpg --export`), or `keybase:NAME`, that encrypts the access key's secret."
  type        = string
  default     = null
}

variable "tags" {
  description = "More tags of everything here; `Application` and `ManagedBy` are set."
  type        = map(string)
  default     = {}
  nullable    = false
}
