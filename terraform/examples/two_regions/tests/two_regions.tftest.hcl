# Applied to mocks, without AWS: only so does Terraform plan before it knows the ARNs, as on a real account.

mock_provider "aws" {
  source = "../../tests/mocks"
}

mock_provider "aws" {
  alias  = "other"
  source = "../../tests/mocks"

  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:sesbounce-feedback" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:123456789012:sesbounce-feedback-subscription-dlq"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/sesbounce-feedback-subscription-dlq"
    }
  }
}

run "two_regions" {
  variables {
    identity               = "example.com"
    other_alarm_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"]
  }

  assert {
    condition     = module.feedback_queue.identity_names == toset(["example.com"]) && module.other_topic.identity_names == toset(["example.com"])
    error_message = "SES must publish in both regions."
  }

  assert {
    condition = { for statement in jsondecode(module.feedback_queue.queue_policy).Statement : statement.Sid => try(statement.Condition.ArnEquals["aws:SourceArn"], null) if statement.Effect == "Allow" } == {
      TopicSends      = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
      ExtraTopicsSend = ["arn:aws:sns:us-east-1:123456789012:sesbounce-feedback"]
    }
    error_message = "The queue must accept both topics."
  }

  assert {
    condition = output.topic_arns == [
      "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback",
      "arn:aws:sns:us-east-1:123456789012:sesbounce-feedback",
    ]
    error_message = "The worker must be told both topics."
  }

  assert {
    condition     = jsondecode(module.other_topic.subscription_dlq_policy).Statement[0].Resource == module.other_topic.subscription_dlq_arn && output.other_dlq_url == "https://sqs.us-east-1.amazonaws.com/123456789012/sesbounce-feedback-subscription-dlq"
    error_message = "What SNS can't deliver must stay in the topic's region."
  }
}
