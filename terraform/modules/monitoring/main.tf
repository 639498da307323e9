locals {
  # The queue's ARN names partition, region and account; this needs no data source.
  here = regex("^arn:(?P<partition>[^:]+):sqs:(?P<region>[^:]+):(?P<account_id>[^:]+):", var.queue_arn)

  topic_arn = var.alarm_topic_arn == null ? one(aws_sns_topic.this[*].arn) : var.alarm_topic_arn

  # In the policy of our topic, and to be in that of the user's.
  topic_statement = {
    Sid       = "AlarmsOfThisAccountPublish"
    Effect    = "Allow"
    Principal = { Service = "cloudwatch.amazonaws.com" }
    Action    = "sns:Publish"
    Resource  = local.topic_arn
    Condition = {
      StringEquals = { "aws:SourceAccount" = local.here.account_id }
      ArnLike      = { "aws:SourceArn" = "arn:${local.here.partition}:cloudwatch:${local.here.region}:${local.here.account_id}:alarm:${var.name}-*" }
    }
  }

  queue_name            = element(split(":", var.queue_arn), 5)
  dlq_name              = var.watch_dlq ? element(split(":", var.dlq_arn), 5) : null
  subscription_dlq_name = element(split(":", var.subscription_dlq_arn), 5)
}

# A topic for the alarms alone: SES may not publish to it.
resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: an alarm holds a metric's name and value and no personal data; CloudWatch can't publish through alias/aws/sns.
  count = var.alarm_topic_arn == null ? 1 : 0

  name              = "${var.name}-alarms"
  signature_version = 2 # SHA256; the default of SNS is SHA1
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  count = var.alarm_topic_arn == null ? 1 : 0

  arn = aws_sns_topic.this[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.topic_statement,
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish" # SNS does not accept "sns:*" in a topic's policy
        Resource  = aws_sns_topic.this[0].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.this[0].arn # only with this topic: see the variable
  protocol  = "email"
  endpoint  = each.value
}
