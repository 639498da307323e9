# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  package                    = "versions.tf" # any file: nothing is uploaded
  queue_arn                  = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
  queue_url                  = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
  policy_arns                = { consumer = "arn:aws:iam::123456789012:policy/sesbounce-consumer" }
  visibility_timeout_seconds = 365
  secrets                    = { SESBOUNCE_DATABASE_URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sesbounce-url-AbCdEf:url::" }
}

run "by_default" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.this[0].function_name == "sesbounce"
      && aws_lambda_function.this[0].runtime == "python3.13"
      && aws_lambda_function.this[0].handler == "sesbounce.lambda_function.handler.handler"
      && aws_lambda_function.this[0].architectures == tolist(["arm64"])
      && aws_lambda_function.this[0].memory_size == 256
      && aws_lambda_function.this[0].timeout == 60
      && aws_lambda_function.this[0].reserved_concurrent_executions == -1
      && aws_lambda_function.this[0].source_code_hash == filebase64sha256("versions.tf")
      && length(aws_lambda_function.this[0].vpc_config) == 0
    )
    error_message = "The function must be small, on ARM, outside of a VPC, and change with its package."
  }

  assert {
    condition = aws_lambda_function.this[0].environment[0].variables == tomap({
      SESBOUNCE_QUEUE_URL   = var.queue_url
      SESBOUNCE_EMF         = "true"
      SESBOUNCE_EMF_METRICS = "Healthy,Failed,StatementsRejected,SuspectedIncidents,SenderFaults,MessagesReceived,EventsRecorded,AddressesSuppressed,AddressesReleased,Undecodable"
      SESBOUNCE_LOG_FORMAT  = "json"
      SESBOUNCE_SECRETS     = jsonencode({ SESBOUNCE_DATABASE_URL = var.secrets.SESBOUNCE_DATABASE_URL })
    })
    error_message = "The function must know its queue, and its secrets by their ARNs."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this[0].event_source_arn == var.queue_arn
      && aws_lambda_event_source_mapping.this[0].batch_size == 100
      && aws_lambda_event_source_mapping.this[0].maximum_batching_window_in_seconds == 5
      && aws_lambda_event_source_mapping.this[0].function_response_types == toset(["ReportBatchItemFailures"])
      && aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 2
    )
    error_message = "The queue must call the function, which reports the messages that fail, and not too often at once."
  }

  assert {
    condition = (
      aws_scheduler_schedule.sweep[0].schedule_expression == "rate(1 hour)"
      && jsondecode(aws_scheduler_schedule.sweep[0].target[0].input) == { sesbounce = "sweep" }
    )
    error_message = "The function must sweep every hour."
  }

  assert {
    condition = (
      aws_iam_role.function.name == "sesbounce-function"
      && aws_iam_role.sweep.name == "sesbounce-sweep"
      && aws_cloudwatch_log_group.this.name == "/aws/lambda/sesbounce"
      && aws_lambda_function.this[0].logging_config[0].log_group == "/aws/lambda/sesbounce"
      && aws_cloudwatch_log_group.this.retention_in_days == 30
      && length(aws_security_group.this) == 0
    )
    error_message = "Roles and log must have the names that the deploy role knows, and outside of a VPC there must be no security group."
  }

  assert {
    condition = {
      for statement in jsondecode(output.function_policy).Statement : statement.Sid => statement.Resource
      } == {
      WriteLog         = ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/sesbounce:log-stream:*"]
      OnlyLambdaItself = ["*"]
      ReadSecrets      = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:sesbounce-url-AbCdEf"]
    }
    error_message = "The role must write its log, read its secret, and nothing else."
  }
}

run "in_a_vpc" {
  command = plan

  variables {
    name                 = "acme"
    vpc_id               = "vpc-1"
    subnet_ids           = ["subnet-a", "subnet-b"]
    security_group_ids   = ["sg-own"]
    log_kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/9abc"
    ipv6                 = true
    egress_tcp_ports     = [443, 3306, 5432]
    egress_cidr_ipv4     = { 3306 = "10.0.0.0/16" }
    policies             = { passwords = jsonencode({ Version = "2012-10-17", Statement = [] }) }
    architecture         = "x86_64"
    reserved_concurrency = 3
    path                 = "/mail/"
    permissions_boundary = "arn:aws:iam::123456789012:policy/developers"
    secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/5678"]
    secrets = {
      SESBOUNCE_DATABASE_URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sesbounce-url-AbCdEf"
      SESBOUNCE_HASH_KEY     = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
    }
    webhooks            = { crm = { url = "https://crm.example/in/1" } }
    webhook_secrets_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/webhooks"
  }

  override_resource {
    override_during = plan
    target          = aws_security_group.this
    values          = { id = "sg-function" }
  }

  assert {
    condition = (
      aws_lambda_function.this[0].vpc_config[0].subnet_ids == toset(["subnet-a", "subnet-b"])
      && aws_lambda_function.this[0].vpc_config[0].ipv6_allowed_for_dual_stack
      && aws_lambda_function.this[0].vpc_config[0].security_group_ids == toset(["sg-function", "sg-own"])
      && aws_cloudwatch_log_group.this.kms_key_id == var.log_kms_key_arn
      && aws_lambda_function.this[0].reserved_concurrent_executions == 3
      && aws_security_group.this[0].vpc_id == "vpc-1"
      && toset(keys(aws_vpc_security_group_egress_rule.this)) == toset(["3306-ipv4", "443-ipv4", "443-ipv6", "5432-ipv4", "5432-ipv6"])
      && aws_vpc_security_group_egress_rule.this["443-ipv6"].cidr_ipv6 == "::/0"
      && aws_vpc_security_group_egress_rule.this["3306-ipv4"].cidr_ipv4 == "10.0.0.0/16"
      && aws_vpc_security_group_egress_rule.this["5432-ipv4"].cidr_ipv4 == "0.0.0.0/0"
      && aws_vpc_security_group_egress_rule.this["3306-ipv4"].to_port == 3306
    )
    error_message = "The function must be in the subnets, and reach the database and AWS by both kinds of addresses."
  }

  assert {
    condition = (
      jsondecode(aws_lambda_function.this[0].environment[0].variables.SESBOUNCE_WEBHOOKS) == { crm = { url = "https://crm.example/in/1", types = [], reasons = [] } }
      && jsondecode(aws_lambda_function.this[0].environment[0].variables.SESBOUNCE_SECRETS).SESBOUNCE_WEBHOOK_SECRETS == var.webhook_secrets_arn
      && contains(jsondecode(output.function_policy).Statement[3].Resource, var.webhook_secrets_arn)
    )
    error_message = "The function must know the webhooks, and read their secrets by their ARN."
  }

  assert {
    condition     = [for statement in jsondecode(output.function_policy).Statement : statement.Sid] == ["WriteLog", "OnlyLambdaItself", "ReadSecrets", "ReadParameters", "DecryptSecrets", "JoinTheVpc"]
    error_message = "Each switch must add its statement."
  }

  assert {
    condition     = output.policies.passwords == var.policies.passwords && aws_iam_role_policy.further["passwords"].role == "acme-function"
    error_message = "The role must get the further policies."
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.function, aws_iam_role.sweep] : role.path == "/mail/" && role.permissions_boundary == var.permissions_boundary
    ])
    error_message = "Both roles must have the path and the boundary."
  }
}

run "without_a_package" {
  command = plan

  variables {
    package = null
  }

  assert {
    condition     = output.function_name == null && output.event_source_mapping_id == null && output.sweep_arn == null && output.architecture == "arm64"
    error_message = "Without a package, nothing must run."
  }
}

run "too_short_a_visibility_timeout" {
  command = plan

  variables {
    visibility_timeout_seconds = 364
  }

  expect_failures = [aws_lambda_function.this]
}

run "no_database" {
  command = plan

  variables {
    secrets = {}
  }

  expect_failures = [aws_lambda_function.this]
}

run "what_it_refuses" {
  command = plan

  variables {
    name                    = "-"
    queue_arn               = "arn:aws:sqs:eu-west-1:123456789012:feedback.fifo"
    secrets                 = { SESBOUNCE_DATABASE_URL = "postgresql://me:secret@host/mail" }
    webhooks                = { webhook = { url = "https://crm.example" } } # the name of SESBOUNCE_WEBHOOK_URL
    architecture            = "ARM64"
    memory_mib              = 128
    timeout_seconds         = 3
    batching_window_seconds = 0
    reserved_concurrency    = 2
    sweep_schedule          = "rate(hourly)"
    vpc_id                  = "vpc-1"
    egress_tcp_ports        = [0]
    log_retention_days      = 2
    log_kms_key_arn         = "alias/log"
    path                    = "mail"
  }

  expect_failures = [
    var.name, var.queue_arn, var.secrets, var.webhooks, var.architecture, var.memory_mib, var.timeout_seconds,
    var.batching_window_seconds, var.reserved_concurrency, var.sweep_schedule,
    var.subnet_ids, var.egress_tcp_ports, var.log_retention_days, var.log_kms_key_arn, var.path,
  ]
}

# Other variables are checked against these.
run "what_it_refuses_too" {
  command = plan

  variables {
    environment         = { SESBOUNCE_SECRETS = "{}" }
    webhook_secrets_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*"
    batch_size          = 10000
    maximum_concurrency = 1
    security_group_ids  = ["sg-own"]
    ipv6                = true
    egress_cidr_ipv4    = { 3306 = "10.0.0.0/16" }
  }

  expect_failures = [var.environment, var.webhook_secrets_arn, var.batch_size, var.maximum_concurrency, var.security_group_ids, var.ipv6, var.egress_cidr_ipv4]
}
