locals {
  queue_name = var.existing_queue == null ? coalesce(var.queue_name, "${var.name}-feedback") : element(split(":", var.existing_queue.arn), 5)
  dlq_name   = "${local.queue_name}-dlq"
  here       = module.topic.here

  # Composed from names, not read from the queues, so that Terraform creates each queue with its policy.
  # A separate policy resource takes half a minute more: the provider waits until AWS shows it everywhere.
  queue_arns = merge(
    {
      for name in [local.queue_name, local.dlq_name] :
      name => "arn:${local.here.partition}:sqs:${local.here.region}:${local.here.account_id}:${name}"
    },
    var.existing_queue == null ? {} : { (local.queue_name) = var.existing_queue.arn },
  )

  # The queue that the worker reads: the one that Terraform creates, or the one that exists.
  queue_arn = var.existing_queue == null ? one(aws_sqs_queue.this[*].arn) : var.existing_queue.arn

  # What the queue's policy must allow, also that of a queue that exists.
  queue_statements = concat(
    [
      {
        Sid       = "TopicSends"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns[local.queue_name]
        Condition = {
          ArnEquals = { "aws:SourceArn" = module.topic.known_topic_arn }
          # The topic's ARN contains the account already. "IfExists", because AWS guarantees only the ARN here.
          StringEqualsIfExists = { "aws:SourceAccount" = split(":", module.topic.known_topic_arn)[4] }
        }
      },
    ],
    length(var.extra_topic_arns) == 0 ? [] : [
      {
        Sid       = "ExtraTopicsSend"
        Effect    = "Allow"
        Principal = { Service = local.extra_senders }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns[local.queue_name]
        Condition = {
          ArnEquals            = { "aws:SourceArn" = local.extra_topic_arns }
          StringEqualsIfExists = { "aws:SourceAccount" = local.extra_account_ids }
        }
      },
    ],
  )

  # URLs of the queues that exist, by the attribute that names the queue.
  dns_suffix = lookup({ aws-cn = "amazonaws.com.cn", aws-eusc = "amazonaws.eu" }, local.here.partition, "amazonaws.com")
  urls = {
    for name in ["arn", "dlq_arn", "subscription_dlq_arn"] :
    name => try(format("https://sqs.%s.%s/%s/%s", split(":", var.existing_queue[name])[3], local.dns_suffix, split(":", var.existing_queue[name])[4], split(":", var.existing_queue[name])[5]), null)
  }

  tls_only = {
    for name, arn in local.queue_arns : name => {
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }

  retention_seconds = 14 * 24 * 60 * 60 # the maximum of SQS: SES publishes feedback only once

  # SQS accepts only one of the two.
  sqs_managed_key   = local.customer_key ? null : true
  key_reuse_seconds = local.customer_key ? 300 : null
}

resource "aws_sqs_queue" "this" {
  count = var.existing_queue == null ? 1 : 0

  name                              = local.queue_name
  visibility_timeout_seconds        = var.visibility_timeout_seconds
  receive_wait_time_seconds         = var.receive_wait_time_seconds
  message_retention_seconds         = var.message_retention_seconds
  sqs_managed_sse_enabled           = local.customer_key ? null : var.sqs_managed_encryption # SQS accepts only one of the two
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.key_reuse_seconds
  policy                            = jsonencode({ Version = "2012-10-17", Statement = concat(local.queue_statements, [local.tls_only[local.queue_name]]) }) # without Version, the provider waits for a policy that AWS never returns
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dlq[0].arn
    maxReceiveCount     = var.max_receive_count
  })
}

# SQS moves the messages here that the worker could not handle.
resource "aws_sqs_queue" "dlq" {
  count = var.existing_queue == null ? 1 : 0

  name                              = local.dlq_name
  message_retention_seconds         = local.retention_seconds
  sqs_managed_sse_enabled           = local.sqs_managed_key
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.key_reuse_seconds
  policy                            = jsonencode({ Version = "2012-10-17", Statement = [local.tls_only[local.dlq_name]] }) # only SQS moves messages here
  tags                              = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns[local.queue_name]]
  })
}

# The topic, what SES publishes to it, and who receives it.
module "topic" {
  source = "../feedback_topic"

  name                  = var.name
  topic_name            = var.topic_name
  existing_topic        = var.existing_topic_arn == null ? null : { arn = var.existing_topic_arn }
  queue_arn             = local.queue_arn
  subscription_dlq      = try(var.existing_queue.subscription_dlq_arn, null) == null ? null : { arn = var.existing_queue.subscription_dlq_arn }
  subscription_dlq_name = "${local.queue_name}-subscription-dlq"
  dlq_topic_arns        = [for arn in var.extra_topic_arns : arn if split(":", arn)[3] == local.queue_region]
  raw_message_delivery  = var.raw_message_delivery
  notification_emails   = var.notification_emails

  identities         = var.identities
  configuration_sets = var.configuration_sets
  feedback_types     = var.feedback_types
  ses_api            = var.ses_api
  dkim_domain        = var.dkim_domain

  kms_key_arn   = local.kms_key_arn
  publish_after = aws_kms_key_policy.this

  tags = var.tags
}
