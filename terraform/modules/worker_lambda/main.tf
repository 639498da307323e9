locals {
  here = {
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.id
    account_id = data.aws_caller_identity.current.account_id
  }

  # Composed from names, so that the first plan shows the policies.
  log_group_arn = "arn:${local.here.partition}:logs:${local.here.region}:${local.here.account_id}:log-group:/aws/lambda/${var.name}"

  # Without a package, nothing runs.
  functions = var.package == null ? 0 : 1

  function_arn = "arn:${local.here.partition}:lambda:${local.here.region}:${local.here.account_id}:function:${var.name}"

  # CloudWatch makes ten metrics free of charge: those that alarms watch, and the best of the others.
  metrics = [
    "Healthy", "Failed", "StatementsRejected", "SuspectedIncidents", "SenderFaults",
    "MessagesReceived", "EventsRecorded", "AddressesSuppressed", "AddressesReleased", "Undecodable",
  ]

  environment = merge({
    SESBOUNCE_QUEUE_URL   = var.queue_url
    SESBOUNCE_EMF         = "true"
    SESBOUNCE_EMF_METRICS = join(",", local.metrics)
    SESBOUNCE_LOG_FORMAT  = "json"
  }, local.webhooks, var.environment, length(local.secrets) == 0 ? {} : { SESBOUNCE_SECRETS = jsonencode(local.secrets) })

  # Settings of the webhooks, and the secrets with theirs.
  webhooks = length(var.webhooks) == 0 ? {} : { SESBOUNCE_WEBHOOKS = jsonencode(var.webhooks) }
  secrets  = merge(var.secrets, var.webhook_secrets_arn == null ? {} : { SESBOUNCE_WEBHOOK_SECRETS = var.webhook_secrets_arn })
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: without log_kms_key_arn, CloudWatch encrypts the log with its own key; the log holds counts and ids, no addresses.
  # checkov:skip=CKV_AWS_338: the variable log_retention_days sets the time; nobody needs a year of this log by default.
  name              = "/aws/lambda/${var.name}"
  kms_key_id        = var.log_kms_key_arn
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50: the function writes its own metrics; a trace would show one call of SQS and one transaction.
  # checkov:skip=CKV_AWS_115: the event source mapping bounds the concurrency; the variable reserved_concurrency reserves some.
  # checkov:skip=CKV_AWS_116: messages that fail stay in the queue, which has its own dead-letter queue; a sweep that fails is repeated.
  # checkov:skip=CKV_AWS_117: a VPC is for a database in it; the variable vpc_id names one.
  # checkov:skip=CKV_AWS_173: the variables hold ARNs of secrets and no secrets.
  # checkov:skip=CKV_AWS_272: the deployer builds the package from pinned sources and uploads it; there is no other way to it.
  count = local.functions

  function_name    = var.name
  description      = "Records the feedback of SES from the queue."
  role             = aws_iam_role.function.arn
  runtime          = "python3.13"
  handler          = "sesbounce.lambda_function.handler.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  architectures    = [var.architecture]
  memory_size      = var.memory_mib
  timeout          = var.timeout_seconds
  tags             = var.tags

  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1) # -1: none

  environment {
    variables = local.environment
  }

  # The function writes JSON itself, and CloudWatch makes metrics from it.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.vpc_id == null ? [] : [var.vpc_id]

    content {
      subnet_ids                  = var.subnet_ids
      security_group_ids          = concat([aws_security_group.this[0].id], var.security_group_ids)
      ipv6_allowed_for_dual_stack = var.ipv6
    }
  }

  lifecycle {
    # `make restart` changes it: each new configuration starts new execution environments.
    ignore_changes = [description]

    precondition {
      condition     = contains(keys(var.environment), "SESBOUNCE_DATABASE_URL") || contains(keys(local.secrets), "SESBOUNCE_DATABASE_URL")
      error_message = "The function needs a database of your own, since Terraform creates none for it: set SESBOUNCE_DATABASE_URL in secrets, or in environment without a password. In the stack, database_url_secret_arn does so."
    }

    precondition {
      # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
      condition     = var.visibility_timeout_seconds >= 6 * var.timeout_seconds + var.batching_window_seconds
      error_message = "The queue's visibility timeout must be at least six times timeout_seconds, plus batching_window_seconds, as AWS demands: otherwise SQS would deliver messages that the function is still handling."
    }
  }

  # An invocation that begins before the function has its rights fails.
  depends_on = [
    aws_iam_role_policy.function,
    aws_iam_role_policy.further,
    aws_iam_role_policy_attachment.function,
    aws_vpc_security_group_egress_rule.this,
  ]
}

resource "aws_lambda_event_source_mapping" "this" {
  count = local.functions

  event_source_arn                   = var.queue_arn
  function_name                      = aws_lambda_function.this[0].arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  tags                               = var.tags

  # Without it, one message that fails would bring back the whole batch.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}
