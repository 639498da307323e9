# What Terraform plans, without AWS: `terraform test`. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  queue_arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
}

run "names" {
  command = plan

  variables {
    name                  = "acme"
    topic_name            = "SESBounce"
    subscription_dlq_name = "SESBounceSQS-subscription-dlq"
  }

  assert {
    condition     = output.topic_name == "SESBounce" && aws_sqs_queue.subscription_dlq[0].name == "SESBounceSQS-subscription-dlq"
    error_message = "The given names must be taken."
  }
}

run "by_default" {
  command = plan

  assert {
    condition     = aws_sns_topic.this[0].signature_version == 2
    error_message = "SNS must sign with SHA256."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue[0].protocol == "sqs"
      && aws_sns_topic_subscription.queue[0].endpoint == var.queue_arn
      && !aws_sns_topic_subscription.queue[0].raw_message_delivery
      && jsondecode(aws_sns_topic_subscription.queue[0].redrive_policy) == { deadLetterTargetArn = output.subscription_dlq_arn }
    )
    error_message = "The queue must be subscribed with the envelope, and with a dead-letter queue of its own."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody must be subscribed unasked."
  }

  # The policy of the topic.
  assert {
    condition = jsondecode(output.topic_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "SesOfThisAccountPublishes"
          Effect    = "Allow"
          Principal = { Service = "ses.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
          Condition = {
            StringEquals = { "aws:SourceAccount" = "123456789012" }
            ArnLike = {
              "aws:SourceArn" = [
                "arn:aws:ses:eu-west-1:123456789012:identity/*",
                "arn:aws:ses:eu-west-1:123456789012:configuration-set/*",
              ]
            }
          }
        },
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "Only SES of this account may publish, and only over TLS."
  }

  # The dead-letter queue of the subscription.
  assert {
    condition = (
      aws_sqs_queue.subscription_dlq[0].name == "sesbounce-feedback-subscription-dlq"
      && aws_sqs_queue.subscription_dlq[0].message_retention_seconds == 1209600
      && aws_sqs_queue.subscription_dlq[0].sqs_managed_sse_enabled
      && aws_sqs_queue.subscription_dlq[0].kms_master_key_id == null
      && aws_sns_topic.this[0].kms_master_key_id == null
    )
    error_message = "The queue must keep messages encrypted for 14 days, with a key of SQS's."
  }

  assert {
    condition = jsondecode(output.subscription_dlq_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "TopicSends"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-subscription-dlq"
          Condition = {
            ArnEquals            = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback" }
            StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" }
          }
        },
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-subscription-dlq"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "Only this topic may send, and only over TLS."
  }
}

run "raw_delivery" {
  command = plan

  variables {
    raw_message_delivery = true
  }

  assert {
    condition     = aws_sns_topic_subscription.queue[0].raw_message_delivery
    error_message = "The envelope must go when asked."
  }
}

run "people_get_no_deliveries" {
  command = plan

  variables {
    notification_emails = ["postmaster@example.com"]
    feedback_types      = ["Bounce", "Complaint", "Delivery"]
  }

  assert {
    condition = (
      keys(aws_sns_topic_subscription.email) == ["postmaster@example.com"]
      && alltrue([for subscription in aws_sns_topic_subscription.email :
        subscription.protocol == "email"
        && subscription.endpoint == "postmaster@example.com"
        && subscription.filter_policy_scope == "MessageBody"
        && jsondecode(subscription.filter_policy) == {
          "$or" = [{ notificationType = ["Bounce", "Complaint"] }, { eventType = ["Bounce", "Complaint"] }]
      }])
    )
    error_message = "People must be subscribed to bounces and complaints only."
  }
}

run "event_types_of_sets" {
  command = plan

  variables {
    topic_name     = join("", [for _ in range(65) : "t"])
    feedback_types = ["Bounce", "Complaint", "Delivery"]
    configuration_sets = {
      all    = { event_types = ["Bounce", "Click", "Complaint", "Delivery", "DeliveryDelay", "Open", "Reject", "RenderingFailure", "Send", "Subscription"] }
      delays = { event_types = ["DeliveryDelay"] }
      usual  = {}
    }
  }

  assert {
    condition = { for set, destination in aws_sesv2_configuration_set_event_destination.this : set => destination.event_destination[0].matching_event_types } == {
      all    = toset(["BOUNCE", "CLICK", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "OPEN", "REJECT", "RENDERING_FAILURE", "SEND", "SUBSCRIPTION"])
      delays = toset(["DELIVERY_DELAY"])
      usual  = toset(["BOUNCE", "COMPLAINT", "DELIVERY"])
    }
    error_message = "Each set must publish its own types, or else those of all."
  }

  assert {
    condition = alltrue([for set, destination in aws_sesv2_configuration_set_event_destination.this : (
      destination.configuration_set_name == set
      && destination.event_destination_name == join("", [for _ in range(64) : "t"])
      && destination.event_destination[0].enabled
      && destination.event_destination[0].sns_destination[0].topic_arn == output.topic_arn
    )])
    error_message = "Each set must publish to the topic, by one destination with the topic's name, which may be longer than SES allows."
  }

  assert {
    condition     = length(aws_ses_event_destination.this) == 0 && output.configuration_set_names == toset(["all", "delays", "usual"])
    error_message = "The output must contain all sets that publish."
  }
}

run "settings_of_sets" {
  command = plan

  variables {
    configuration_sets = {
      strict = { create = true, require_tls = true, suppressed_reasons = ["COMPLAINT"] }
      usual  = { create = true }
    }
  }

  assert {
    condition = { for name, set in aws_sesv2_configuration_set.this : name => [set.configuration_set_name, set.delivery_options[0].tls_policy, [for options in set.suppression_options : options.suppressed_reasons]] } == {
      strict = ["strict", "REQUIRE", [tolist(["COMPLAINT"])]]
      usual  = ["usual", "OPTIONAL", []]
    }
    error_message = "TLS and reasons must be as they are given, and otherwise left to SES and to the account."
  }

  assert {
    condition     = alltrue([for set in aws_sesv2_configuration_set.this : set.sending_options[0].sending_enabled && set.reputation_options[0].reputation_metrics_enabled])
    error_message = "A set that Terraform creates must send, and count bounces and complaints."
  }
}

run "version_1_of_the_api" {
  command = plan

  variables {
    ses_api        = "v1"
    feedback_types = ["Bounce", "Complaint", "Delivery"]
    identities = {
      "example.com"      = { create = true }
      "news@example.com" = { create = true, notifications = false }
    }
    configuration_sets = {
      all    = { create = true, event_types = ["Bounce", "Click", "Complaint", "Delivery", "Open", "Reject", "RenderingFailure", "Send"] }
      strict = { create = true, require_tls = true }
      theirs = {}
    }
  }

  assert {
    condition = length(aws_sesv2_email_identity.this) + length(aws_sesv2_configuration_set.this) + length(aws_sesv2_configuration_set_event_destination.this) == 0 && (
      keys(aws_ses_domain_identity.this) == ["example.com"]
      && keys(aws_ses_email_identity.this) == ["news@example.com"]
      && keys(aws_ses_configuration_set.this) == ["all", "strict"]
    )
    error_message = "Terraform must create the same by version 1 alone."
  }

  assert {
    condition = { for set, destination in aws_ses_event_destination.this : set => destination.matching_types } == {
      all    = toset(["bounce", "click", "complaint", "delivery", "open", "reject", "renderingFailure", "send"])
      strict = toset(["bounce", "complaint", "delivery"])
      theirs = toset(["bounce", "complaint", "delivery"])
    }
    error_message = "Each set must publish its own types, or else those of all."
  }

  assert {
    condition     = alltrue([for destination in aws_ses_event_destination.this : destination.name == "sesbounce-feedback" && destination.enabled && destination.sns_destination[0].topic_arn == output.topic_arn])
    error_message = "Each set must publish to the topic."
  }

  assert {
    condition = { for name, set in aws_ses_configuration_set.this : name => [for options in set.delivery_options : options.tls_policy] } == {
      all    = []
      strict = ["Require"]
    }
    error_message = "TLS must be required where it is given, and only there."
  }

  assert {
    condition = (
      output.configuration_set_names == toset(["all", "strict", "theirs"])
      && output.identity_names == toset(["example.com"])
      && keys(output.domain_verification_tokens) == ["example.com"]
      && length(output.dns_records) == 0
    )
    error_message = "The outputs must contain what publishes; a domain of version 1 has a token and no DKIM."
  }
}

run "dns_records" {
  command = plan

  variables {
    identities = {
      "example.com"      = { create = true, mail_from_domain = "bounce.example.com", mail_from_required = true, route53_zone_id = "Z0123" }
      "example.org"      = { create = true, mail_from_domain = "a.b.example.org" }
      "news@example.com" = { create = true }
      "example.net"      = {}
    }
  }

  assert {
    condition = output.dns_records == {
      for domain, from in { "example.com" = "bounce.example.com", "example.org" = "a.b.example.org" } : domain => concat(
        [for token in ["token1", "token2", "token3"] : {
          purpose = "DKIM", name = "${token}._domainkey.${domain}", type = "CNAME", ttl = 1800, value = "${token}.dkim.amazonses.com", created = domain == "example.com"
        }],
        [{ purpose = "DMARC, a suggestion", name = "_dmarc.${domain}", type = "TXT", ttl = 1800, value = "v=DMARC1; p=none;", created = false }],
        [for type, value in { MX = "10 feedback-smtp.eu-west-1.amazonses.com", TXT = "v=spf1 include:amazonses.com ~all" } : {
          purpose                = "MAIL FROM", name = from, type = type, ttl = 1800, value = value, created = domain == "example.com"
        }],
      )
    }
    error_message = "Each created domain must have its records: ${jsonencode(output.dns_records)}"
  }

  assert {
    condition = { for key, record in aws_route53_record.this : key => "${record.zone_id} ${record.name} ${record.ttl} ${record.type} ${one(record.records)}" } == {
      "example.com/dkim-1"        = "Z0123 token1._domainkey.example.com 1800 CNAME token1.dkim.amazonses.com"
      "example.com/dkim-2"        = "Z0123 token2._domainkey.example.com 1800 CNAME token2.dkim.amazonses.com"
      "example.com/dkim-3"        = "Z0123 token3._domainkey.example.com 1800 CNAME token3.dkim.amazonses.com"
      "example.com/mail-from-mx"  = "Z0123 bounce.example.com 1800 MX 10 feedback-smtp.eu-west-1.amazonses.com"
      "example.com/mail-from-spf" = "Z0123 bounce.example.com 1800 TXT v=spf1 include:amazonses.com ~all"
    }
    error_message = "Terraform must create the records where a zone is given, and no DMARC policy."
  }

  assert {
    condition = { for name, from in aws_sesv2_email_identity_mail_from_attributes.this : name => [from.mail_from_domain, from.behavior_on_mx_failure] } == {
      "example.com" = ["bounce.example.com", "REJECT_MESSAGE"]
      "example.org" = ["a.b.example.org", "USE_DEFAULT_VALUE"]
    }
    error_message = "SES must use the given MAIL FROM domains, and reject mail without them only where it is required."
  }
}

run "dns_records_of_another_region" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_region.current
    values          = { id = "eu-central-2" }
  }

  variables {
    identities = { "example.com" = { create = true, mail_from_domain = "bounce.example.com" } }
  }

  assert {
    condition = [for record in output.dns_records["example.com"] : record.value] == [
      "token1.dkim.eu-central-2.amazonses.com", "token2.dkim.eu-central-2.amazonses.com", "token3.dkim.eu-central-2.amazonses.com",
      "v=DMARC1; p=none;", "10 feedback-smtp.eu-central-2.amazonses.com", "v=spf1 include:amazonses.com ~all",
    ]
    error_message = "Some regions have a DKIM domain of their own."
  }
}

run "identities_and_sets_that_exist" {
  command = plan

  variables {
    identities = {
      "example.com"      = {}
      "news@example.com" = { include_original_headers = true }
    }
    configuration_sets = { newsletter = {} }
  }

  assert {
    condition     = length(aws_sesv2_email_identity.this) + length(aws_sesv2_configuration_set.this) == 0
    error_message = "What exists must not be created."
  }

  assert {
    condition = { for key, attachment in aws_ses_identity_notification_topic.this : key => attachment.include_original_headers } == {
      "example.com/Bounce"         = false
      "example.com/Complaint"      = false
      "news@example.com/Bounce"    = true
      "news@example.com/Complaint" = true
    }
    error_message = "Each identity must publish bounces and complaints, and no deliveries."
  }

  assert {
    condition = alltrue([for key, attachment in aws_ses_identity_notification_topic.this :
    attachment.topic_arn == output.topic_arn && key == "${attachment.identity}/${attachment.notification_type}"])
    error_message = "Each attachment must be about its identity, its kind of feedback and the topic."
  }

  assert {
    condition = (
      aws_sesv2_configuration_set_event_destination.this["newsletter"].event_destination[0].matching_event_types == toset(["BOUNCE", "COMPLAINT"])
      && aws_sesv2_configuration_set_event_destination.this["newsletter"].event_destination[0].sns_destination[0].topic_arn == output.topic_arn
    )
    error_message = "The set must publish bounces and complaints to the topic."
  }

  assert {
    condition     = length(aws_sesv2_email_identity_feedback_attributes.this) == 0
    error_message = "SES's own forwarding must be left alone."
  }

  assert {
    condition     = output.identity_names == toset(["example.com", "news@example.com"]) && output.configuration_set_names == toset(["newsletter"])
    error_message = "The outputs must tell who publishes."
  }
}

run "identities_and_sets_to_create" {
  command = plan

  variables {
    identities = {
      "example.com"       = { create = true }
      "news@example.com"  = { create = true }
      "quiet@example.com" = { create = true, notifications = false }
    }
    configuration_sets = { newsletter = { create = true } }
  }

  assert {
    condition = (
      keys(aws_sesv2_email_identity.this) == ["example.com", "news@example.com", "quiet@example.com"]
      && keys(aws_sesv2_configuration_set.this) == ["newsletter"]
      && length(aws_ses_domain_identity.this) + length(aws_ses_email_identity.this) + length(aws_ses_configuration_set.this) == 0
    )
    error_message = "Domains, addresses and sets must be created, by version 2 of SES's API alone."
  }

  assert {
    condition     = { for name, identity in aws_sesv2_email_identity.this : name => identity.dkim_signing_attributes[0].next_signing_key_length if name == "example.com" } == { "example.com" = "RSA_2048_BIT" }
    error_message = "SES must sign the mail of a domain with a key of 2048 bits."
  }

  assert {
    condition     = length(aws_sesv2_email_identity_mail_from_attributes.this) + length(aws_route53_record.this) == 0
    error_message = "MAIL FROM domains and DNS records must be created only where they are given."
  }

  assert {
    condition     = output.identity_names == toset(["example.com", "news@example.com"])
    error_message = "An identity without notifications must not publish."
  }

  assert {
    condition     = keys(output.dns_records) == ["example.com"] && length(output.dns_records["example.com"]) == 4 && length(output.domain_verification_tokens) == 0
    error_message = "Each created domain must have its records, and no address."
  }
}

run "deliveries" {
  command = plan

  variables {
    identities         = { "example.com" = {} }
    configuration_sets = { newsletter = {} }
    feedback_types     = ["Bounce", "Complaint", "Delivery"]
  }

  assert {
    condition     = contains(keys(aws_ses_identity_notification_topic.this), "example.com/Delivery")
    error_message = "Identities must publish deliveries when asked."
  }

  assert {
    condition     = contains(aws_sesv2_configuration_set_event_destination.this["newsletter"].event_destination[0].matching_event_types, "DELIVERY")
    error_message = "Configuration sets must publish deliveries when asked."
  }
}

run "forwarding" {
  command = plan

  variables {
    identities = {
      "off.example" = { forward_feedback_by_email = false }
      "on.example"  = { forward_feedback_by_email = true }
      "any.example" = {}
    }
  }

  assert {
    condition = { for name, forwarding in aws_sesv2_email_identity_feedback_attributes.this : name => forwarding.email_forwarding_enabled } == {
      "off.example" = false
      "on.example"  = true
    }
    error_message = "Forwarding must be set where it is said, and only there."
  }
}

run "key_and_tags" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-5678"
    tags        = { Team = "mail" }
  }

  assert {
    condition = (
      aws_sns_topic.this[0].kms_master_key_id == var.kms_key_arn
      && aws_sqs_queue.subscription_dlq[0].kms_master_key_id == var.kms_key_arn
      && aws_sqs_queue.subscription_dlq[0].kms_data_key_reuse_period_seconds == 300
    )
    error_message = "Topic and queue must be encrypted with the given key."
  }

  assert {
    condition     = alltrue([for tagged in [aws_sns_topic.this[0], aws_sqs_queue.subscription_dlq[0]] : tagged.tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}

run "alarm" {
  command = plan

  variables {
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"]
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.subscription_dlq[0].alarm_actions == toset(var.alarm_topic_arns)
      && aws_cloudwatch_metric_alarm.subscription_dlq[0].dimensions == tomap({ QueueName = "sesbounce-feedback-subscription-dlq" })
      && aws_cloudwatch_metric_alarm.subscription_dlq[0].metric_name == "ApproximateNumberOfMessagesVisible"
      && aws_cloudwatch_metric_alarm.subscription_dlq[0].threshold == 0
    )
    error_message = "A message that SNS could not deliver must raise the alarm."
  }
}

# The queue is in another account, which subscribes it, as in the run below.
run "topic_for_another_account" {
  command = plan

  variables {
    queue_arn              = null
    subscribe_queue        = false
    subscriber_account_ids = ["210987654321"]
  }

  assert {
    condition     = length(aws_sns_topic_subscription.queue) + length(aws_sqs_queue.subscription_dlq) == 0 && output.subscription_arn == null
    error_message = "The account of the queue must subscribe it, and have the dead-letter queue."
  }

  assert {
    condition = jsondecode(output.topic_policy).Statement[1] == {
      Sid       = "QueueOwner210987654321Subscribes"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::210987654321:root" }
      Action    = ["sns:Subscribe"]
      Resource  = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
      Condition = {
        StringEquals = { "sns:Protocol" = "sqs" }
        ArnLike      = { "sns:Endpoint" = "arn:aws:sqs:*:210987654321:*" }
      }
    }
    error_message = "That account may subscribe its own queues, and nothing else."
  }
}

run "topic_of_another_account" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_region.current
    values          = { id = "us-east-1" }
  }

  variables {
    existing_topic = { arn = "arn:aws:sns:us-east-1:210987654321:sesbounce-feedback" }
    identities     = {}
  }

  assert {
    condition = (
      length(aws_sns_topic.this) + length(aws_sns_topic_policy.this) == 0
      && aws_sns_topic_subscription.queue[0].topic_arn == var.existing_topic.arn
      && aws_sns_topic_subscription.queue[0].endpoint == var.queue_arn
    )
    error_message = "The topic must be left alone, but the queue subscribed."
  }

  assert {
    condition = jsondecode(output.subscription_dlq_policy).Statement[0] == {
      Sid       = "TopicSends"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:us-east-1:123456789012:sesbounce-feedback-subscription-dlq"
      Condition = {
        ArnEquals            = { "aws:SourceArn" = "arn:aws:sns:us-east-1:210987654321:sesbounce-feedback" }
        StringEqualsIfExists = { "aws:SourceAccount" = "210987654321" }
      }
    }
    error_message = "The dead-letter queue must be in the topic's region and in the account of the queue."
  }
}

run "dead_letter_queue_that_exists" {
  command = plan

  variables {
    subscription_dlq = { arn = "arn:aws:sqs:eu-west-1:123456789012:shared-subscription-dlq" }
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"]
  }

  assert {
    condition = (
      jsondecode(aws_sns_topic_subscription.queue[0].redrive_policy) == { deadLetterTargetArn = var.subscription_dlq.arn }
      && output.subscription_dlq_arn == var.subscription_dlq.arn
      && length(aws_sqs_queue.subscription_dlq) + length(aws_cloudwatch_metric_alarm.subscription_dlq) == 0
    )
    error_message = "The given queue must be used."
  }
}
