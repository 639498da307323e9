# What the whole stack plans, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  override_during = plan

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

run "without_any_variable" {
  command = plan

  assert {
    condition     = output.topic_name == "sesbounce-feedback" && output.queue_name == "sesbounce-feedback"
    error_message = "Topic and queue must be there."
  }

  assert {
    condition     = length(output.identity_names) + length(output.configuration_set_names) == 0 && output.consumer_user_name == null
    error_message = "Nothing must publish and nobody consume unasked."
  }

  # The stack is whole, but it warns.
  expect_failures = [check.something_publishes]
}

run "silent_identity" {
  command = plan

  variables {
    identities = { "example.com" = { notifications = false } }
  }

  expect_failures = [check.something_publishes]
}

run "whole" {
  command = plan

  variables {
    name                 = "acme"
    identities           = { "example.com" = {} }
    configuration_sets   = { newsletter = {} }
    create_consumer_user = true
  }

  assert {
    condition     = output.identity_names == toset(["example.com"]) && output.configuration_set_names == toset(["newsletter"])
    error_message = "Identity and set must publish."
  }

  assert {
    condition     = output.consumer_user_name == "acme-consumer"
    error_message = "The consumer must be called after the stack."
  }

  assert {
    condition     = jsondecode(output.consumer_policy).Statement[0].Resource == output.queue_arn
    error_message = "The consumer must be allowed this queue."
  }
}

run "configuration_set_alone" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
  }

  assert {
    condition     = length(output.identity_names) == 0
    error_message = "No identity is needed where configuration sets publish."
  }
}
