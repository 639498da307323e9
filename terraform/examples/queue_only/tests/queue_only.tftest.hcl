# The example as it is planned, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/sesbounce-consumer" }
  }
}

run "queue_only" {
  command = plan

  variables {
    identity           = "example.com"
    function_name      = "feedback"
    function_role_name = "feedback"
  }

  assert {
    condition     = module.feedback_queue.identity_names == toset(["example.com"]) && aws_lambda_event_source_mapping.function.event_source_arn == module.feedback_queue.queue_arn
    error_message = "The function must get what SES tells of the identity."
  }
}
