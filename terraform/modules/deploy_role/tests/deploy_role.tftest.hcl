# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.
# tests/terraform/test_policies.py checks what the policies allow and deny.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  repository = "acme/mail"
  region     = "eu-west-1"
  account_id = "123456789012"
}

run "by_default" {
  command = plan

  # The workflows of one branch assume the role.
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

  # The policies of the role.
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

# What Terraform refuses. One run gives wrong values to many variables, and Terraform must refuse each of
# them. Where the rule of one variable reads another, their wrong values are in different runs:
# Terraform does not evaluate a rule that reads a refused variable.

run "wildcards" {
  command = plan

  variables {
    name         = "ses*"
    other_names  = ["*"]
    repository   = "acme/*"
    branches     = ["*"]
    state_bucket = "*"
    state_key    = "*"
  }

  expect_failures = [
    var.name,
    var.other_names,
    var.repository,
    var.branches,
    var.state_bucket,
    var.state_key,
  ]
}

run "wrong_values" {
  command = plan

  variables {
    repository        = "mail" # no owner
    branches          = []     # and no environment: nobody could take the role
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
    region            = "eu-west"
    account_id        = "1234"
  }

  expect_failures = [
    var.repository,
    var.branches,
    var.oidc_provider_arn,
    var.region,
    var.account_id,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    repository   = "/mail" # an empty owner
    environments = ["*"]
  }

  expect_failures = [var.repository, var.environments]
}
