module "feedback_queue" {
  source = "./modules/feedback_queue"

  name       = var.name
  topic_name = var.topic_name
  queue_name = var.queue_name

  identities          = var.identities
  configuration_sets  = var.configuration_sets
  feedback_types      = var.feedback_types
  notification_emails = var.notification_emails

  raw_message_delivery       = var.raw_message_delivery
  visibility_timeout_seconds = var.visibility_timeout_seconds
  max_receive_count          = var.max_receive_count
}

module "queue_consumer" {
  source = "./modules/queue_consumer"

  name      = "${var.name}-consumer"
  queue_arn = module.feedback_queue.queue_arn

  create_user        = var.create_consumer_user
  create_access_key  = var.create_consumer_access_key
  access_key_pgp_key = var.access_key_pgp_key
}

check "something_publishes" {
  assert {
    condition = (
      length(var.configuration_sets) > 0
      || anytrue([for identity in values(var.identities) : identity.notifications])
    )
    error_message = "Nothing publishes to the topic yet: name your SES identities in var.identities, or your configuration sets in var.configuration_sets."
  }
}
