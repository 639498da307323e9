locals {
  created = { for name, identity in var.identities : name => identity if identity.create }

  # One attachment for each identity and kind of feedback.
  attachments = merge([
    for name, identity in var.identities : {
      for type in var.feedback_types : "${name}/${type}" => { identity = name, type = type }
    } if identity.notifications
  ]...)
}

resource "aws_ses_email_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if strcontains(name, "@") }

  email = each.key
}

resource "aws_ses_domain_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if !strcontains(name, "@") }

  domain = each.key
}

# SES publishes a test message when a topic is attached, so the topic's policy must be there first;
# so must the subscription, or the first facts would reach nobody.
resource "aws_ses_identity_notification_topic" "this" {
  for_each = local.attachments

  identity                 = each.value.identity
  notification_type        = each.value.type
  topic_arn                = aws_sns_topic.this.arn
  include_original_headers = var.identities[each.value.identity].include_original_headers

  depends_on = [
    aws_ses_domain_identity.this,
    aws_ses_email_identity.this,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}

resource "aws_sesv2_email_identity_feedback_attributes" "this" {
  for_each = { for name, identity in var.identities : name => identity if identity.forward_feedback_by_email != null }

  email_identity           = each.key
  email_forwarding_enabled = each.value.forward_feedback_by_email

  # SES lets forwarding be off only once both topics are attached.
  depends_on = [aws_ses_identity_notification_topic.this]
}

resource "aws_ses_configuration_set" "this" {
  for_each = { for name, set in var.configuration_sets : name => set if set.create }

  name = each.key
}

resource "aws_ses_event_destination" "this" {
  for_each = var.configuration_sets

  name                   = substr(local.topic_name, 0, 64) # a topic's may be longer than SES allows
  configuration_set_name = each.key
  enabled                = true
  matching_types         = [for type in var.feedback_types : lower(type)]

  sns_destination {
    topic_arn = aws_sns_topic.this.arn
  }

  depends_on = [
    aws_ses_configuration_set.this,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}
