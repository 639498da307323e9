# The example as it is planned, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  override_during = plan

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

variables {
  vpc_id                 = "vpc-own"
  private_subnet_ids     = ["subnet-c", "subnet-d"]
  hash_key_parameter_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
}

run "before_the_image" {
  command = plan

  assert {
    condition     = output.repository_url == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce" && module.worker_service.service_name == null
    error_message = "The repository must come first."
  }
}

run "with_the_image" {
  command = plan

  variables {
    worker_image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = module.worker_service.service_name == "sesbounce" && contains(module.monitoring.alarm_names, "sesbounce-no-task")
    error_message = "The worker must run and be watched."
  }

  assert {
    condition     = module.feedback_queue.configuration_set_names == toset(["newsletter", "transactional"])
    error_message = "Both sets must publish."
  }
}
