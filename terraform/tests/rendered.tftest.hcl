# Renders the policies; tests/terraform/conftest.py reads them from `terraform test -json
# -verbose`. Terraform reports the outputs of an applied run only, so all runs are applied, to the mock.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = module.feedback_queue.aws_sqs_queue.dlq
  values = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-dlq" }
}

override_resource {
  target = module.feedback_queue.module.topic.aws_sqs_queue.subscription_dlq
  values = { arn = "arn:aws:sqs:eu-west-1:123456789012:sesbounce-feedback-subscription-dlq" }
}

override_resource {
  target = module.deploy_role[0].aws_iam_policy.boundary[0]
  values = { arn = "arn:aws:iam::123456789012:policy/sesbounce-boundary" }
}

override_resource {
  target = module.worker_service[0].aws_iam_role.task
  values = { arn = "arn:aws:iam::123456789012:role/sesbounce-task" }
}

override_resource {
  target = module.worker_service[0].aws_iam_role.execution
  values = { arn = "arn:aws:iam::123456789012:role/sesbounce-execution" }
}

run "full" {
  command = apply

  variables {
    identities = {
      "example.com"       = {}
      "sesbounce.example" = { create = true, mail_from_domain = "bounce.sesbounce.example", route53_zone_id = "Z0123" }
    }
    configuration_sets   = { newsletter = {}, sesbounce = { create = true } }
    extra_topic_arns     = ["arn:aws:sns:us-east-1:123456789012:sesbounce-feedback", "arn:aws:sns:eu-south-1:999999999999:SESBounce"]
    worker_image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    create_kms_key       = true
    ses_suppression_list = true
    consumer_may_redrive = true
    count_dead_letters   = true
    monitoring           = { alarm_emails = ["operator@example.com"] }
    github               = { repository = "acme/mail", state_bucket = "acme-state" }
    api = {
      target_group_arn          = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4"
      client_security_group_ids = { load_balancer = "sg-balancer" }
      console                   = true
      serve_secret_arn          = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
      doctor                    = true
      dead_letters              = "handle"
    }
    worker = {
      secrets              = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" }
      secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/5678"]
    }
  }

  assert {
    condition = alltrue([for policy in concat(
      [output.topic_policy, output.queue_policy, output.dlq_policy, output.subscription_dlq_policy, output.kms_key_policy],
      [output.consumer_policy, output.trust_policy, output.execution_policy, output.alarm_topic_policy, output.deploy_role_trust_policy],
      [output.permissions_boundary_policy], values(output.deploy_role_policies),
    ) : can(jsondecode(policy).Statement)])
    error_message = "Each policy must be JSON with statements."
  }
}

# The stack with as little as it can have.
run "least" {
  command = apply

  variables {
    identities = { "example.com" = {} }
    monitoring = null
  }

  assert {
    condition     = can(jsondecode(output.consumer_policy).Statement) && can(jsondecode(output.execution_policy).Statement)
    error_message = "Each policy must be JSON with statements."
  }
}

# An account whose rules require a boundary and a path, and a deploy role with all that it can have.
run "managed" {
  command = apply

  variables {
    identities                 = { "example.com" = { create = true } }
    ses_api                    = "v1"
    topic_name                 = "SESBounce"
    queue_name                 = "SESBounceSQS"
    worker_image               = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker                     = { min_tasks = 0, cluster_arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/shared" }
    create_kms_key             = true
    create_consumer_user       = true
    create_consumer_access_key = true
    access_key_pgp_key         = "keybase:somebody"
    monitoring                 = { alarm_emails = ["operator@example.com"] }
    permissions_boundary       = "arn:aws:iam::123456789012:policy/developers"
    path                       = "/mail/"
    github = {
      repository      = "acme/mail"
      owner_id        = 123456
      repository_id   = 456789
      environments    = ["production"]
      may_manage_user = true
      may_manage_key  = true
    }
  }

  assert {
    condition     = output.permissions_boundary_policy == null && output.permissions_boundary == var.permissions_boundary
    error_message = "A boundary that is given must be taken."
  }
}

# A worker that a schedule starts.
run "scheduled" {
  command = apply

  variables {
    identities   = { "example.com" = {} }
    worker_image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker       = { mode = "scheduled" }
    monitoring   = { alarm_emails = ["operator@example.com"] }
    github       = { repository = "acme/mail" }
  }

  assert {
    condition     = can(jsondecode(output.schedule_policy).Statement) && can(jsondecode(output.schedule_trust_policy).Statement)
    error_message = "Each policy must be JSON with statements."
  }
}

# A worker that the queue calls, in a VPC.
run "lambda" {
  command = apply

  variables {
    identities              = { "example.com" = {} }
    worker_package          = "versions.tf" # any file: nothing is uploaded
    database_url_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mail-url-AbCdEf:url::"
    create_kms_key          = true
    ses_suppression_list    = true
    worker                  = { mode = "lambda", egress_cidr_ipv4 = { 5432 = "10.0.0.0/16" } }
    network                 = { vpc_id = "vpc-1", worker_subnet_ids = ["subnet-a"] }
    monitoring              = { alarm_emails = ["operator@example.com"] }
    github                  = { repository = "acme/mail" }
  }

  assert {
    condition = alltrue([for policy in [
      output.function_policy, output.function_trust_policy, output.sweep_policy, output.sweep_trust_policy,
    ] : can(jsondecode(policy).Statement)])
    error_message = "Each policy must be JSON with statements."
  }
}
