# What AWS would answer, for every test of the stack, its modules and its examples:
#
#   mock_provider "aws" {
#     source          = "./tests/mocks" # as seen from the folder under test
#     override_during = plan            # needs Terraform 1.11
#   }
#
# A file that needs another answer gives it in a mock_resource or an override_resource of its own.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

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
