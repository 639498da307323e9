# What Terraform plans for the example, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
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
