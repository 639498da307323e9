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
    condition     = aws_sqs_queue.dlq[0].name == "acme-feedback-dlq" && endswith(jsondecode(output.subscription_dlq_policy).Statement[0].Resource, ":acme-feedback-subscription-dlq")
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
    condition     = aws_sqs_queue.dlq[0].name == "SESBounceSQS-dlq" && endswith(jsondecode(output.subscription_dlq_policy).Statement[0].Resource, ":SESBounceSQS-subscription-dlq")
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
      aws_sqs_queue.this[0].receive_wait_time_seconds == 20
      && aws_sqs_queue.this[0].visibility_timeout_seconds == 120
      && alltrue([for queue in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0]] :
      queue.message_retention_seconds == 1209600 && queue.sqs_managed_sse_enabled])
    )
    error_message = "Queues must keep messages encrypted for 14 days, and the main one be polled long."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this[0].redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq"
      maxReceiveCount     = 5
    }
    error_message = "What fails five times must go to the dead-letter queue."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq[0].redrive_allow_policy) == {
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
      && alltrue([for queue in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0]] : queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null])
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
    condition     = aws_sqs_queue.this[0].visibility_timeout_seconds == 600 && aws_sqs_queue.this[0].receive_wait_time_seconds == 0 && aws_sqs_queue.this[0].message_retention_seconds == 345600 && !aws_sqs_queue.this[0].sqs_managed_sse_enabled && aws_sqs_queue.dlq[0].sqs_managed_sse_enabled && jsondecode(aws_sqs_queue.this[0].redrive_policy).maxReceiveCount == 9
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
    condition = alltrue([for queue in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0]] :
    queue.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"])
    error_message = "The queues must be encrypted with the key."
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0]] :
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
      for queue in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0]] : queue.kms_master_key_id
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

  override_data {
    override_during = plan
    target          = module.topic.data.aws_partition.current
    values          = { partition = "aws-cn" }
  }

  override_data {
    override_during = plan
    target          = module.topic.data.aws_region.current
    values          = { id = "cn-north-1" }
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
    condition = alltrue([for tagged in [aws_sqs_queue.this[0], aws_sqs_queue.dlq[0], aws_kms_key.this[0]] :
    tagged.tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}

run "topics_of_other_regions_and_accounts" {
  command = plan

  variables {
    create_kms_key = true
    extra_topic_arns = [
      "arn:aws:sns:us-east-1:123456789012:sesbounce-feedback",
      "arn:aws:sns:eu-south-1:123456789012:sesbounce-feedback",
      "arn:aws:sns:eu-west-1:210987654321:SESBounce",
    ]
  }

  assert {
    condition = [for statement in jsondecode(output.queue_policy).Statement : statement if statement.Sid == "ExtraTopicsSend"] == [{
      Sid       = "ExtraTopicsSend"
      Effect    = "Allow"
      Principal = { Service = ["sns.amazonaws.com", "sns.eu-south-1.amazonaws.com"] }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
      Condition = {
        ArnEquals = {
          "aws:SourceArn" = [
            "arn:aws:sns:eu-south-1:123456789012:sesbounce-feedback",
            "arn:aws:sns:eu-west-1:210987654321:SESBounce",
            "arn:aws:sns:us-east-1:123456789012:sesbounce-feedback",
          ]
        }
        StringEqualsIfExists = { "aws:SourceAccount" = ["123456789012", "210987654321"] }
      }
    }]
    error_message = "The queue must accept exactly these topics; a region that accounts opt in to has another name of SNS."
  }

  assert {
    condition     = jsondecode(output.queue_policy).Statement[0].Sid == "TopicSends" && jsondecode(output.queue_policy).Statement[2].Sid == "TlsOnly"
    error_message = "The own topic must still send, and all of them over TLS."
  }

  assert {
    condition = [
      for statement in jsondecode(output.kms_key_policy).Statement : jsonencode([statement.Principal.Service, statement.Condition.ArnEqualsIfExists["aws:SourceArn"]])
      if statement.Sid == "SnsSendsFromTheExtraTopics"
    ] == [jsonencode([["sns.amazonaws.com", "sns.eu-south-1.amazonaws.com"], output.extra_topic_arns])]
    error_message = "SNS must be allowed the queue's key for the extra topics too."
  }

  assert {
    condition = [for statement in jsondecode(output.subscription_dlq_policy).Statement : statement.Condition.ArnEquals["aws:SourceArn"] if statement.Sid == "OtherTopicsSend"] == [
      ["arn:aws:sns:eu-west-1:210987654321:SESBounce"]
    ]
    error_message = "The subscription's dead-letter queue must accept the topics of its own region."
  }
}

run "queue_in_a_region_to_opt_in_to" {
  command = plan

  variables {
    extra_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"]
  }

  override_data {
    override_during = plan
    target          = module.topic.data.aws_region.current
    values          = { id = "af-south-1" }
  }

  assert {
    condition     = jsondecode(output.queue_policy).Statement[1].Principal.Service == ["sns.amazonaws.com", "sns.af-south-1.amazonaws.com"]
    error_message = "In a region that accounts opt in to, SNS has another name for what comes from elsewhere."
  }
}

run "topic_that_exists" {
  command = plan

  variables {
    existing_topic_arn = "arn:aws:sns:eu-west-1:210987654321:SESBounce"
  }

  assert {
    condition = (
      output.topic_arn == var.existing_topic_arn && output.topic_name == "SESBounce"
      && output.topic_policy == null
    )
    error_message = "The topic must be used and its policy left alone."
  }

  assert {
    condition = jsondecode(output.topic_statements) == [{
      Sid       = "SesOfThisAccountPublishes"
      Effect    = "Allow"
      Principal = { Service = "ses.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-west-1:210987654321:SESBounce"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnLike = {
          "aws:SourceArn" = [
            "arn:aws:ses:eu-west-1:123456789012:identity/*",
            "arn:aws:ses:eu-west-1:123456789012:configuration-set/*",
          ]
        }
      }
    }]
    error_message = "The output must tell what the topic's policy has to hold."
  }

  assert {
    condition = jsondecode(output.queue_policy).Statement[0].Condition == {
      ArnEquals            = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:210987654321:SESBounce" }
      StringEqualsIfExists = { "aws:SourceAccount" = "210987654321" }
    }
    error_message = "The queue must accept the topic."
  }

  assert {
    condition     = jsondecode(output.queue_policy).Statement[0].Resource == "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
    error_message = "The queue must be of the caller's account."
  }
}

run "queue_that_exists" {
  command = plan

  variables {
    existing_queue   = { arn = "arn:aws-cn:sqs:cn-north-1:123456789012:SESBounceSQS" }
    extra_topic_arns = ["arn:aws-cn:sns:cn-northwest-1:123456789012:SESBounce"]
  }

  override_data {
    override_during = plan
    target          = module.topic.data.aws_partition.current
    values          = { partition = "aws-cn" }
  }

  override_data {
    override_during = plan
    target          = module.topic.data.aws_region.current
    values          = { id = "cn-north-1" }
  }

  assert {
    condition     = length(aws_sqs_queue.this) + length(aws_sqs_queue.dlq) == 0
    error_message = "No queue must be created beside the one that exists."
  }

  assert {
    condition = (
      output.queue_arn == var.existing_queue.arn && output.queue_name == "SESBounceSQS"
      && output.queue_url == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/SESBounceSQS"
      && output.queue_policy == null && output.dlq_arn == null && output.dlq_url == null && output.dlq_policy == null
    )
    error_message = "The queue must be used and its policy left alone."
  }

  assert {
    condition = { for statement in jsondecode(output.queue_statements) : statement.Sid => [statement.Resource, statement.Principal.Service, statement.Condition.ArnEquals["aws:SourceArn"]] } == {
      TopicSends      = [var.existing_queue.arn, "sns.amazonaws.com", "arn:aws-cn:sns:cn-north-1:123456789012:sesbounce-feedback"]
      ExtraTopicsSend = [var.existing_queue.arn, ["sns.amazonaws.com"], ["arn:aws-cn:sns:cn-northwest-1:123456789012:SESBounce"]]
    }
    error_message = "The output must tell what the queue's policy has to hold."
  }

  assert {
    condition     = jsondecode(output.subscription_dlq_policy).Statement[0].Resource == "arn:aws-cn:sqs:cn-north-1:123456789012:SESBounceSQS-subscription-dlq"
    error_message = "Without a dead-letter queue of the subscription, SNS would lose what it can't deliver."
  }
}

run "queues_that_exist" {
  command = plan

  variables {
    existing_topic_arn = "arn:aws:sns:eu-west-1:123456789012:SESBounce"
    existing_queue = {
      arn                  = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS"
      url                  = "http://localhost:4566/123456789012/SESBounceSQS"
      dlq_arn              = "arn:aws:sqs:eu-west-1:123456789012:SESBounceDLQ"
      subscription_dlq_arn = "arn:aws:sqs:eu-west-1:123456789012:SNSLost"
    }
  }

  assert {
    condition     = output.queue_url == var.existing_queue.url && output.dlq_arn == var.existing_queue.dlq_arn && output.subscription_dlq_arn == var.existing_queue.subscription_dlq_arn
    error_message = "The given queues must be used."
  }

  assert {
    condition = (
      output.dlq_url == "https://sqs.eu-west-1.amazonaws.com/123456789012/SESBounceDLQ"
      && output.subscription_dlq_url == "https://sqs.eu-west-1.amazonaws.com/123456789012/SNSLost"
      && output.subscription_dlq_policy == null
    )
    error_message = "The URLs must be those of the given queues."
  }
}
