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

  event_destination_name = substr(local.topic_name, 0, 64) # the topic's name may be longer than SES allows

  event_names = {
    Bounce           = "BOUNCE"
    Click            = "CLICK"
    Complaint        = "COMPLAINT"
    Delivery         = "DELIVERY"
    DeliveryDelay    = "DELIVERY_DELAY"
    Open             = "OPEN"
    Reject           = "REJECT"
    RenderingFailure = "RENDERING_FAILURE"
    Send             = "SEND"
    Subscription     = "SUBSCRIPTION"
  }
}

resource "aws_sesv2_email_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if var.ses_api == "v2" }

  email_identity = each.key
  tags           = var.tags

  # Easy DKIM. SES signs the mail of an address with the key of its domain.
  dynamic "dkim_signing_attributes" {
    for_each = strcontains(each.key, "@") ? [] : ["RSA_2048_BIT"]

    content {
      next_signing_key_length = dkim_signing_attributes.value
    }
  }
}

resource "aws_sesv2_email_identity_mail_from_attributes" "this" {
  for_each = { for name, identity in local.created : name => identity if identity.mail_from_domain != null }

  email_identity         = aws_sesv2_email_identity.this[each.key].email_identity
  mail_from_domain       = each.value.mail_from_domain
  behavior_on_mx_failure = each.value.mail_from_required ? "REJECT_MESSAGE" : "USE_DEFAULT_VALUE"
}

# Only version 1 of SES's API attaches topics to identities. SES publishes a test message when Terraform
# attaches the topic, so the topic's policy must exist first. The subscription must exist too: otherwise SNS
# would deliver the first events to nobody.
resource "aws_ses_identity_notification_topic" "this" {
  for_each = local.attachments

  identity                 = each.value.identity
  notification_type        = each.value.type
  topic_arn                = local.topic_arn
  include_original_headers = var.identities[each.value.identity].include_original_headers

  depends_on = [
    aws_ses_domain_identity.this,
    aws_ses_email_identity.this,
    aws_sesv2_email_identity.this,
    var.publish_after,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}

resource "aws_sesv2_email_identity_feedback_attributes" "this" {
  for_each = { for name, identity in var.identities : name => identity if identity.forward_feedback_by_email != null }

  email_identity           = each.key
  email_forwarding_enabled = each.value.forward_feedback_by_email

  depends_on = [
    aws_ses_domain_identity.this,
    aws_ses_email_identity.this,
    aws_sesv2_email_identity.this,
    aws_ses_identity_notification_topic.this, # SES accepts "off" only after both topics are attached
  ]
}

resource "aws_sesv2_configuration_set" "this" {
  for_each = { for name, set in var.configuration_sets : name => set if set.create && var.ses_api == "v2" }

  configuration_set_name = each.key
  tags                   = var.tags

  delivery_options {
    tls_policy = each.value.require_tls ? "REQUIRE" : "OPTIONAL"
  }

  reputation_options {
    reputation_metrics_enabled = true
  }

  sending_options {
    sending_enabled = true
  }

  dynamic "suppression_options" {
    for_each = each.value.suppressed_reasons == null ? [] : [each.value.suppressed_reasons]

    content {
      suppressed_reasons = suppression_options.value
    }
  }
}

resource "aws_sesv2_configuration_set_event_destination" "this" {
  for_each = { for name, types in local.event_types : name => types if var.ses_api == "v2" }

  event_destination_name = local.event_destination_name
  configuration_set_name = each.key

  event_destination {
    enabled              = true
    matching_event_types = [for type in each.value : local.event_names[type]]

    sns_destination {
      topic_arn = local.topic_arn
    }
  }

  depends_on = [
    var.publish_after,
    aws_sesv2_configuration_set.this,
    aws_sns_topic_policy.this,
    aws_sns_topic_subscription.queue,
  ]
}
