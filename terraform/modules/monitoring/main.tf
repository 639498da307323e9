locals {
  # The topic's ARN names partition, region and account; this needs no data source.
  here = regex("^arn:(?P<partition>[^:]+):sns:(?P<region>[^:]+):(?P<account_id>[^:]+):", aws_sns_topic.this.arn)

  queue_name            = element(split(":", var.queue_arn), 5)
  dlq_name              = var.watch_dlq ? element(split(":", var.dlq_arn), 5) : null
  subscription_dlq_name = element(split(":", var.subscription_dlq_arn), 5)
}

# A topic for the alarms alone: SES may not publish to it.
resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: an alarm holds a metric's name and value and no personal data; CloudWatch can't publish through alias/aws/sns.
  name              = "${var.name}-alarms"
  signature_version = 2 # SHA256; the default of SNS is SHA1
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccountPublish"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.here.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${local.here.partition}:cloudwatch:${local.here.region}:${local.here.account_id}:alarm:${var.name}-*" }
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

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}
