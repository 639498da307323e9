# What is refused before anything is planned.

mock_provider "aws" {}

run "fifo_topic" {
  command = plan

  variables {
    topic_name = "SESBounce.fifo"
  }

  expect_failures = [var.topic_name]
}

run "bad_topic_name" {
  command = plan

  variables {
    topic_name = "SES Bounce"
  }

  expect_failures = [var.topic_name]
}

run "fifo_queue" {
  command = plan

  variables {
    queue_name = "SESBounceSQS.fifo"
  }

  expect_failures = [var.queue_name]
}

run "long_queue_name" {
  command = plan

  variables {
    queue_name = join("", [for _ in range(64) : "q"])
  }

  expect_failures = [var.queue_name]
}

run "fifo_name" {
  command = plan

  variables {
    name = "sesbounce.fifo"
  }

  expect_failures = [var.name]
}

run "long_name" {
  command = plan

  variables {
    name = join("", [for _ in range(55) : "n"])
  }

  expect_failures = [var.name]
}

run "identity_by_arn" {
  command = plan

  variables {
    identities = { "arn:aws:ses:eu-west-1:123456789012:identity/example.com" = {} }
  }

  expect_failures = [var.identities]
}

run "identity_without_dot" {
  command = plan

  variables {
    identities = { "localhost" = {} }
  }

  expect_failures = [var.identities]
}

run "identity_in_upper_case" {
  command = plan

  variables {
    identities = { "Example.com" = {} }
  }

  expect_failures = [var.identities]
}

run "forwarding_off_without_notifications" {
  command = plan

  variables {
    identities = { "example.com" = { notifications = false, forward_feedback_by_email = false } }
  }

  expect_failures = [var.identities]
}

run "forwarding_off_without_complaints" {
  command = plan

  variables {
    identities     = { "example.com" = { forward_feedback_by_email = false } }
    feedback_types = ["Bounce", "Delivery"]
  }

  expect_failures = [var.identities]
}

run "bad_configuration_set" {
  command = plan

  variables {
    configuration_sets = { "news letter" = {} }
  }

  expect_failures = [var.configuration_sets]
}

run "unknown_feedback_type" {
  command = plan

  variables {
    feedback_types = ["Bounce", "Open"]
  }

  expect_failures = [var.feedback_types]
}

run "feedback_type_in_lower_case" {
  command = plan

  variables {
    feedback_types = ["bounce"]
  }

  expect_failures = [var.feedback_types]
}

run "no_feedback_type" {
  command = plan

  variables {
    feedback_types = []
  }

  expect_failures = [var.feedback_types]
}

run "no_address" {
  command = plan

  variables {
    notification_emails = ["postmaster"]
  }

  expect_failures = [var.notification_emails]
}

run "visibility_too_short" {
  command = plan

  variables {
    visibility_timeout_seconds = 29
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "visibility_too_long" {
  command = plan

  variables {
    visibility_timeout_seconds = 43201
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "visibility_not_whole" {
  command = plan

  variables {
    visibility_timeout_seconds = 60.5
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "no_receive" {
  command = plan

  variables {
    max_receive_count = 0
  }

  expect_failures = [var.max_receive_count]
}

run "too_many_receives" {
  command = plan

  variables {
    max_receive_count = 1001
  }

  expect_failures = [var.max_receive_count]
}

run "unknown_event_type" {
  command = plan

  variables {
    configuration_sets = { newsletter = { event_types = ["Bounced"] } }
  }

  expect_failures = [var.configuration_sets]
}

run "no_event_type" {
  command = plan

  variables {
    configuration_sets = { newsletter = { event_types = [] } }
  }

  expect_failures = [var.configuration_sets]
}

run "tls_of_a_set_that_exists" {
  command = plan

  variables {
    configuration_sets = { newsletter = { require_tls = true } }
  }

  expect_failures = [var.configuration_sets]
}

run "two_keys" {
  command = plan

  variables {
    create_kms_key = true
    kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
  }

  expect_failures = [var.kms_key_arn]
}

run "key_by_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/aws/sns"
  }

  expect_failures = [var.kms_key_arn]
}

run "key_by_alias_s_arn" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/aws/sns"
  }

  expect_failures = [var.kms_key_arn]
}
