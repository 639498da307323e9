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
  }

  expect_failures = [
    var.queue_name,
    var.visibility_timeout_seconds,
    var.receive_wait_time_seconds,
    var.message_retention_seconds,
    var.max_receive_count,
    var.kms_key_arn,
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
  }

  expect_failures = [
    var.queue_name,
    var.visibility_timeout_seconds,
    var.receive_wait_time_seconds,
    var.message_retention_seconds,
    var.max_receive_count,
  ]
}

run "still_more_wrong_values" {
  command = plan

  variables {
    visibility_timeout_seconds = 60.5
  }

  expect_failures = [var.visibility_timeout_seconds]
}
