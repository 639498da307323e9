# A customer managed KMS key is optional. Without one, SQS encrypts the queues with its own keys.

locals {
  customer_key = var.create_kms_key || var.kms_key_arn != null
  kms_key_arn  = var.create_kms_key ? one(aws_kms_key.this[*].arn) : var.kms_key_arn

  # Without these statements, SES and SNS lose messages and report no error. "IfExists", because not
  # every call that one service makes for another names its source; if it does, the source must be ours.
  kms_key_statements = concat([
    {
      Sid       = "SesPublishesToTheEncryptedTopic"
      Effect    = "Allow"
      Principal = { Service = "ses.amazonaws.com" }
      Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
      Resource  = "*" # in a key's policy, "*" means this key
      Condition = {
        StringEqualsIfExists = { "aws:SourceAccount" = local.here.account_id }
        ArnLikeIfExists      = { "aws:SourceArn" = module.topic.ses_sources }
      }
    },
    {
      Sid       = "SnsSendsToTheEncryptedQueues"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
      Resource  = "*" # in a key's policy, "*" means this key
      Condition = {
        StringEqualsIfExists = { "aws:SourceAccount" = split(":", module.topic.topic_arn)[4] }
        ArnEqualsIfExists    = { "aws:SourceArn" = module.topic.topic_arn }
      }
    },
    ], length(var.extra_topic_arns) == 0 ? [] : [
    {
      Sid       = "SnsSendsFromTheExtraTopics"
      Effect    = "Allow"
      Principal = { Service = local.extra_senders }
      Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
      Resource  = "*" # in a key's policy, "*" means this key
      Condition = {
        StringEqualsIfExists = { "aws:SourceAccount" = local.extra_account_ids }
        ArnEqualsIfExists    = { "aws:SourceArn" = local.extra_topic_arns }
      }
    },
  ])
}

resource "aws_kms_key" "this" {
  # checkov:skip=CKV2_AWS_64: the policy is a separate resource, below: it names the topic, which needs the key.
  count = var.create_kms_key ? 1 : 0

  description             = "Encrypts the feedback of SES: topic ${coalesce(var.topic_name, "${var.name}-feedback")}, queue ${local.queue_name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  count = var.create_kms_key ? 1 : 0

  name          = "alias/${local.queue_name}"
  target_key_id = aws_kms_key.this[0].key_id
}

resource "aws_kms_key_policy" "this" {
  count = var.create_kms_key ? 1 : 0

  key_id = aws_kms_key.this[0].key_id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "IamOfThisAccountDecides" # the default of AWS; without it, nobody could change the key
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.here.partition}:iam::${local.here.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*" # in a key's policy, "*" means this key
      },
    ], local.kms_key_statements)
  })
}
