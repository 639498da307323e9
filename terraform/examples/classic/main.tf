# The names and the queue of the recipes from 2016: topic SESBounce, queue SESBounceSQS, user SQSAPI.

provider "aws" {
  region = var.region
}

module "feedback_queue" {
  source = "../../modules/feedback_queue"

  topic_name = "SESBounce"
  queue_name = "SESBounceSQS"
  identities = { for identity in var.identities : identity => {} }

  # What SQS gives a queue for which nobody chooses anything.
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 0
  message_retention_seconds  = 345600
  sqs_managed_encryption     = null
}

# The user may consume this queue, and nothing else.
module "queue_consumer" {
  source = "../../modules/queue_consumer"

  name               = "SQSAPI"
  queue_arn          = module.feedback_queue.queue_arn
  create_user        = true
  create_access_key  = true
  access_key_pgp_key = var.access_key_pgp_key
  secret_in_state    = var.access_key_pgp_key == null
}
