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
    feedback_types = ["Bounce", "Complaint", "Delivery"]
    configuration_sets = {
      all    = { event_types = ["Bounce", "Click", "Complaint", "Delivery", "DeliveryDelay", "Open", "Reject", "RenderingFailure", "Send", "Subscription"] }
      delays = { event_types = ["DeliveryDelay"] }
      usual  = {}
    }
  }

  assert {
    condition = { for set, destination in aws_ses_event_destination.this : set => destination.matching_types } == {
      all   = toset(["bounce", "click", "complaint", "delivery", "open", "reject", "renderingFailure", "send"])
      usual = toset(["bounce", "complaint", "delivery"])
    }
    error_message = "Each set must publish its own types, or else those of all."
  }

  assert {
    condition = { for set, destination in aws_sesv2_configuration_set_event_destination.this : set => destination.event_destination[0].matching_event_types } == {
      all    = toset(["DELIVERY_DELAY", "SUBSCRIPTION"])
      delays = toset(["DELIVERY_DELAY"])
    }
    error_message = "What only the second version of SES's API knows must be published by it."
  }

  assert {
    condition = alltrue([for set, destination in aws_sesv2_configuration_set_event_destination.this : (
      destination.configuration_set_name == set
      && destination.event_destination_name == "sesbounce-feedback-v2"
      && destination.event_destination[0].enabled
      && destination.event_destination[0].sns_destination[0].topic_arn == output.topic_arn
    )])
    error_message = "Those too must go to the topic, by a destination of their own."
  }

  assert {
    condition     = output.configuration_set_names == toset(["all", "delays", "usual"])
    error_message = "The output must tell all sets that publish."
  }
}

run "tls_of_sets" {
  command = plan

  variables {
    configuration_sets = {
      strict = { create = true, require_tls = true }
      usual  = { create = true }
    }
  }

  assert {
    condition = { for name, set in aws_ses_configuration_set.this : name => [for options in set.delivery_options : options.tls_policy] } == {
      strict = ["Require"]
      usual  = []
    }
    error_message = "TLS must be demanded where it is said, and only there."
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
    condition     = length(aws_ses_domain_identity.this) + length(aws_ses_email_identity.this) + length(aws_ses_configuration_set.this) == 0
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
      aws_ses_event_destination.this["newsletter"].matching_types == toset(["bounce", "complaint"])
      && aws_ses_event_destination.this["newsletter"].enabled
      && aws_ses_event_destination.this["newsletter"].sns_destination[0].topic_arn == output.topic_arn
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
      keys(aws_ses_domain_identity.this) == ["example.com"]
      && keys(aws_ses_email_identity.this) == ["news@example.com", "quiet@example.com"]
      && keys(aws_ses_configuration_set.this) == ["newsletter"]
    )
    error_message = "Domains, addresses and sets must be created as what they are."
  }

  assert {
    condition     = output.identity_names == toset(["example.com", "news@example.com"])
    error_message = "An identity without notifications must not publish."
  }

  assert {
    condition     = keys(output.domain_verification_tokens) == ["example.com"]
    error_message = "Each created domain must have its token."
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
    condition     = contains(aws_ses_event_destination.this["newsletter"].matching_types, "delivery")
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
