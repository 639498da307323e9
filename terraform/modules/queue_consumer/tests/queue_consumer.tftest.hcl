# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "aws_iam_access_key" {
    defaults = { id = "AKIAEXAMPLE", encrypted_secret = "wcBMA" }
  }
}

variables {
  queue_arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"
}

run "policy_alone" {
  command = plan

  assert {
    condition = jsondecode(output.policy_json) == {
      Version = "2012-10-17"
      Statement = [{
        Sid      = "ConsumeQueue"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"]
      }]
    }
    error_message = "The policy must allow four actions on one queue, and nothing else."
  }

  assert {
    condition     = aws_iam_policy.this.name == "sesbounce-consumer" && length(aws_iam_user.this) + length(aws_iam_access_key.this) == 0
    error_message = "There must be no user unasked."
  }

  assert {
    condition     = output.user_name == null && output.user_arn == null && output.access_key_id == null && output.encrypted_secret_access_key == null
    error_message = "Without a user, its outputs must be null."
  }
}

run "encrypted_queue" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
  }

  assert {
    condition = slice(jsondecode(output.policy_json).Statement, 1, 2) == [{
      Sid      = "ReadEncryptedMessages"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"]
    }] && length(jsondecode(output.policy_json).Statement) == 2
    error_message = "The consumer must be able to read what the key encrypts, and no more."
  }
}

run "counted_dead_letters" {
  command = plan

  variables {
    counted_dlq_arns = ["arn:aws:sqs:eu-west-1:123456789012:dlq"]
    dlq_arns         = ["arn:aws:sqs:eu-west-1:123456789012:dlq", "arn:aws:sqs:eu-west-1:123456789012:subscription-dlq"]
  }

  assert {
    condition = slice(jsondecode(output.policy_json).Statement, 1, 2) == [{
      Sid      = "CountDeadLetters"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes"]
      Resource = ["arn:aws:sqs:eu-west-1:123456789012:dlq"]
    }] && length(jsondecode(output.policy_json).Statement) == 2
    error_message = "The consumer must be able to count the dead letters, and not to read them."
  }
}

run "redrive" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    may_redrive = true
    dlq_arns    = ["arn:aws:sqs:eu-west-1:123456789012:dlq", "arn:aws:sqs:eu-west-1:123456789012:subscription-dlq"]
    topic_arns  = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"]
  }

  assert {
    condition = slice(jsondecode(output.policy_json).Statement, 1, 5) == [
      {
        Sid      = "ReadEncryptedMessages"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"]
      },
      {
        Sid    = "RedriveFromDeadLetterQueues"
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:DeleteMessage",
          "sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:CancelMessageMoveTask",
        ]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:dlq", "arn:aws:sqs:eu-west-1:123456789012:subscription-dlq"]
      },
      {
        Sid      = "RedriveToTheQueue"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"]
      },
      {
        Sid      = "FindTheSubscriptionsDeadLetterQueue"
        Effect   = "Allow"
        Action   = ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
        Resource = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback", "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback:*"]
      },
    ] && length(jsondecode(output.policy_json).Statement) == 5
    error_message = "Redriving must be allowed from the dead-letter queues to the queue, and no more."
  }
}

run "operator" {
  command = plan

  variables {
    dlq_arns = ["arn:aws:sqs:eu-west-1:123456789012:dlq"]
  }

  assert {
    condition     = length(jsondecode(output.policy_json).Statement) == 1
    error_message = "The consumer must have no right on the dead-letter queue."
  }

  assert {
    condition     = [for statement in jsondecode(output.operator_policy).Statement : "${statement.Sid} ${join(" ", statement.Resource)}"] == ["FindTheDeadLetterQueue arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback", "RedriveFromDeadLetterQueues arn:aws:sqs:eu-west-1:123456789012:dlq", "RedriveToTheQueue arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback"]
    error_message = "A person must be able to handle dead letters without a right of the worker."
  }
}

run "viewer" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    dlq_arns    = ["arn:aws:sqs:eu-west-1:123456789012:dlq"]
    topic_arns  = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"]
  }

  assert {
    condition = { for statement in jsondecode(output.viewer_policy).Statement : statement.Sid => statement.Action } == {
      FindTheDeadLetterQueue              = ["sqs:GetQueueAttributes"]
      ReadEncryptedMessages               = ["kms:Decrypt"]
      LookIntoDeadLetterQueues            = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
      FindTheSubscriptionsDeadLetterQueue = ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
    }
    error_message = "Who looks at dead letters must neither delete nor send any."
  }
}

run "doctor" {
  command = plan

  variables {
    kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
    dlq_arns         = ["arn:aws:sqs:eu-west-1:123456789012:dlq"]
    topic_arns       = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"]
    extra_topic_arns = ["arn:aws:sns:us-east-1:123456789012:further"]
  }

  assert {
    condition = { for statement in jsondecode(output.doctor_policy).Statement : statement.Sid => statement.Resource } == {
      SeeQueues            = ["arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback", "arn:aws:sqs:eu-west-1:123456789012:dlq"]
      SeeConfigurationSets = ["arn:aws:ses:eu-west-1:123456789012:configuration-set/*"]
      SeeSes               = ["*"]
      SeeMetrics           = ["*"]
      SeeTopics            = flatten([for topic in ["eu-west-1:123456789012:sesbounce-feedback", "us-east-1:123456789012:further"] : ["arn:aws:sns:${topic}", "arn:aws:sns:${topic}:*"]])
      SeeKey               = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"]
    }
    error_message = "The doctor must see the stack's own queues, topics and key, and what IAM can't limit."
  }

  assert {
    condition     = alltrue([for action in flatten([for statement in jsondecode(output.doctor_policy).Statement : statement.Action]) : can(regex(":(Get|List|Describe)", action))])
    error_message = "The doctor must change nothing."
  }
}

run "doctor_of_a_queue_alone" {
  command = plan

  assert {
    condition     = [for statement in jsondecode(output.doctor_policy).Statement : statement.Sid] == ["SeeQueues", "SeeConfigurationSets", "SeeSes", "SeeMetrics"]
    error_message = "Without topics and a key there must be no statement of them."
  }
}

run "suppression_list" {
  command = plan

  variables {
    may_update_suppression_list = true
  }

  assert {
    condition = slice(jsondecode(output.policy_json).Statement, 1, 2) == [{
      Sid      = "KeepTheSuppressionListOfSes"
      Effect   = "Allow"
      Action   = ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"]
      Resource = ["*"]
    }] && length(jsondecode(output.policy_json).Statement) == 2
    error_message = "The list must be written to, and nothing else of SES."
  }
}

run "user_without_key" {
  command = plan

  variables {
    name        = "acme-consumer"
    create_user = true
    tags        = { Team = "mail" }

    permissions_boundary = "arn:aws:iam::123456789012:policy/developers"
    path                 = "/mail/"
  }

  assert {
    condition = (
      aws_iam_user.this[0].permissions_boundary == var.permissions_boundary
      && aws_iam_user.this[0].path == "/mail/"
      && aws_iam_policy.this.path == "/mail/"
    )
    error_message = "User and policy must have the path, and the user the boundary."
  }

  assert {
    condition = (
      output.user_name == "acme-consumer"
      && aws_iam_user_policy_attachment.this[0].user == "acme-consumer"
      && aws_iam_user_policy_attachment.this[0].policy_arn == output.policy_arn
      && length(aws_iam_access_key.this) == 0
    )
    error_message = "The user must have this policy, and no key."
  }

  assert {
    condition     = aws_iam_user.this[0].tags == tomap({ Team = "mail" }) && aws_iam_policy.this.tags == tomap({ Team = "mail" })
    error_message = "User and policy must be tagged."
  }
}

run "user_with_key" {
  command = plan

  variables {
    create_user        = true
    create_access_key  = true
    access_key_pgp_key = "keybase:somebody"
  }

  assert {
    condition     = aws_iam_access_key.this[0].user == output.user_name && aws_iam_access_key.this[0].pgp_key == "keybase:somebody"
    error_message = "The key must be the user's, its secret encrypted."
  }

  assert {
    condition     = output.access_key_id == "AKIAEXAMPLE" && output.encrypted_secret_access_key == "wcBMA"
    error_message = "The outputs must tell the key."
  }
}

run "user_with_a_secret_in_the_state" {
  command = plan

  variables {
    create_user       = true
    create_access_key = true
    secret_in_state   = true
  }

  override_resource {
    override_during = plan
    target          = aws_iam_access_key.this
    values          = { id = "AKIAEXAMPLE", secret = "wJalrXUtnFEMI" }
  }

  assert {
    condition     = aws_iam_access_key.this[0].pgp_key == null && output.access_key_id == "AKIAEXAMPLE" && output.secret_access_key == "wJalrXUtnFEMI"
    error_message = "The outputs must tell the key and its secret, where somebody accepts that."
  }
}

# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

run "wildcards" {
  command = plan

  variables {
    queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:*"
    dlq_arns    = ["arn:aws:sqs:eu-west-1:123456789012:*"]
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/*"
  }

  expect_failures = [var.queue_arn, var.dlq_arns, var.kms_key_arn]
}

run "wrong_values" {
  command = plan

  variables {
    name               = "sesbounce consumer"
    queue_arn          = "arn:aws:sqs:eu-west-1:123456789012:sesbounce.fifo"
    kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:alias/feedback"
    may_redrive        = true # from no queue
    create_access_key  = true # of no user
    access_key_pgp_key = "keybase:somebody"
  }

  expect_failures = [
    var.name,
    var.queue_arn,
    var.kms_key_arn,
    var.may_redrive,
    var.create_access_key,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    queue_arn         = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
    create_user       = true
    create_access_key = true # not encrypted
    path              = "/mail"
  }

  expect_failures = [var.queue_arn, var.create_access_key, var.path]
}

run "secret_in_the_state_and_encrypted" {
  command = plan

  variables {
    create_user        = true
    create_access_key  = true
    access_key_pgp_key = "keybase:somebody"
    secret_in_state    = true
  }

  expect_failures = [var.secret_in_state]
}
