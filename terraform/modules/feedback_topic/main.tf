locals {
  topic_arn             = var.existing_topic == null ? one(aws_sns_topic.this[*].arn) : var.existing_topic.arn
  topic_name            = var.existing_topic == null ? coalesce(var.topic_name, "${var.name}-feedback") : element(split(":", var.existing_topic.arn), 5)
  subscription_dlq_name = coalesce(var.subscription_dlq_name, "${local.topic_name}-subscription-dlq")

  here = {
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.id
    account_id = data.aws_caller_identity.current.account_id
  }

  # Composed from the name, not read from the topic, so that the first plan shows the policies. A topic that
  # exists may belong to another account.
  known_topic_arn = var.existing_topic == null ? "arn:${local.here.partition}:sns:${local.here.region}:${local.here.account_id}:${local.topic_name}" : var.existing_topic.arn

  # SES publishes on behalf of identities and configuration sets.
  ses_sources = [
    for source in ["identity", "configuration-set"] :
    "arn:${local.here.partition}:ses:${local.here.region}:${local.here.account_id}:${source}/*"
  ]

  # What the topic's policy must allow, also that of a topic that exists.
  topic_statements = [
    {
      Sid       = "SesOfThisAccountPublishes"
      Effect    = "Allow"
      Principal = { Service = "ses.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.known_topic_arn
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.here.account_id }
        ArnLike      = { "aws:SourceArn" = local.ses_sources }
      }
    },
  ]

  # Composed from the name, not read from the queue, so that Terraform creates the queue with its policy.
  # A separate policy resource takes half a minute more: the provider waits until AWS shows it everywhere.
  subscription_dlq_arn = "arn:${local.here.partition}:sqs:${local.here.region}:${local.here.account_id}:${local.subscription_dlq_name}"
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: SQS stores the feedback and encrypts it; SES can't publish through alias/aws/sns, and a variable sets a customer managed key.
  count = var.existing_topic == null ? 1 : 0

  name              = local.topic_name
  signature_version = 2 # SHA256; the default of SNS is SHA1
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  count = var.existing_topic == null ? 1 : 0

  arn = local.topic_arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.topic_statements,
      [
        for account_id in var.subscriber_account_ids : {
          Sid       = "QueueOwner${account_id}Subscribes"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.here.partition}:iam::${account_id}:root" }
          Action    = ["sns:Subscribe"]
          Resource  = local.known_topic_arn
          Condition = {
            StringEquals = { "sns:Protocol" = "sqs" }
            ArnLike      = { "sns:Endpoint" = "arn:${local.here.partition}:sqs:*:${account_id}:*" }
          }
        }
      ],
      [
        for account_id in var.subscriber_account_ids : {
          Sid       = "QueueOwner${account_id}SeesSubscriptions" # for make check-wiring
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.here.partition}:iam::${account_id}:root" }
          Action    = ["sns:ListSubscriptionsByTopic"]
          Resource  = local.known_topic_arn
        }
      ],
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sns:Publish" # SNS does not accept "sns:*" in a topic's policy
          Resource  = local.known_topic_arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
    )
  })
}

resource "aws_sns_topic_subscription" "queue" {
  count = var.subscribe_queue ? 1 : 0

  topic_arn            = local.topic_arn
  protocol             = "sqs"
  endpoint             = var.queue_arn
  raw_message_delivery = var.raw_message_delivery
  redrive_policy       = jsonencode({ deadLetterTargetArn = var.subscription_dlq == null ? one(aws_sqs_queue.subscription_dlq[*].arn) : var.subscription_dlq.arn })

  lifecycle {
    precondition {
      # A mocked provider, as in the tests of a stack of yours, may have no account's number.
      condition     = split(":", var.queue_arn)[4] == local.here.account_id || !can(regex("^\\d{12}$", local.here.account_id))
      error_message = "The queue belongs to another account, so that account must subscribe it: SNS would wait for a confirmation, and Terraform could not manage the subscription. Set subscribe_queue = false and subscriber_account_ids here, and use this module with existing_topic in the queue's account."
    }

    precondition {
      condition     = split(":", local.known_topic_arn)[3] == local.here.region
      error_message = "existing_topic must be in the region of this module's provider: SES publishes to no topic of another region, and the subscription's dead-letter queue must be in the region of the topic."
    }
  }
}

# SNS sends the messages here that it could not deliver; without this queue, SNS would delete them.
resource "aws_sqs_queue" "subscription_dlq" {
  count = var.subscribe_queue && var.subscription_dlq == null ? 1 : 0

  name                              = local.subscription_dlq_name
  message_retention_seconds         = 14 * 24 * 60 * 60                     # the maximum of SQS: SES publishes feedback only once
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null # SQS accepts only one of the two
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = var.tags

  policy = jsonencode({
    Version = "2012-10-17" # without it, the provider waits for a policy that AWS never returns
    Statement = concat(
      [
        {
          Sid       = "TopicSends"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = local.subscription_dlq_arn
          Condition = {
            ArnEquals = { "aws:SourceArn" = local.known_topic_arn }
            # The topic's ARN contains the account already. "IfExists", because AWS guarantees only the ARN here.
            StringEqualsIfExists = { "aws:SourceAccount" = split(":", local.known_topic_arn)[4] }
          }
        },
      ],
      length(var.dlq_topic_arns) == 0 ? [] : [
        {
          Sid       = "OtherTopicsSend"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = local.subscription_dlq_arn
          Condition = {
            ArnEquals            = { "aws:SourceArn" = sort(var.dlq_topic_arns) }
            StringEqualsIfExists = { "aws:SourceAccount" = distinct([for arn in sort(var.dlq_topic_arns) : split(":", arn)[4]]) }
          }
        },
      ],
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = local.subscription_dlq_arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
    )
  })
}

resource "aws_cloudwatch_metric_alarm" "subscription_dlq" {
  count = length(var.alarm_topic_arns) > 0 && length(aws_sqs_queue.subscription_dlq) > 0 ? 1 : 0

  alarm_name          = local.subscription_dlq_name
  alarm_description   = "SNS could not deliver a message to the queue ${var.queue_arn}. Check the policy of the queue and of its KMS key. Then send the messages to the queue: sesbounce dlq redrive --queue-url URL, where URL is that of ${local.subscription_dlq_name}, in this region. SQS itself cannot redrive messages that came from a topic."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.subscription_dlq_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.notification_emails

  topic_arn = local.topic_arn
  protocol  = "email"
  endpoint  = each.value

  # SES names the type in one of two fields: the first for identities, the second for configuration sets.
  filter_policy_scope = "MessageBody"
  filter_policy = jsonencode({
    "$or" = [
      for field in ["notificationType", "eventType"] : { (field) = ["Bounce", "Complaint"] }
    ]
  })
}
