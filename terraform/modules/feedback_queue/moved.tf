# Earlier versions of this module had the topic's resources themselves, and always created its queues.

moved {
  from = aws_ses_configuration_set.this
  to   = module.topic.aws_ses_configuration_set.this
}

moved {
  from = aws_ses_domain_identity.this
  to   = module.topic.aws_ses_domain_identity.this
}

moved {
  from = aws_ses_email_identity.this
  to   = module.topic.aws_ses_email_identity.this
}

moved {
  from = aws_ses_event_destination.this
  to   = module.topic.aws_ses_event_destination.this
}

moved {
  from = aws_ses_identity_notification_topic.this
  to   = module.topic.aws_ses_identity_notification_topic.this
}

moved {
  from = aws_sesv2_configuration_set_event_destination.this
  to   = module.topic.aws_sesv2_configuration_set_event_destination.this
}

moved {
  from = aws_sesv2_email_identity_feedback_attributes.this
  to   = module.topic.aws_sesv2_email_identity_feedback_attributes.this
}

moved {
  from = aws_sns_topic.this
  to   = module.topic.aws_sns_topic.this[0]
}

moved {
  from = aws_sns_topic_policy.this
  to   = module.topic.aws_sns_topic_policy.this[0]
}

moved {
  from = aws_sns_topic_subscription.email
  to   = module.topic.aws_sns_topic_subscription.email
}

moved {
  from = aws_sns_topic_subscription.queue
  to   = module.topic.aws_sns_topic_subscription.queue[0]
}

moved {
  from = aws_sqs_queue.subscription_dlq
  to   = module.topic.aws_sqs_queue.subscription_dlq[0]
}

moved {
  from = aws_sqs_queue.this
  to   = aws_sqs_queue.this[0]
}

moved {
  from = aws_sqs_queue.dlq
  to   = aws_sqs_queue.dlq[0]
}
