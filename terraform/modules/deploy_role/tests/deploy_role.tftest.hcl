# What Terraform plans and what it refuses, without AWS. Needs Terraform 1.11 for `override_during`.
# tests/terraform/test_deploy_role.py checks what the policies allow, and
# tests/terraform/test_deploy_role_limits.py what they deny.

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
    condition     = keys(output.policies) == ["database", "feedback", "network", "rights", "runs", "watch", "worker"]
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
    identities = { for index in range(10) : "a-domain-of-some-length-${index}.example.com" => {
      create           = true
      mail_from_domain = "bounce.a-domain-of-some-length-${index}.example.com"
      route53_zone_id  = "Z0123456789ABCDEFGH${index}"
    } }
    configuration_sets = { for index in range(10) : "a-set-of-some-length-${index}" => { create = true } }
    name               = join("", [for _ in range(51) : "n"])
    topic_name         = join("", [for _ in range(80) : "t"])
    queue_name         = join("", [for _ in range(63) : "q"])
    cluster_name       = join("", [for _ in range(255) : "c"])
    path               = "/a/path/of/some/length/"
    region             = "ap-southeast-1"
    state_bucket       = "acme-state"
    may_manage_user    = true
    may_manage_key     = true
    api_may_examine    = true
    function_in_vpc    = true
  }

  assert {
    condition     = max([for policy in concat(values(output.policies), [output.boundary_policy]) : length(policy)]...) <= 6144
    error_message = "IAM takes no policy of more than 6,144 characters: ${jsonencode({ for part, policy in output.policies : part => length(policy) })}"
  }

  assert {
    condition     = length(output.policies) <= 10
    error_message = "IAM attaches no more than ten policies to a role."
  }
}

run "too_many_identities" {
  command = plan

  variables {
    identities = { for index in range(100) : "user-${index}@a-domain-of-some-length.example.com" => { create = true } }
  }

  expect_failures = [aws_iam_policy.this]
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
    topic_name      = "SESBounce"
    queue_name      = "SESBounceSQS"
    cluster_name    = "shared"
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:operators"
  }

  assert {
    condition = (
      jsondecode(output.policies.feedback).Statement[0].Resource == ["arn:aws:sns:eu-west-1:123456789012:SESBounce", "arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"]
      && jsondecode(output.policies.feedback).Statement[2].Resource == [for end in ["", "-dlq", "-subscription-dlq"] : "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS${end}"]
      && contains(jsondecode(output.policies.worker).Statement[2].Resource, "arn:aws:ecs:eu-west-1:123456789012:service/shared/sesbounce")
    )
    error_message = "What has another name must be the stack's own, too, by that name alone."
  }

  assert {
    condition = [for statement in jsondecode(output.policies.watch).Statement : statement if statement.Sid == "SeeTopicOfTheAlarms"] == [{
      Sid      = "SeeTopicOfTheAlarms"
      Effect   = "Allow"
      Action   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
      Resource = ["arn:aws:sns:eu-west-1:123456789012:operators"]
    }]
    error_message = "The role must see the user's topic, and change nothing of it."
  }
}

run "ids_of_the_repository" {
  command = plan

  variables {
    owner_id      = 123456
    repository_id = "456789"
    environments  = ["production"]
  }

  assert {
    condition = jsondecode(output.trust_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == [
      "repo:acme/mail:ref:refs/heads/main", "repo:acme/mail:environment:production",
      "repo:acme@123456/mail@456789:ref:refs/heads/main", "repo:acme@123456/mail@456789:environment:production",
    ]
    error_message = "Both forms of the subject must be trusted: with the numbers and without."
  }
}

run "boundary" {
  command = plan

  assert {
    condition = (
      aws_iam_policy.boundary[0].name == "sesbounce-boundary"
      && output.boundary_policy == aws_iam_policy.boundary[0].policy
      && aws_iam_role.this.permissions_boundary == null
    )
    error_message = "The stack's roles must have a boundary even where the account requires none."
  }

  assert {
    condition     = !strcontains(output.boundary_policy, "GetParameters")
    error_message = "Without secrets, the worker must not read any parameter."
  }
}

run "boundary_that_exists" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/developers"
    path                 = "/mail/"
    may_manage_user      = true
    may_manage_key       = true
  }

  assert {
    condition = (
      length(aws_iam_policy.boundary) == 0
      && output.boundary_arn == var.permissions_boundary
      && aws_iam_role.this.permissions_boundary == var.permissions_boundary
      && alltrue([for thing in concat([aws_iam_role.this], values(aws_iam_policy.this)) : thing.path == "/mail/"])
    )
    error_message = "The role must have the given boundary and path."
  }

  assert {
    condition     = keys(output.policies) == ["database", "feedback", "network", "optional", "rights", "runs", "watch", "worker"]
    error_message = "The switches must add their parts."
  }
}

run "secrets" {
  command = plan

  variables {
    secret_arns = [
      "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf:url::",
      "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key",
    ]
  }

  assert {
    condition = [for statement in jsondecode(output.boundary_policy).Statement : statement.Resource if statement.Sid == "Secrets"] == [
      ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf", "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"],
    ]
    error_message = "The boundary must name each secret, without its key."
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

run "tags_in_one_more_partition" {
  command = plan

  variables {
    region = "eusc-de-east-1"
    tags   = { Team = "mail" }
  }

  assert {
    condition     = startswith(jsondecode(output.policies.feedback).Statement[0].Resource[0], "arn:aws-eusc:sns:eusc-de-east-1:")
    error_message = "The European Sovereign Cloud must have its partition."
  }

  assert {
    condition = anytrue(flatten([
      for statement in jsondecode(output.boundary_policy).Statement : [
        for service in statement.Condition.StringLike["kms:ViaService"] : can(regex("^${replace(service, "*", ".*")}$", "sqs.eusc-de-east-1.amazonaws.eu"))
      ] if statement.Sid == "Keys"
    ]))
    error_message = "Its services have another domain, by which KMS knows them."
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
    name                 = "ses*"
    topic_name           = "*"
    queue_name           = "*"
    cluster_name         = "*"
    repository           = "acme/*"
    owner_id             = "*"
    branches             = ["*"]
    state_bucket         = "*"
    state_key            = "*"
    permissions_boundary = "arn:aws:iam::123456789012:policy/*"
    path                 = "/*/"
    secret_arns          = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:*"]
    existing_topic_arn   = "arn:aws:sns:eu-west-1:123456789012:*"
    existing_queue_arns  = ["arn:aws:sqs:eu-west-1:123456789012:*"]
    alarm_topic_arn      = "arn:aws:sns:eu-west-1:123456789012:*"
  }

  expect_failures = [
    var.name,
    var.topic_name,
    var.queue_name,
    var.cluster_name,
    var.repository,
    var.owner_id,
    var.branches,
    var.state_bucket,
    var.state_key,
    var.permissions_boundary,
    var.path,
    var.secret_arns,
    var.existing_topic_arn,
    var.existing_queue_arns,
    var.alarm_topic_arn,
  ]
}

run "wrong_values" {
  command = plan

  variables {
    repository        = "mail" # no owner
    repository_id     = "456789"
    branches          = [] # and no environment: nobody could take the role
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com"
    region            = "eu-west"
    account_id        = "1234"
  }

  expect_failures = [
    var.repository,
    var.repository_id,
    var.branches,
    var.oidc_provider_arn,
    var.region,
    var.account_id,
  ]
}

run "more_wrong_values" {
  command = plan

  variables {
    repository    = "/mail" # an empty owner
    owner_id      = "123456"
    repository_id = "*"
    environments  = ["*"]
    path          = "mail"
  }

  expect_failures = [var.repository, var.repository_id, var.environments, var.path]
}

run "numbers_in_the_name" {
  command = plan

  variables {
    repository = "acme@123456/mail@456789"
  }

  expect_failures = [var.repository]
}
