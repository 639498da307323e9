locals {
  topic_name = coalesce(var.topic_name, "${var.name}-feedback")

  # The topic's ARN names partition, region and account; this needs no data source.
  here = regex("^arn:(?P<partition>[^:]+):sns:(?P<region>[^:]+):(?P<account_id>[^:]+):", aws_sns_topic.this.arn)

  # SES publishes on behalf of identities and configuration sets.
  ses_sources = [
    for source in ["identity", "configuration-set"] :
    "arn:${local.here.partition}:ses:${local.here.region}:${local.here.account_id}:${source}/*"
  ]
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: SQS stores the feedback and encrypts it; SES can't publish through alias/aws/sns, and a variable sets a customer managed key.
  name              = local.topic_name
  signature_version = 2 # SHA256; the default of SNS is SHA1
  kms_master_key_id = local.kms_key_arn
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
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = var.raw_message_delivery
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.subscription_dlq.arn })
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
