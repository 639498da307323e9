# What Terraform plans for the example, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "aws_iam_access_key" {
    defaults = {
      id               = "AKIAIOSFODNN7EXAMPLE"
      secret           = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
      encrypted_secret = "wcBMA"
    }
  }
}

variables {
  identities = ["example.com"]
}

run "classic" {
  command = plan

  assert {
    condition = (
      module.feedback_queue.topic_name == "SESBounce"
      && module.feedback_queue.queue_name == "SESBounceSQS"
      && output.user_name == "SQSAPI"
      && module.feedback_queue.identity_names == toset(["example.com"])
    )
    error_message = "The names must be those of the recipes."
  }

  assert {
    condition = [for statement in jsondecode(output.user_policy).Statement : [statement.Effect, statement.Resource]] == [
      ["Allow", [module.feedback_queue.queue_arn]],
    ]
    error_message = "The user must have rights on this queue only."
  }

  assert {
    condition     = output.access_key_file == <<-EOT
      [default]
      aws_access_key_id = AKIAIOSFODNN7EXAMPLE
      aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    EOT
    error_message = "The key must be in the form of AWS's shared credentials file."
  }
}

run "encrypted_secret" {
  command = plan

  variables {
    access_key_pgp_key = "keybase:somebody"
  }

  override_resource {
    override_during = plan
    target          = module.queue_consumer.aws_iam_access_key.this
    values          = { id = "AKIAIOSFODNN7EXAMPLE", encrypted_secret = "wcBMA", secret = null }
  }

  assert {
    condition     = output.access_key_file == null && output.access_key_id == "AKIAIOSFODNN7EXAMPLE" && output.encrypted_secret_access_key == "wcBMA"
    error_message = "With a PGP key, nothing may tell the secret."
  }
}
