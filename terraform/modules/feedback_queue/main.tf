locals {
  queue_name = coalesce(var.queue_name, "${var.name}-feedback")
  dlq_name   = "${local.queue_name}-dlq"

  # The topic's ARN names partition, region and account; this needs no data source.
  here = regex("^arn:(?P<partition>[^:]+):sns:(?P<region>[^:]+):(?P<account_id>[^:]+):", module.topic.topic_arn)

  # Composed from names, not read from the queues, so that Terraform creates each queue with its policy.
  # A separate policy resource takes half a minute more: the provider waits until AWS shows it everywhere.
  queue_arns = {
    for name in [local.queue_name, local.dlq_name] :
    name => "arn:${local.here.partition}:sqs:${local.here.region}:${local.here.account_id}:${name}"
  }

  queue_policies = {
    for name, arn in local.queue_arns : name => jsonencode({
      Version = "2012-10-17" # without it, the provider waits for a policy that AWS never returns
      Statement = concat([
        for sender in [module.topic.topic_arn] : {
          Sid       = "TopicSends"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = {
            ArnEquals = { "aws:SourceArn" = sender }
            # The topic's ARN contains the account already. "IfExists", because AWS guarantees only the ARN here.
            StringEqualsIfExists = { "aws:SourceAccount" = local.here.account_id }
          }
        } if name == local.queue_name # to the dead-letter queue, only SQS moves messages
        ], [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ])
    })
  }

  retention_seconds = 14 * 24 * 60 * 60 # the maximum of SQS: SES publishes feedback only once

  # SQS accepts only one of the two.
  sqs_managed_key   = local.customer_key ? null : true
  key_reuse_seconds = local.customer_key ? 300 : null
}

resource "aws_sqs_queue" "this" {
  name                              = local.queue_name
  visibility_timeout_seconds        = var.visibility_timeout_seconds
  receive_wait_time_seconds         = var.receive_wait_time_seconds
  message_retention_seconds         = var.message_retention_seconds
  sqs_managed_sse_enabled           = local.customer_key ? null : var.sqs_managed_encryption # SQS accepts only one of the two
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.key_reuse_seconds
  policy                            = local.queue_policies[local.queue_name]
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dlq.arn
    maxReceiveCount     = var.max_receive_count
  })
}

# SQS moves the messages here that the worker could not handle.
resource "aws_sqs_queue" "dlq" {
  name                              = local.dlq_name
  message_retention_seconds         = local.retention_seconds
  sqs_managed_sse_enabled           = local.sqs_managed_key
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.key_reuse_seconds
  policy                            = local.queue_policies[local.dlq_name]
  tags                              = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns[local.queue_name]]
  })
}

# The topic of this account and region, what SES publishes to it, and who receives it.
module "topic" {
  source = "../feedback_topic"

  name                  = var.name
  topic_name            = var.topic_name
  queue_arn             = aws_sqs_queue.this.arn
  subscription_dlq_name = "${local.queue_name}-subscription-dlq"
  raw_message_delivery  = var.raw_message_delivery
  notification_emails   = var.notification_emails

  identities         = var.identities
  configuration_sets = var.configuration_sets
  feedback_types     = var.feedback_types

  kms_key_arn   = local.kms_key_arn
  publish_after = aws_kms_key_policy.this

  tags = var.tags
}
