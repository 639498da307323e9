# What Terraform plans for the example, without LocalStack. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

run "localstack" {
  command = plan

  assert {
    condition     = output.queue_url == module.feedback_queue.queue_url && module.queue_consumer.user_name == "example-consumer"
    error_message = "The queue must be there, and somebody to consume it."
  }
}
