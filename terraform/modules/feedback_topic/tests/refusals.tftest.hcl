# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  queue_arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
}

run "wrong_values" {
  command = plan

  variables {
    name                  = "sesbounce.fifo"
    topic_name            = "SESBounce.fifo"
    queue_arn             = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback.fifo"
    subscription_dlq_name = "SESBounceSQS.fifo"
    configuration_sets    = { "news letter" = {} }
    feedback_types        = ["Bounce", "Open"]
    dkim_domain           = "https://dkim.amazonses.com"
    notification_emails   = ["postmaster"]
    kms_key_arn           = "alias/aws/sns"

    subscription_dlq = { arn = "arn:aws:sqs:eu-west-1:123456789012:*" }
    dlq_topic_arns   = ["arn:aws:sns:eu-west-1:123456789012:*"]
    alarm_topic_arns = ["alarms"]
  }

  expect_failures = [
    var.name,
    var.topic_name,
    var.queue_arn,
    var.subscription_dlq_name,
    var.configuration_sets,
    var.feedback_types,
    var.dkim_domain,
    var.notification_emails,
    var.kms_key_arn,
    var.subscription_dlq,
    var.dlq_topic_arns,
    var.alarm_topic_arns,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    name               = join("", [for _ in range(55) : "n"])
    topic_name         = "SES Bounce"
    configuration_sets = { newsletter = { event_types = ["Bounced"] } }
    feedback_types     = ["bounce"]
    kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:alias/aws/sns"
  }

  expect_failures = [
    var.name,
    var.topic_name,
    var.configuration_sets,
    var.feedback_types,
    var.kms_key_arn,
  ]
}

run "still_more_wrong_values" {
  command = plan

  variables {
    configuration_sets = { newsletter = { event_types = [] } }
    feedback_types     = []
    queue_arn          = null # and nothing says that another account subscribes one
    existing_topic     = { arn = "arn:aws:sns:eu-west-1:123456789012:SESBounce.fifo" }
  }

  expect_failures = [
    var.configuration_sets,
    var.feedback_types,
    var.queue_arn,
    var.existing_topic,
  ]
}

run "topic_that_exists_with_a_name" {
  command = plan

  variables {
    topic_name     = "SESBounce"
    existing_topic = { arn = "arn:aws:sns:eu-west-1:123456789012:SESBounce" }
  }

  expect_failures = [var.existing_topic]
}

run "topic_that_exists_with_subscribers" {
  command = plan

  variables {
    subscriber_account_ids = ["210987654321"]
    existing_topic         = { arn = "arn:aws:sns:eu-west-1:123456789012:SESBounce" }
  }

  expect_failures = [var.subscriber_account_ids]
}

run "queue_of_another_account" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_caller_identity.current
    values          = { account_id = "210987654321" }
  }

  expect_failures = [aws_sns_topic_subscription.queue]
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

run "settings_of_an_address" {
  command = plan

  variables {
    identities         = { "me@example.com" = { create = true, mail_from_domain = "bounce.example.com" } }
    configuration_sets = { newsletter = { create = true, suppressed_reasons = [] } }
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "settings_of_what_exists" {
  command = plan

  variables {
    identities         = { "example.com" = { route53_zone_id = "Z0123" } }
    configuration_sets = { newsletter = { suppressed_reasons = ["BOUNCE"] } }
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "mail_from_the_domain_itself" {
  command = plan

  variables {
    identities         = { "example.com" = { create = true, mail_from_domain = "example.com" } }
    configuration_sets = { newsletter = { create = true, suppressed_reasons = ["bounce"] } }
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "mail_from_another_domain" {
  command = plan

  variables {
    identities = { "example.com" = { create = true, mail_from_domain = "bounce.notexample.com" } }
  }

  expect_failures = [var.identities]
}

run "mail_from_that_is_required_and_missing" {
  command = plan

  variables {
    identities = { "example.com" = { create = true, mail_from_required = true } }
  }

  expect_failures = [var.identities]
}

run "zone_by_name" {
  command = plan

  variables {
    identities = { "example.com" = { create = true, route53_zone_id = "example.com" } }
  }

  expect_failures = [var.identities]
}

run "unknown_version_of_the_api" {
  command = plan

  variables {
    ses_api = "v3"
  }

  expect_failures = [var.ses_api]
}

run "version_1_of_the_api_has_less" {
  command = plan

  variables {
    ses_api            = "v1"
    identities         = { "example.com" = { create = true, mail_from_domain = "bounce.example.com" } }
    configuration_sets = { newsletter = { event_types = ["Bounce", "Subscription"] } }
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "version_1_of_the_api_has_no_reasons" {
  command = plan

  variables {
    ses_api            = "v1"
    identities         = { "example.com" = { create = true, route53_zone_id = "Z0123" } }
    configuration_sets = { newsletter = { create = true, suppressed_reasons = ["BOUNCE"] } }
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "forwarding_off_without_notifications" {
  command = plan

  variables {
    identities         = { "example.com" = { notifications = false, forward_feedback_by_email = false } }
    configuration_sets = { newsletter = { require_tls = true } } # of a set that exists
  }

  expect_failures = [var.identities, var.configuration_sets]
}

run "forwarding_off_without_complaints" {
  command = plan

  variables {
    identities     = { "example.com" = { forward_feedback_by_email = false } }
    feedback_types = ["Bounce", "Delivery"]
  }

  expect_failures = [var.identities]
}

run "subscriber_without_12_digits" {
  command = plan

  variables {
    subscriber_account_ids = ["1234"]
  }

  expect_failures = [var.subscriber_account_ids]
}

run "topic_of_another_region" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_caller_identity.current
    values          = { account_id = "123456789012" }
  }

  override_data {
    override_during = plan
    target          = data.aws_region.current
    values          = { id = "eu-west-1" }
  }

  variables {
    existing_topic = { arn = "arn:aws:sns:us-east-1:123456789012:SESBounce" }
  }

  expect_failures = [aws_sns_topic_subscription.queue]
}

# No refusal: a stack of yours may have tests with a mocked provider, which invents the account.
run "queue_in_somebody_s_tests" {
  command = plan

  override_data {
    override_during = plan
    target          = data.aws_caller_identity.current
    values          = { account_id = "x1y2z3a4" }
  }

  assert {
    condition     = aws_sns_topic_subscription.queue[0].endpoint == var.queue_arn
    error_message = "Nobody knows whose the queue is."
  }
}
