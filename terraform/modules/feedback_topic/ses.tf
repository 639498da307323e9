locals {
  created = { for name, identity in var.identities : name => identity if identity.create }

  # One attachment for each identity and type of feedback.
  attachments = merge([
    for name, identity in var.identities : {
      for type in var.feedback_types : "${name}/${type}" => { identity = name, type = type }
    } if identity.notifications
  ]...)

  event_types = {
    for name, set in var.configuration_sets :
    name => set.event_types == null ? var.feedback_types : set.event_types
  }

  # SES's names of the event types; only version 2 of its API has the last two.
  event_names = {
    Bounce           = "bounce"
    Click            = "click"
    Complaint        = "complaint"
    Delivery         = "delivery"
    Open             = "open"
    Reject           = "reject"
    RenderingFailure = "renderingFailure"
    Send             = "send"
  }
  event_names_v2 = {
    DeliveryDelay = "DELIVERY_DELAY"
    Subscription  = "SUBSCRIPTION"
  }
}

resource "aws_ses_email_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if strcontains(name, "@") }

  email = each.key
}

resource "aws_ses_domain_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if !strcontains(name, "@") }

  domain = each.key
}

# SES publishes a test message when Terraform attaches the topic, so the topic's policy must exist first.
# The subscription must exist too: otherwise SNS would deliver the first events to nobody.
resource "aws_ses_identity_notification_topic" "this" {
  for_each = local.attachments

  identity                 = each.value.identity
  notification_type        = each.value.type
  topic_arn                = local.topic_arn
  include_original_headers = var.identities[each.value.identity].include_original_headers

  depends_on = [
    aws_ses_domain_identity.this,
    aws_ses_email_identity.this,
    var.publish_after,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}

resource "aws_sesv2_email_identity_feedback_attributes" "this" {
  for_each = { for name, identity in var.identities : name => identity if identity.forward_feedback_by_email != null }

  email_identity           = each.key
  email_forwarding_enabled = each.value.forward_feedback_by_email

  # SES accepts "off" only after both topics are attached.
  depends_on = [aws_ses_identity_notification_topic.this]
}

resource "aws_ses_configuration_set" "this" {
  # checkov:skip=CKV_AWS_365: the sender decides whether SES may send to hosts without TLS: require_tls.
  for_each = { for name, set in var.configuration_sets : name => set if set.create }

  name = each.key

  dynamic "delivery_options" {
    for_each = each.value.require_tls ? ["Require"] : []

    content {
      tls_policy = delivery_options.value
    }
  }
}

resource "aws_ses_event_destination" "this" {
  for_each = { for name, types in local.event_types : name => types if length(setintersection(types, keys(local.event_names))) > 0 }

  name                   = substr(local.topic_name, 0, 64) # the topic's name may be longer than SES allows
  configuration_set_name = each.key
  enabled                = true
  matching_types         = [for type, name in local.event_names : name if contains(each.value, type)]

  sns_destination {
    topic_arn = local.topic_arn
  }

  depends_on = [
    var.publish_after,
    aws_ses_configuration_set.this,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}

resource "aws_sesv2_configuration_set_event_destination" "this" {
  for_each = { for name, types in local.event_types : name => types if length(setintersection(types, keys(local.event_names_v2))) > 0 }

  event_destination_name = "${substr(local.topic_name, 0, 61)}-v2" # another name: the destination above has the topic's name
  configuration_set_name = each.key

  event_destination {
    enabled              = true
    matching_event_types = [for type, name in local.event_names_v2 : name if contains(each.value, type)]

    sns_destination {
      topic_arn = local.topic_arn
    }
  }

  depends_on = [
    var.publish_after,
    aws_ses_configuration_set.this,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}
