# What Terraform refuses; the module feedback_topic tests its own variables. One run gives wrong values to
# many variables, and Terraform must refuse each of them.

mock_provider "aws" {}

run "wrong_values" {
  command = plan

  variables {
    queue_name                 = "SESBounceSQS.fifo"
    visibility_timeout_seconds = 29
    receive_wait_time_seconds  = 21
    message_retention_seconds  = 3600 # gone after an hour
    max_receive_count          = 0
    create_kms_key             = true # and another one
    kms_key_arn                = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    existing_topic_arn         = "arn:aws:sns:eu-west-1:123456789012:SESBounce.fifo"
    extra_topic_arns           = ["arn:aws:sns:us-east-1:123456789012:*"]
  }

  expect_failures = [
    var.queue_name,
    var.visibility_timeout_seconds,
    var.receive_wait_time_seconds,
    var.message_retention_seconds,
    var.max_receive_count,
    var.kms_key_arn,
    var.existing_topic_arn,
    var.extra_topic_arns,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    queue_name                 = join("", [for _ in range(64) : "q"])
    visibility_timeout_seconds = 43201
    receive_wait_time_seconds  = -1
    message_retention_seconds  = 1209601
    max_receive_count          = 1001
    existing_topic_arn         = "SESBounce"
    extra_topic_arns           = ["arn:aws:sns:us-east-1:123456789012:SESBounce.fifo"]
  }

  expect_failures = [
    var.queue_name,
    var.visibility_timeout_seconds,
    var.receive_wait_time_seconds,
    var.message_retention_seconds,
    var.max_receive_count,
    var.existing_topic_arn,
    var.extra_topic_arns,
  ]
}

run "still_more_wrong_values" {
  command = plan

  variables {
    visibility_timeout_seconds = 60.5
    existing_queue             = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS", url = "SESBounceSQS" }
    extra_topic_arns           = ["arn:aws:sqs:us-east-1:123456789012:SESBounce"]
  }

  expect_failures = [
    var.visibility_timeout_seconds,
    var.existing_queue,
    var.extra_topic_arns,
  ]
}

run "queue_that_exists_and_a_name" {
  command = plan

  variables {
    queue_name     = "SESBounceSQS"
    existing_queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS" }
  }

  expect_failures = [var.existing_queue]
}

run "queue_that_exists_with_a_name_for_an_arn" {
  command = plan

  variables {
    existing_queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS", dlq_arn = "SESBounceDLQ" }
  }

  expect_failures = [var.existing_queue]
}

run "queue_that_exists_in_another_region" {
  command = plan

  override_data {
    override_during = plan
    target          = module.topic.data.aws_region.current
    values          = { id = "us-east-1" }
  }

  override_data {
    override_during = plan
    target          = module.topic.data.aws_caller_identity.current
    values          = { account_id = "123456789012" }
  }

  variables {
    existing_queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS" }
  }

  expect_failures = [output.queue_arn]
}

# No refusal, but in this file the provider tells, as AWS does, what is computed only when it is created.
run "the_first_plan_shows_all_policies" {
  command = plan

  override_data {
    target = module.topic.data.aws_region.current
    values = { id = "eu-west-1" }
  }

  variables {
    create_kms_key = true
  }

  assert {
    condition = alltrue([
      for policy in [output.topic_policy, output.queue_policy, output.dlq_policy, output.subscription_dlq_policy, output.kms_key_policy] :
      jsondecode(policy).Version == "2012-10-17"
    ])
    error_message = "A person must see each policy before it is in force."
  }
}
