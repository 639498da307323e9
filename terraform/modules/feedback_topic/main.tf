locals {
  topic_name            = coalesce(var.topic_name, "${var.name}-feedback")
  subscription_dlq_name = coalesce(var.subscription_dlq_name, "${local.topic_name}-subscription-dlq")

  # The topic's ARN names partition, region and account; this needs no data source.
  here = regex("^arn:(?P<partition>[^:]+):sns:(?P<region>[^:]+):(?P<account_id>[^:]+):", aws_sns_topic.this.arn)

  # SES publishes on behalf of identities and configuration sets.
  ses_sources = [
    for source in ["identity", "configuration-set"] :
    "arn:${local.here.partition}:ses:${local.here.region}:${local.here.account_id}:${source}/*"
  ]

  # Composed from the name, not read from the queue, so that Terraform creates the queue with its policy.
  # A separate policy resource takes half a minute more: the provider waits until AWS shows it everywhere.
  subscription_dlq_arn = "arn:${local.here.partition}:sqs:${local.here.region}:${local.here.account_id}:${local.subscription_dlq_name}"
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: SQS stores the feedback and encrypts it; SES can't publish through alias/aws/sns, and a variable sets a customer managed key.
  name              = local.topic_name
  signature_version = 2 # SHA256; the default of SNS is SHA1
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "SesOfThisAccountPublishes"
        Effect    = "Allow"
        Principal = { Service = "ses.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.here.account_id }
          ArnLike      = { "aws:SourceArn" = local.ses_sources }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish" # SNS does not accept "sns:*" in a topic's policy
        Resource  = aws_sns_topic.this.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.this.arn
  protocol             = "sqs"
  endpoint             = var.queue_arn
  raw_message_delivery = var.raw_message_delivery
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.subscription_dlq.arn })
}

# SNS sends the messages here that it could not deliver; without this queue, SNS would delete them.
resource "aws_sqs_queue" "subscription_dlq" {
  name                              = local.subscription_dlq_name
  message_retention_seconds         = 14 * 24 * 60 * 60                     # the maximum of SQS: SES publishes feedback only once
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null # SQS accepts only one of the two
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300
  tags                              = var.tags

  policy = jsonencode({
    Version = "2012-10-17" # without it, the provider waits for a policy that AWS never returns
    Statement = [
      {
        Sid       = "TopicSends"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.subscription_dlq_arn
        Condition = {
          ArnEquals = { "aws:SourceArn" = aws_sns_topic.this.arn }
          # The topic's ARN contains the account already. "IfExists", because AWS guarantees only the ARN here.
          StringEqualsIfExists = { "aws:SourceAccount" = local.here.account_id }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.subscription_dlq_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.notification_emails

  topic_arn = aws_sns_topic.this.arn
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
