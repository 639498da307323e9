# What Terraform plans, without AWS: `terraform test`. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

override_resource {
  override_during = plan
  target          = aws_kms_key.this
  values          = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd", key_id = "1234abcd" }
}

override_resource {
  override_during = plan
  target          = aws_sqs_queue.this
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
  }
}

override_resource {
  override_during = plan
  target          = aws_sqs_queue.dlq
  values          = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq" }
}

override_resource {
  override_during = plan
  target          = aws_sqs_queue.subscription_dlq
  values          = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-subscription-dlq" }
}

run "names_derive_from_name" {
  command = plan

  variables {
    name = "acme"
  }

  assert {
    condition     = output.topic_name == "acme-feedback" && output.queue_name == "acme-feedback"
    error_message = "Topic and queue must be called NAME-feedback."
  }

  assert {
    condition     = aws_sqs_queue.dlq.name == "acme-feedback-dlq" && aws_sqs_queue.subscription_dlq.name == "acme-feedback-subscription-dlq"
    error_message = "The dead-letter queues must be called after the queue."
  }
}

run "names_can_be_given" {
  command = plan

  variables {
    topic_name         = "SESBounce"
    queue_name         = "SESBounceSQS"
    configuration_sets = { newsletter = {} }
  }

  assert {
    condition     = output.topic_name == "SESBounce" && output.queue_name == "SESBounceSQS"
    error_message = "The given names must be taken."
  }

  assert {
    condition     = aws_sqs_queue.dlq.name == "SESBounceSQS-dlq" && aws_sqs_queue.subscription_dlq.name == "SESBounceSQS-subscription-dlq"
    error_message = "The dead-letter queues must be called after the queue."
  }

  assert {
    condition     = jsondecode(output.queue_policy).Statement[0].Resource == "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS"
    error_message = "The queue's policy must be about the queue of the given name."
  }
}

run "by_default" {
  command = plan

  # The queues.
  assert {
    condition = (
      aws_sqs_queue.this.receive_wait_time_seconds == 20
      && aws_sqs_queue.this.visibility_timeout_seconds == 120
      && alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq] :
      queue.message_retention_seconds == 1209600 && queue.sqs_managed_sse_enabled])
    )
    error_message = "Queues must keep messages encrypted for 14 days, and the main one be polled long."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq"
      maxReceiveCount     = 5
    }
    error_message = "What fails five times must go to the dead-letter queue."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"]
    }
    error_message = "The dead-letter queue must serve this queue only."
  }

  # The topic.
  assert {
    condition     = aws_sns_topic.this.signature_version == 2
    error_message = "SNS must sign with SHA256."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue.protocol == "sqs"
      && aws_sns_topic_subscription.queue.endpoint == output.queue_arn
      && !aws_sns_topic_subscription.queue.raw_message_delivery
      && jsondecode(aws_sns_topic_subscription.queue.redrive_policy) == { deadLetterTargetArn = output.subscription_dlq_arn }
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

  # The policies of the queues that SNS sends to.
  assert {
    condition = alltrue([
      for suffix, policy in { "" = output.queue_policy, "-subscription-dlq" = output.subscription_dlq_policy } :
      jsondecode(policy) == {
        Version = "2012-10-17"
        Statement = [
          {
            Sid       = "TopicSends"
            Effect    = "Allow"
            Principal = { Service = "sns.amazonaws.com" }
            Action    = "sqs:SendMessage"
            Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback${suffix}"
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
            Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback${suffix}"
            Condition = { Bool = { "aws:SecureTransport" = "false" } }
          },
        ]
      }
    ])
    error_message = "Only this topic may send, and only over TLS."
  }

  # The policy of the dead-letter queue.
  assert {
    condition = jsondecode(output.dlq_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "To the dead-letter queue nobody may send, and all else goes over TLS."
  }

  # SQS encrypts the queues.
  assert {
    condition = (
      length(aws_kms_key.this) + length(aws_kms_alias.this) + length(aws_kms_key_policy.this) == 0
      && aws_sns_topic.this.kms_master_key_id == null
      && output.kms_key_arn == null && output.kms_key_policy == null
      && alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq] : queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null])
    )
    error_message = "Without a key of the customer's, SQS must encrypt with its own."
  }
}

run "numbers_can_be_given" {
  command = plan

  variables {
    visibility_timeout_seconds = 600
    max_receive_count          = 9
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 600 && jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 9
    error_message = "The given numbers must be taken."
  }
}

run "raw_delivery" {
  command = plan

  variables {
    raw_message_delivery = true
  }

  assert {
    condition     = aws_sns_topic_subscription.queue.raw_message_delivery
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

run "key_to_create" {
  command = plan

  variables {
    create_kms_key = true
  }

  assert {
    condition = (
      aws_kms_key.this[0].enable_key_rotation
      && aws_kms_key.this[0].deletion_window_in_days == 30
      && aws_kms_alias.this[0].name == "alias/sesbounce-feedback"
      && aws_kms_key_policy.this[0].key_id == aws_kms_key.this[0].key_id
      && output.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    )
    error_message = "The key must be made, turned each year and have a name."
  }

  assert {
    condition = alltrue([for key in concat([aws_sns_topic.this.kms_master_key_id], [
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq] : queue.kms_master_key_id
    ]) : key == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"])
    error_message = "Topic and queues must be encrypted with the key."
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq] :
    queue.kms_data_key_reuse_period_seconds == 300])
    error_message = "Data keys must be used again for a while: KMS charges for each."
  }

  assert {
    condition = jsondecode(output.kms_key_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "IamOfThisAccountDecides"
          Effect    = "Allow"
          Principal = { AWS = "arn:aws:iam::123456789012:root" }
          Action    = "kms:*"
          Resource  = "*"
        },
        {
          Sid       = "SesPublishesToTheEncryptedTopic"
          Effect    = "Allow"
          Principal = { Service = "ses.amazonaws.com" }
          Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
          Resource  = "*"
          Condition = {
            StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" }
            ArnLikeIfExists = {
              "aws:SourceArn" = [
                "arn:aws:ses:eu-west-1:123456789012:identity/*",
                "arn:aws:ses:eu-west-1:123456789012:configuration-set/*",
              ]
            }
          }
        },
        {
          Sid       = "SnsSendsToTheEncryptedQueues"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
          Resource  = "*"
          Condition = {
            StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" }
            ArnEqualsIfExists    = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback" }
          }
        },
      ]
    }
    error_message = "SES and SNS must be allowed the key, or messages get lost without a word."
  }
}

run "key_of_the_customer" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-5678"
  }

  assert {
    condition     = length(aws_kms_key.this) + length(aws_kms_key_policy.this) == 0 && output.kms_key_policy == null
    error_message = "A key that exists must be left alone."
  }

  assert {
    condition = alltrue([for key in concat([aws_sns_topic.this.kms_master_key_id, output.kms_key_arn], [
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq] : queue.kms_master_key_id
    ]) : key == "arn:aws:kms:eu-west-1:123456789012:key/mrk-5678"])
    error_message = "Topic and queues must be encrypted with the given key."
  }

  assert {
    condition     = [for statement in jsondecode(output.kms_key_statements) : statement.Principal.Service] == ["ses.amazonaws.com", "sns.amazonaws.com"]
    error_message = "The output must tell what the key's policy has to hold."
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

run "other_partition" {
  command = plan

  override_resource {
    override_during = plan
    target          = aws_sns_topic.this
    values          = { arn = "arn:aws-cn:sns:cn-north-1:123456789012:sesbounce-feedback" }
  }

  assert {
    condition = (
      jsondecode(output.topic_policy).Statement[0].Condition.ArnLike["aws:SourceArn"][0] == "arn:aws-cn:ses:cn-north-1:123456789012:identity/*"
      && jsondecode(output.queue_policy).Statement[0].Resource == "arn:aws-cn:sqs:cn-north-1:123456789012:sesbounce-feedback"
    )
    error_message = "Partition and region must be the topic's."
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

run "tags" {
  command = plan

  variables {
    create_kms_key = true
    tags           = { Team = "mail" }
  }

  assert {
    condition = alltrue([for tagged in [aws_sns_topic.this, aws_sqs_queue.this, aws_sqs_queue.dlq, aws_sqs_queue.subscription_dlq, aws_kms_key.this[0]] :
    tagged.tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}
