# The policies as they come out, for whoever asks for them with `terraform test -json -verbose`:
# only an applied run tells its outputs, if only applied to a mock.

mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
      url = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
    }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/sesbounce-consumer" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/sesbounce" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce" }
  }

  mock_resource "aws_ecr_repository" {
    defaults = {
      arn            = "arn:aws:ecr:eu-west-1:123456789012:repository/sesbounce"
      repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce"
    }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/sesbounce" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/sesbounce:1" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      address            = "sesbounce.abc.eu-west-1.rds.amazonaws.com"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf" }]
    }
  }

  mock_resource "aws_appautoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:1" }
  }

  mock_data "aws_vpc" {
    defaults = { id = "vpc-default" }
  }

  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-a", "subnet-b"] }
  }
}

override_resource {
  target = module.feedback_queue.aws_sqs_queue.dlq
  values = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq" }
}

override_resource {
  target = module.feedback_queue.aws_sqs_queue.subscription_dlq
  values = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-subscription-dlq" }
}

run "full" {
  command = apply

  variables {
    identities           = { "example.com" = {} }
    worker_image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    create_kms_key       = true
    ses_suppression_list = true
    consumer_may_redrive = true
    monitoring           = { alarm_emails = ["operator@example.com"] }
    github               = { repository = "acme/mail", state_bucket = "acme-state" }
    worker = {
      secrets              = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" }
      secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/5678"]
    }
  }

  assert {
    condition = alltrue([for policy in concat(
      [output.topic_policy, output.queue_policy, output.dlq_policy, output.subscription_dlq_policy, output.kms_key_policy],
      [output.consumer_policy, output.trust_policy, output.execution_policy, output.alarm_topic_policy, output.deploy_role_trust_policy],
      values(output.deploy_role_policies),
    ) : can(jsondecode(policy).Statement)])
    error_message = "Each policy must be JSON with statements."
  }
}

# As it is when nothing but the least is asked for.
run "least" {
  command = apply

  variables {
    identities = { "example.com" = {} }
    monitoring = null
  }

  assert {
    condition     = can(jsondecode(output.consumer_policy).Statement) && can(jsondecode(output.execution_policy).Statement)
    error_message = "Each policy must be JSON with statements."
  }
}
