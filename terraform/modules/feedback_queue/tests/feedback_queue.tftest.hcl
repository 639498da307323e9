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
  target          = module.topic.aws_sqs_queue.subscription_dlq
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
    condition     = aws_sqs_queue.dlq.name == "acme-feedback-dlq" && endswith(jsondecode(output.subscription_dlq_policy).Statement[0].Resource, ":acme-feedback-subscription-dlq")
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
    condition     = aws_sqs_queue.dlq.name == "SESBounceSQS-dlq" && endswith(jsondecode(output.subscription_dlq_policy).Statement[0].Resource, ":SESBounceSQS-subscription-dlq")
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
      && alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] :
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

  # The policy of the queue.
  assert {
    condition = jsondecode(output.queue_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "TopicSends"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
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
          Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
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
      && output.kms_key_arn == null && output.kms_key_policy == null
      && alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] : queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null])
    )
    error_message = "Without a key of the customer's, SQS must encrypt with its own."
  }
}

run "numbers_can_be_given" {
  command = plan

  variables {
    visibility_timeout_seconds = 600
    receive_wait_time_seconds  = 0
    message_retention_seconds  = 345600
    sqs_managed_encryption     = false
    max_receive_count          = 9
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 600 && aws_sqs_queue.this.receive_wait_time_seconds == 0 && aws_sqs_queue.this.message_retention_seconds == 345600 && !aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dlq.sqs_managed_sse_enabled && jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 9
    error_message = "The given numbers must be taken."
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
    condition = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] :
    queue.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"])
    error_message = "The queues must be encrypted with the key."
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] :
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
    condition = alltrue([for key in concat([output.kms_key_arn], [
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] : queue.kms_master_key_id
    ]) : key == "arn:aws:kms:eu-west-1:123456789012:key/mrk-5678"])
    error_message = "The queues must be encrypted with the given key."
  }

  assert {
    condition     = [for statement in jsondecode(output.kms_key_statements) : statement.Principal.Service] == ["ses.amazonaws.com", "sns.amazonaws.com"]
    error_message = "The output must tell what the key's policy has to hold."
  }
}

run "other_partition" {
  command = plan

  override_resource {
    override_during = plan
    target          = module.topic.aws_sns_topic.this
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

run "tags" {
  command = plan

  variables {
    create_kms_key = true
    tags           = { Team = "mail" }
  }

  assert {
    condition = alltrue([for tagged in [aws_sqs_queue.this, aws_sqs_queue.dlq, aws_kms_key.this[0]] :
    tagged.tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}
