# The policies as they come out, for whoever asks for them with `terraform test -json -verbose`:
# only an applied run tells its outputs, if only applied to a mock.

mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/sesbounce-consumer" }
  }
}

run "rendered" {
  command = apply

  variables {
    identities = { "example.com" = {} }
  }

  assert {
    condition     = alltrue([for policy in [output.topic_policy, output.queue_policy, output.subscription_dlq_policy, output.consumer_policy] : can(jsondecode(policy).Statement)])
    error_message = "Each policy must be JSON with statements."
  }
}
