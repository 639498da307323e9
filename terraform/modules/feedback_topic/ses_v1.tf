# The same with version 1 of SES's API, for emulators that have no other: `ses_api = "v1"`.

locals {
  # Version 2 alone has DeliveryDelay and Subscription; the variables refuse them.
  event_names_v1 = {
    Bounce           = "bounce"
    Click            = "click"
    Complaint        = "complaint"
    Delivery         = "delivery"
    Open             = "open"
    Reject           = "reject"
    RenderingFailure = "renderingFailure"
    Send             = "send"
  }
}

resource "aws_ses_email_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if var.ses_api == "v1" && strcontains(name, "@") }

  email = each.key
}

resource "aws_ses_domain_identity" "this" {
  for_each = { for name, identity in local.created : name => identity if var.ses_api == "v1" && !strcontains(name, "@") }

  domain = each.key
}

resource "aws_ses_configuration_set" "this" {
  # checkov:skip=CKV_AWS_365: the sender decides whether SES may send to hosts without TLS: require_tls.
  for_each = { for name, set in var.configuration_sets : name => set if set.create && var.ses_api == "v1" }

  name = each.key

  dynamic "delivery_options" {
    for_each = each.value.require_tls ? ["Require"] : []

    content {
      tls_policy = delivery_options.value
    }
  }
}

resource "aws_ses_event_destination" "this" {
  for_each = { for name, types in local.event_types : name => types if var.ses_api == "v1" }

  name                   = local.event_destination_name
  configuration_set_name = each.key
  enabled                = true
  matching_types         = [for type in each.value : local.event_names_v1[type]]

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
