# What is planned, and what is refused, without AWS. Needs Terraform 1.11 for `override_during`. What
# the policies allow and deny is asked of them by tests/terraform/test_policies.py.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/sesbounce-deploy" }
  }
}

variables {
  repository = "acme/mail"
  region     = "eu-west-1"
  account_id = "123456789012"
}

run "one_branch" {
  command = plan

  assert {
    condition = jsondecode(output.trust_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "WorkflowsOfTheRepository"
        Effect    = "Allow"
        Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = ["repo:acme/mail:ref:refs/heads/main"]
          }
        }
      }]
    }
    error_message = "Only workflows of the main branch of this repository may take the role."
  }

  assert {
    condition = (
      aws_iam_openid_connect_provider.this[0].url == "https://token.actions.githubusercontent.com"
      && aws_iam_openid_connect_provider.this[0].client_id_list == toset(["sts.amazonaws.com"])
    )
    error_message = "GitHub must be trusted for AWS only."
  }
}

run "environments" {
  command = plan

  variables {
    branches     = []
    environments = ["production", "staging"]
  }

  assert {
    condition = jsondecode(output.trust_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == [
      "repo:acme/mail:environment:production", "repo:acme/mail:environment:staging",
    ]
    error_message = "Only jobs of these environments may take the role."
  }
}

run "provider_that_exists" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && jsondecode(output.trust_policy).Statement[0].Principal.Federated == var.oidc_provider_arn
    error_message = "The given provider must be taken."
  }
}

run "policies" {
  command = plan

  assert {
    condition     = keys(output.policies) == ["database", "feedback", "rights", "watch", "worker"]
    error_message = "There must be a policy for each part, and none for a state elsewhere."
  }

  assert {
    condition     = alltrue([for policy in output.policies : length(policy) <= 6144])
    error_message = "IAM takes no policy of more than 6,144 characters."
  }

  assert {
    condition     = keys(aws_iam_role_policy_attachment.this) == keys(output.policies) && alltrue([for attachment in aws_iam_role_policy_attachment.this : attachment.role == "sesbounce-deploy"])
    error_message = "All policies must be attached to the role."
  }
}

run "long_names" {
  command = plan

  variables {
    name        = join("", [for _ in range(51) : "n"])
    other_names = [join("", [for _ in range(80) : "t"]), join("", [for _ in range(63) : "q"])]
    region      = "ap-southeast-1"
  }

  assert {
    condition     = max([for policy in output.policies : length(policy)]...) <= 6144
    error_message = "IAM takes no policy of more than 6,144 characters: ${jsonencode({ for part, policy in output.policies : part => length(policy) })}"
  }
}

run "state_in_s3" {
  command = plan

  variables {
    state_bucket = "acme-state"
  }

  assert {
    condition = jsondecode(output.policies.state).Statement == [
      { Sid = "FindState", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-state"] },
      { Sid = "State", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["arn:aws:s3:::acme-state/sesbounce/terraform.tfstate"] },
      { Sid = "StateLock", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["arn:aws:s3:::acme-state/sesbounce/terraform.tfstate.tflock"] },
    ]
    error_message = "State and lock must be written, and only the lock be deleted."
  }
}

run "other_names" {
  command = plan

  variables {
    other_names = ["SESBounce"]
  }

  assert {
    condition = jsondecode(output.policies.feedback).Statement[0].Resource == [
      "arn:aws:sns:eu-west-1:123456789012:sesbounce-*",
      "arn:aws:sns:eu-west-1:123456789012:SESBounce", "arn:aws:sns:eu-west-1:123456789012:SESBounce-*",
    ]
    error_message = "A topic of another name must be the stack's own, too."
  }
}

run "other_partitions" {
  command = plan

  variables {
    region = "us-gov-west-1"
  }

  assert {
    condition     = startswith(jsondecode(output.policies.feedback).Statement[0].Resource[0], "arn:aws-us-gov:sns:us-gov-west-1:")
    error_message = "The partition must be the region's."
  }
}

run "tags" {
  command = plan

  variables {
    tags = { Team = "mail" }
  }

  assert {
    condition     = alltrue([for tags in concat([aws_iam_role.this.tags, aws_iam_openid_connect_provider.this[0].tags], values(aws_iam_policy.this)[*].tags) : tags == tomap({ Team = "mail" })])
    error_message = "What can be tagged must be tagged."
  }
}


run "bad_name" {
  command = plan

  variables {
    name = "ses*"
  }

  expect_failures = [var.name]
}

run "bad_other_name" {
  command = plan

  variables {
    other_names = ["*"]
  }

  expect_failures = [var.other_names]
}

run "any_repository" {
  command = plan

  variables {
    repository = "acme/*"
  }

  expect_failures = [var.repository]
}

run "no_owner" {
  command = plan

  variables {
    repository = "mail"
  }

  expect_failures = [var.repository]
}

run "empty_owner" {
  command = plan

  variables {
    repository = "/mail"
  }

  expect_failures = [var.repository]
}

run "any_branch" {
  command = plan

  variables {
    branches = ["*"]
  }

  expect_failures = [var.branches]
}

run "nobody" {
  command = plan

  variables {
    branches = []
  }

  expect_failures = [var.branches]
}

run "any_environment" {
  command = plan

  variables {
    environments = ["*"]
  }

  expect_failures = [var.environments]
}

run "other_provider" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
  }

  expect_failures = [var.oidc_provider_arn]
}

run "no_region" {
  command = plan

  variables {
    region = "eu-west"
  }

  expect_failures = [var.region]
}

run "no_account" {
  command = plan

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "any_bucket" {
  command = plan

  variables {
    state_bucket = "*"
  }

  expect_failures = [var.state_bucket]
}

run "any_key" {
  command = plan

  variables {
    state_key = "*"
  }

  expect_failures = [var.state_key]
}
