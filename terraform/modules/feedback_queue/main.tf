locals {
  queue_name            = coalesce(var.queue_name, "${var.name}-feedback")
  dlq_name              = "${local.queue_name}-dlq"
  subscription_dlq_name = "${local.queue_name}-subscription-dlq"

  # Composed from names, not read from the queues, so that Terraform creates each queue with its policy.
  # A separate policy resource takes half a minute more: the provider waits until AWS shows it everywhere.
  queue_arns = {
    for name in [local.queue_name, local.dlq_name, local.subscription_dlq_name] :
    name => "arn:${local.here.partition}:sqs:${local.here.region}:${local.here.account_id}:${name}"
  }

  # SNS sends to two of the queues, under the same conditions; to the third, only SQS moves messages.
  written_by_sns = [local.queue_name, local.subscription_dlq_name]

  queue_policies = {
    for name, arn in local.queue_arns : name => jsonencode({
      Version = "2012-10-17" # without it, the provider waits for a policy that AWS never returns
      Statement = concat([
        for written in local.written_by_sns : {
          Sid       = "TopicSends"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = {
            ArnEquals = { "aws:SourceArn" = aws_sns_topic.this.arn }
            # The topic's ARN contains the account already. "IfExists", because AWS guarantees only the ARN here.
            StringEqualsIfExists = { "aws:SourceAccount" = local.here.account_id }
          }
        } if written == name
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
  receive_wait_time_seconds         = 20
  message_retention_seconds         = local.retention_seconds
  sqs_managed_sse_enabled           = local.sqs_managed_key
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

# SNS sends the messages here that it could not deliver; without this queue, SNS would delete them.
resource "aws_sqs_queue" "subscription_dlq" {
  name                              = local.subscription_dlq_name
  message_retention_seconds         = local.retention_seconds
  sqs_managed_sse_enabled           = local.sqs_managed_key
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.key_reuse_seconds
  policy                            = local.queue_policies[local.subscription_dlq_name]
  tags                              = var.tags
}
