# The example as it is planned, without LocalStack. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:000000000000:example-feedback" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:000000000000:example-feedback", url = "http://127.0.0.1:4566/000000000000/example-feedback" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::000000000000:policy/example-consumer" }
  }
}

run "localstack" {
  command = plan

  assert {
    condition     = output.queue_url == "http://127.0.0.1:4566/000000000000/example-feedback" && module.queue_consumer.user_name == "example-consumer"
    error_message = "The queue must be there, and somebody to consume it."
  }
}
