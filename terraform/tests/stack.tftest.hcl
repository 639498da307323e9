# What Terraform plans for the whole stack, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  monitoring = { alarm_emails = ["operator@example.com"] }
}

run "without_any_variable" {
  command = plan

  variables {
    monitoring = {}
  }

  assert {
    condition     = output.topic_name == "sesbounce-feedback" && output.queue_name == "sesbounce-feedback"
    error_message = "Topic and queue must be there."
  }

  assert {
    condition     = length(output.identity_names) + length(output.configuration_set_names) == 0 && output.consumer_user_name == null
    error_message = "Nothing must publish and nobody consume unasked."
  }

  assert {
    condition = (
      output.repository_url == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce"
      && output.database_identifier == "sesbounce"
      && output.cluster_name == "sesbounce"
      && output.worker_platform == "linux/arm64"
      && output.worker_image == null && output.service_name == null && output.task_definition_arn == null
    )
    error_message = "All must be there that has to be before there is an image."
  }

  assert {
    condition     = output.alarm_names == toset(["sesbounce-dlq", "sesbounce-subscription-dlq", "sesbounce-oldest-message", "sesbounce-bounce-rate", "sesbounce-complaint-rate"])
    error_message = "A worker that isn't there yet must be no alarm."
  }

  assert {
    condition     = output.deploy_role_arn == null && output.kms_key_arn == null && length(module.api_service) == 0
    error_message = "No role for GitHub, no key and no server must be made unasked."
  }

  # Terraform plans the whole stack, but warns.
  expect_failures = [check.something_publishes, check.somebody_hears_alarms]
}

run "silent_identity" {
  command = plan

  variables {
    identities = { "example.com" = { notifications = false } }
  }

  expect_failures = [check.something_publishes]
}

run "whole" {
  command = plan

  variables {
    name                 = "acme"
    identities           = { "example.com" = {} }
    configuration_sets   = { newsletter = {} }
    create_consumer_user = true
    worker_image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker               = { environment = { SESBOUNCE_STRIKE_OFF_SQL = "DELETE FROM member WHERE lower(email) = :address" } }
  }

  assert {
    condition     = output.identity_names == toset(["example.com"]) && output.configuration_set_names == toset(["newsletter"])
    error_message = "Identity and set must publish."
  }

  assert {
    condition     = output.consumer_user_name == "acme-consumer"
    error_message = "The consumer must be called after the stack."
  }

  assert {
    condition     = jsondecode(output.consumer_policy).Statement[0].Resource == [output.queue_arn] && length(jsondecode(output.consumer_policy).Statement) == 1
    error_message = "The consumer must be allowed this queue, and nothing else."
  }

  assert {
    condition     = output.service_name == "acme" && output.worker_image == var.worker_image && output.database_identifier == "acme" && output.dashboard_name == "acme"
    error_message = "Service, database and dashboard must be called after the stack."
  }

  assert {
    condition     = contains(output.alarm_names, "acme-no-task") && contains(output.alarm_names, "acme-unhealthy")
    error_message = "The worker must be watched."
  }
}

run "what_the_worker_and_the_server_are_told" {
  command = plan

  variables {
    identities           = { "example.com" = {} }
    ses_suppression_list = true
    count_dead_letters   = true

    visibility_timeout_seconds = 240
    worker_image               = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker = {
      environment = { SESBOUNCE_STRIKES = "5" }
      secrets     = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" }

      webhooks            = { crm = { url = "https://crm.example", types = ["address.released"] } }
      webhook_secrets_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/webhooks"
    }
    api = {
      target_group_arn          = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4"
      client_security_group_ids = { load_balancer = "sg-balancer" }
      environment               = { SESBOUNCE_SERVE_RATE = "20" }
      console                   = true
      serve_secret_arn          = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console-AbCdEf"
      doctor                    = true
      dead_letters              = "handle"
    }
  }

  assert {
    condition = { for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name => variable.value } == {
      SESBOUNCE_DATABASE_URL = "postgresql://sesbounce_worker@sesbounce.abc.eu-west-1.rds.amazonaws.com:5432/sesbounce?sslmode=verify-full&sslrootcert=rds"

      SESBOUNCE_DATABASE_PASSWORD_FROM = "rds-iam"
      SESBOUNCE_DEAD_LETTER_QUEUE_URL  = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
      SESBOUNCE_EMF                    = "true"
      SESBOUNCE_LOG_FORMAT             = "json"
      SESBOUNCE_METRICS_PORT           = "9464"
      SESBOUNCE_MIGRATE                = "false"
      SESBOUNCE_PROCESSES              = "1"
      SESBOUNCE_QUEUE_URL              = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
      SESBOUNCE_SES_SUPPRESSION_LIST   = "true"
      SESBOUNCE_SHUTDOWN_SECONDS       = "25"
      SESBOUNCE_STRIKES                = "5"
      SESBOUNCE_TOPIC_ARNS             = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
      SESBOUNCE_VISIBILITY_SECONDS     = "240"
      SESBOUNCE_WEBHOOKS               = jsonencode({ crm = { reasons = [], types = ["address.released"], url = "https://crm.example" } })
    }
    error_message = "The worker must be told of its queue, its topic and its database, and what the user says."
  }

  assert {
    condition = [for container in jsondecode(module.worker_service[0].container_definitions) : { for secret in container.secrets : secret.name => secret.valueFrom }] == [
      {
        SESBOUNCE_HASH_KEY        = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
        SESBOUNCE_WEBHOOK_SECRETS = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/webhooks"
      },
      { SESBOUNCE_DATABASE_PASSWORD = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf:password::" },
    ]
    error_message = "The worker must get the user's secrets by reference, and only the migration the master user's password."
  }

  assert {
    condition = (
      jsondecode(module.worker_service[0].container_definitions)[1].command == ["db", "upgrade", "--application-user", "sesbounce_worker", "--read-only-user", "sesbounce_reader"]
      && module.worker_service[0].task_policies == { database = output.database_worker_policy }
      && jsondecode(output.database_worker_policy).Statement[0].Resource == ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABCDEFGHIJKL/sesbounce_worker"]
    )
    error_message = "The migration must make the users, and the worker may connect as the one."
  }

  assert {
    condition     = [for statement in jsondecode(output.consumer_policy).Statement : statement.Sid] == ["ConsumeQueue", "CountDeadLetters", "KeepTheSuppressionListOfSes"]
    error_message = "What the worker is told to do it must be allowed."
  }

  # The server of the HTTP API.
  assert {
    condition = { for variable in jsondecode(module.api_service[0].container_definitions)[0].environment : variable.name => variable.value } == {
      SESBOUNCE_DATABASE_URL = "postgresql://sesbounce_worker@sesbounce.abc.eu-west-1.rds.amazonaws.com:5432/sesbounce?sslmode=verify-full&sslrootcert=rds"

      SESBOUNCE_DATABASE_PASSWORD_FROM = "rds-iam"
      SESBOUNCE_LOG_FORMAT             = "json"
      SESBOUNCE_MIGRATE                = "false"
      SESBOUNCE_QUEUE_URL              = "https://sqs.eu-west-1.amazonaws.com/123456789012/sesbounce-feedback"
      SESBOUNCE_SERVE_CONSOLE          = "true"
      SESBOUNCE_SERVE_HOST             = "0.0.0.0"
      SESBOUNCE_SERVE_PORT             = "8080"
      SESBOUNCE_SERVE_RATE             = "20"
      SESBOUNCE_SES_SUPPRESSION_LIST   = "true"
      SESBOUNCE_SHUTDOWN_SECONDS       = "25"
      SESBOUNCE_STRIKES                = "5"
      SESBOUNCE_TOPIC_ARNS             = "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback"
      SESBOUNCE_WEBHOOKS               = jsonencode({ crm = { reasons = [], types = ["address.released"], url = "https://crm.example" } })
    }
    error_message = "The server must have the worker's settings and database, so that a decision does what the worker does."
  }

  assert {
    condition = (
      { for secret in jsondecode(module.api_service[0].container_definitions)[0].secrets : secret.name => secret.valueFrom }
      == merge(
        { for secret in jsondecode(module.worker_service[0].container_definitions)[0].secrets : secret.name => secret.valueFrom },
        { SESBOUNCE_SERVE_SECRET = var.api.serve_secret_arn },
      )
      && contains(flatten([for statement in jsondecode(output.execution_policy).Statement : statement.Resource if statement.Sid == "ReadSecrets"]), var.api.serve_secret_arn)
    )
    error_message = "The server must have the worker's secrets and that of the console, which ECS may read, and not the master user's password."
  }

  assert {
    condition     = module.api_service[0].task_policies == { database = output.database_worker_policy, doctor = output.doctor_policy, dead-letters = output.dlq_operator_policy }
    error_message = "The server may connect to the database, examine the path and handle dead letters, and do nothing else."
  }

  assert {
    condition     = [for statement in jsondecode(output.execution_policy).Statement : statement.Resource if statement.Sid == "WriteLog"] == [[for prefix in ["worker", "api"] : "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce:log-stream:${prefix}/*"]]
    error_message = "ECS must write the logs of both."
  }

  assert {
    condition     = output.api_service_name == "sesbounce-api" && jsondecode(module.api_service[0].container_definitions)[0].image == var.worker_image
    error_message = "The service must run the worker's image."
  }
}

run "topics_that_the_worker_believes" {
  command = plan

  variables {
    identities       = { "example.com" = {} }
    extra_topic_arns = ["arn:aws:sns:us-east-1:123456789012:sesbounce-feedback", "arn:aws:sns:eu-west-1:210987654321:SESBounce"]
    worker_image     = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition = { for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name => variable.value }["SESBOUNCE_TOPIC_ARNS"] == join(",", [
      "arn:aws:sns:eu-west-1:123456789012:sesbounce-feedback",
      "arn:aws:sns:eu-west-1:210987654321:SESBounce",
      "arn:aws:sns:us-east-1:123456789012:sesbounce-feedback",
    ])
    error_message = "The worker must believe the own topic and the extra ones."
  }
}

run "topic_and_queue_that_exist" {
  command = plan

  variables {
    identities           = { "example.com" = {} }
    configuration_sets   = { newsletter = {} }
    existing_topic_arn   = "arn:aws:sns:eu-west-1:123456789012:SESBounce"
    existing_queue       = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS" }
    consumer_may_redrive = true
    worker_image         = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    github               = { repository = "acme/mail" }
  }

  override_resource {
    override_during = plan
    target          = module.feedback_queue.module.topic.aws_sqs_queue.subscription_dlq
    values          = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS-subscription-dlq" }
  }

  assert {
    condition     = output.identity_names == toset(["example.com"]) && output.configuration_set_names == toset(["newsletter"])
    error_message = "SES must be connected to the topic that exists."
  }

  assert {
    condition = [for statement in jsondecode(output.consumer_policy).Statement : "${statement.Sid} ${join(" ", statement.Resource)}"] == [
      "ConsumeQueue arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS",
      "RedriveFromDeadLetterQueues arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS-subscription-dlq",
      "RedriveToTheQueue arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS",
      "FindTheSubscriptionsDeadLetterQueue arn:aws:sns:eu-west-1:123456789012:SESBounce arn:aws:sns:eu-west-1:123456789012:SESBounce:*",
    ]
    error_message = "The consumer must be allowed the queue that exists."
  }

  assert {
    condition = { for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name => variable.value if contains(["SESBOUNCE_QUEUE_URL", "SESBOUNCE_TOPIC_ARNS"], variable.name) } == {
      SESBOUNCE_QUEUE_URL  = "https://sqs.eu-west-1.amazonaws.com/123456789012/SESBounceSQS"
      SESBOUNCE_TOPIC_ARNS = "arn:aws:sns:eu-west-1:123456789012:SESBounce"
    }
    error_message = "The worker must read the queue that exists."
  }

  assert {
    condition     = !contains(output.alarm_names, "sesbounce-dlq") && contains(output.alarm_names, "sesbounce-subscription-dlq")
    error_message = "A dead-letter queue that is not there must not be watched."
  }

  assert {
    condition = { for statement in jsondecode(output.deploy_role_policies["feedback"]).Statement : statement.Sid => statement.Resource if contains(["Topics", "ExistingTopic", "Queues", "ExistingQueues"], statement.Sid) } == {
      Topics         = ["arn:aws:sns:eu-west-1:123456789012:sesbounce-alarms"]
      ExistingTopic  = ["arn:aws:sns:eu-west-1:123456789012:SESBounce"]
      Queues         = ["arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS-dlq", "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS-subscription-dlq"]
      ExistingQueues = ["arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS"]
    }
    error_message = "The deploy role must not change what exists."
  }

  assert {
    condition     = contains(jsondecode(output.permissions_boundary_policy).Statement[0].Resource, "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS")
    error_message = "Within the boundary, the worker must reach its queue."
  }
}

run "scheduled" {
  command = plan

  variables {
    identities              = { "example.com" = {} }
    worker_image            = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker                  = { mode = "scheduled", schedule = "rate(1 hour)" }
    database_url_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf"
  }

  assert {
    condition     = output.service_name == null && endswith(output.schedule_arn, ":schedule/sesbounce/sesbounce") && output.run_interval_seconds == 3600
    error_message = "There must be a schedule in place of a service."
  }

  assert {
    condition     = output.alarm_names == toset([for name in ["dlq", "subscription-dlq", "oldest-message", "no-run", "failed", "statement-refusals", "suspected-incidents", "sender-faults", "bounce-rate", "complaint-rate"] : "sesbounce-${name}"])
    error_message = "Runs must be watched, and no tasks."
  }

  # An alarm on a metric that the worker does not publish would never be raised, or always.
  assert {
    condition = length(setsubtract(
      module.monitoring[0].worker_metrics,
      split(",", { for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name => variable.value }["SESBOUNCE_EMF_METRICS"])
    )) == 0
    error_message = "Runs must publish what the alarms watch."
  }
}

run "raw_messages_name_no_topic" {
  command = plan

  variables {
    identities           = { "example.com" = {} }
    raw_message_delivery = true
    worker = {
      environment = {
        SESBOUNCE_DATABASE_URL           = "postgresql://app@db.internal/app"
        SESBOUNCE_DATABASE_PASSWORD_FROM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf:word::"
      }
      secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/5678"]
    }
    worker_image = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = !contains([for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name], "SESBOUNCE_TOPIC_ARNS")
    error_message = "A worker that believes named topics only would refuse every raw message."
  }

  assert {
    condition     = output.database_identifier == null
    error_message = "Beside a database given in worker.environment there must be no other."
  }

  assert {
    condition = { for name, policy in module.worker_service[0].task_policies : name => [for statement in jsondecode(policy).Statement : [statement.Action, statement.Resource]] } == {
      passwords = [
        [["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"]],
        [["kms:Decrypt"], ["arn:aws:kms:eu-west-1:123456789012:key/5678"]],
      ]
    }
    error_message = "The worker must be allowed to read the password that it is told to read."
  }
}

run "without_metrics_of_the_worker" {
  command = plan

  variables {
    identities   = { "example.com" = {} }
    worker_image = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    worker = {
      environment = { SESBOUNCE_EMF = "false" }
      secrets     = { SESBOUNCE_DATABASE_URL = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/url" }
    }
  }

  assert {
    condition     = output.database_identifier == null
    error_message = "Beside a database given in worker.secrets there must be no other."
  }

  assert {
    condition     = contains(output.alarm_names, "sesbounce-no-task") && !contains(output.alarm_names, "sesbounce-unhealthy")
    error_message = "What the worker does not tell must not be watched."
  }
}

run "database_of_the_user" {
  command = plan

  variables {
    identities              = { "example.com" = {} }
    worker_image            = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    database_url_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf"
    worker                  = { egress_tcp_ports = [443, 3306], egress_cidr_ipv4 = { 3306 = "10.0.0.0/16" } }
  }

  assert {
    condition     = length(jsondecode(module.worker_service[0].container_definitions)) == 1 && module.worker_service[0].task_policies == {}
    error_message = "The worker must migrate the user's database itself."
  }

  assert {
    condition     = output.database_identifier == null && output.database_url == null && output.database_password_secret == null
    error_message = "There must be no other database."
  }

  assert {
    condition = jsondecode(module.worker_service[0].container_definitions)[0].secrets == [
      { name = "SESBOUNCE_DATABASE_URL", valueFrom = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf" },
    ]
    error_message = "The worker must get the whole URL by reference."
  }
}

run "own_network" {
  command = plan

  variables {
    identities   = { "example.com" = {} }
    worker_image = "registry.example/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    database = {
      iam_authentication        = false
      client_security_group_ids = { office = "sg-office" }
    }
    network = {
      vpc_id              = "vpc-own"
      worker_subnet_ids   = ["subnet-c"]
      database_subnet_ids = ["subnet-d", "subnet-e"]

      worker_security_group_ids = ["sg-own"]
    }
    worker     = { log_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/9abc" }
    api        = { cloud_map_service_arn = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-utcrh6wavdkggqtk", client_security_group_ids = { shop = "sg-shop" }, console = true, serve_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:console-AbCdEf", dead_letters = "look" }
    monitoring = { alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:operators" }
  }

  assert {
    condition     = module.worker_service[0].vpc_id == "vpc-own" && module.worker_service[0].subnet_ids == tolist(["subnet-c"])
    error_message = "The worker must be in the given network."
  }

  assert {
    condition = (
      length(jsondecode(module.worker_service[0].container_definitions)) == 1
      && jsondecode(module.worker_service[0].container_definitions)[0].secrets == []
      && { for variable in jsondecode(module.worker_service[0].container_definitions)[0].environment : variable.name => variable.value if contains(["SESBOUNCE_DATABASE_PASSWORD_FROM", "SESBOUNCE_MIGRATE"], variable.name) } == {
        SESBOUNCE_DATABASE_PASSWORD_FROM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf"
        SESBOUNCE_MIGRATE                = "true"
      }
      && jsondecode(module.worker_service[0].task_policies["database"]).Statement[0].Sid == "ReadThePassword"
    )
    error_message = "Without IAM authentication, the worker must migrate, and read the password at each connection."
  }

  assert {
    condition     = length(module.worker_service[0].security_group_ids) == 2 && module.worker_service[0].security_group_ids[1] == "sg-own"
    error_message = "The worker must have the given groups."
  }

  assert {
    condition = (
      module.api_service[0].task_policies == merge(module.worker_service[0].task_policies, { dead-letters = output.dlq_viewer_policy })
      && length(module.api_service[0].security_group_ids) == 2 && module.api_service[0].security_group_ids[1] == "sg-own"
    )
    error_message = "The server must read the password of its database, and reach it, as the worker does, and may look at dead letters."
  }

  assert {
    condition = (
      output.alarm_topic_arn == var.monitoring.alarm_topic_arn
      && output.alarm_topic_policy == null
      && jsondecode(output.alarm_topic_statement).Resource == var.monitoring.alarm_topic_arn
      && can(jsondecode(output.log_kms_key_statement).Principal.Service)
    )
    error_message = "The alarms must reach the given topic, and somebody hears them there; the user must learn what its policy and the key's must say."
  }
}

run "encrypted_with_a_key" {
  command = plan

  variables {
    identities           = { "example.com" = {} }
    create_kms_key       = true
    count_dead_letters   = true
    consumer_may_redrive = true
  }

  assert {
    condition     = [for statement in jsondecode(output.consumer_policy).Statement : statement.Sid] == ["ConsumeQueue", "ReadEncryptedMessages", "CountDeadLetters", "RedriveFromDeadLetterQueues", "RedriveToTheQueue", "FindTheSubscriptionsDeadLetterQueue"]
    error_message = "The consumer must be able to read what the key encrypts, and to redrive."
  }
}

run "queue_only" {
  command = plan

  variables {
    identities = { "example.com" = {} }
    worker     = null
    monitoring = null
    tags       = { application = "mailer" }
  }

  assert {
    condition     = local.default_tags == { ManagedBy = "Terraform" }
    error_message = "A tag of the user must replace ours, whatever its case: AWS rejects both together."
  }

  assert {
    condition = alltrue([for absent in [
      output.repository_url, output.worker_image, output.worker_platform, output.cluster_name, output.service_name,
      output.task_definition_arn, output.task_role_arn, output.trust_policy, output.execution_policy, output.log_group_name,
      output.database_identifier, output.alarm_topic_arn, output.dashboard_name,
    ] : absent == null])
    error_message = "There must be nothing but the queue and who may consume it."
  }
}

run "queue_watched" {
  command = plan

  variables {
    identities = { "example.com" = {} }
    worker     = null
  }

  assert {
    condition     = output.alarm_names == toset(["sesbounce-dlq", "sesbounce-subscription-dlq", "sesbounce-oldest-message", "sesbounce-bounce-rate", "sesbounce-complaint-rate"])
    error_message = "Queues and reputation must be watched, and no worker."
  }
}

run "github" {
  command = plan

  variables {
    identities = { "example.com" = {} }
    topic_name = "SESBounce"
    queue_name = "SESBounceSQS"
    github     = { repository = "acme/mail", branches = [], environments = ["production"], state_bucket = "acme-state" }
  }

  assert {
    condition     = jsondecode(output.deploy_role_trust_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:acme/mail:environment:production"]
    error_message = "Only the environment's jobs may deploy."
  }

  assert {
    condition = (
      keys(output.deploy_role_policies) == ["database", "feedback", "network", "rights", "runs", "ses", "state", "watch", "worker"]
      && contains(jsondecode(output.deploy_role_policies.feedback).Statement[0].Resource, "arn:aws:sns:eu-west-1:123456789012:SESBounce")
      && contains(jsondecode(output.deploy_role_policies.feedback).Statement[2].Resource, "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS-dlq")
    )
    error_message = "The role must be about this stack, by all its names."
  }
}

run "configuration_set_alone" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
  }

  assert {
    condition     = length(output.identity_names) == 0
    error_message = "No identity is needed where configuration sets publish."
  }
}


run "dead_letters_without_a_queue" {
  command = plan

  variables {
    identities         = { "example.com" = {} }
    existing_queue     = { arn = "arn:aws:sqs:eu-west-1:123456789012:SESBounceSQS" }
    count_dead_letters = true
  }

  expect_failures = [var.count_dead_letters]
}

run "upper_case_name" {
  command = plan

  variables {
    name = "Acme"
  }

  expect_failures = [var.name, check.something_publishes]
}

run "name_with_underscore" {
  command = plan

  variables {
    name = "acme_mail"
  }

  expect_failures = [var.name, check.something_publishes]
}

run "mode_that_there_is_not" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
    worker             = { mode = "cron" }
  }

  expect_failures = [var.worker]
}

run "schedule_too_often" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
    worker             = { mode = "scheduled", schedule = "rate(4 minutes)" }
  }

  expect_failures = [var.worker]
}

run "tag_that_the_role_would_not_recognise" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
    github             = { repository = "acme/mail" }
    tags               = { application = "mailer" }
  }

  expect_failures = [var.tags]
}

run "tags_that_differ_by_their_case" {
  command = plan

  variables {
    configuration_sets = { newsletter = {} }
    tags               = { Team = "mail", team = "mail" }
  }

  expect_failures = [var.tags]
}

run "lambda" {
  command = plan

  variables {
    identities              = { "example.com" = {} }
    worker_package          = "versions.tf" # any file: nothing is uploaded
    database_url_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mail-url-AbCdEf"
    worker = {
      mode = "lambda"
      environment = {
        SESBOUNCE_STRIKE_OFF_DATABASE_PASSWORD_FROM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf:word::"
        SESBOUNCE_STRIKES                           = "5"
      }
      secrets  = { SESBOUNCE_HASH_KEY = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key" }
      function = { sweep_schedule = "rate(2 hours)" }
    }
  }

  assert {
    condition = (
      output.function_name == "sesbounce" && output.function_architecture == "arm64" && output.log_group_name == "/aws/lambda/sesbounce"
      && output.cluster_name == null && output.repository_url == null && output.worker_platform == null && output.database_identifier == null
    )
    error_message = "There must be a function, and nothing in ECS and RDS."
  }

  assert {
    condition     = local.visibility_timeout_seconds == 365 && module.worker_lambda[0].timeout_seconds == 60
    error_message = "The queue must hide messages for six times the function's timeout, and while Lambda gathers a batch."
  }

  assert {
    condition = {
      for name, value in module.worker_lambda[0].environment : name => value if !contains(["SESBOUNCE_EMF_METRICS", "SESBOUNCE_QUEUE_URL"], name)
      } == {
      SESBOUNCE_EMF        = "true"
      SESBOUNCE_LOG_FORMAT = "json"
      SESBOUNCE_STRIKES    = "5"

      SESBOUNCE_STRIKE_OFF_DATABASE_PASSWORD_FROM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf:word::"

      SESBOUNCE_TOPIC_ARNS = output.topic_arn
      SESBOUNCE_SECRETS = jsonencode({
        SESBOUNCE_DATABASE_URL = var.database_url_secret_arn
        SESBOUNCE_HASH_KEY     = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
      })
    }
    error_message = "The function must know its settings, and its secrets by their ARNs."
  }

  assert {
    condition     = [for statement in jsondecode(module.worker_lambda[0].policies.passwords).Statement : [statement.Action, statement.Resource]] == [[["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"]]]
    error_message = "The function must be allowed to look up the password of a database."
  }

  assert {
    condition     = module.worker_lambda[0].sweep_interval_seconds == 7200
    error_message = "The alarms must learn how often the function sweeps."
  }

  assert {
    condition = (
      setsubtract(output.alarm_names, [for alarm in ["dlq", "subscription-dlq", "oldest-message", "bounce-rate", "complaint-rate"] : "sesbounce-${alarm}"])
      == toset([for alarm in ["function-errors", "function-throttles", "failed", "statement-refusals", "suspected-incidents", "sender-faults"] : "sesbounce-${alarm}"])
    )
    error_message = "Alarms must watch the function, and no task."
  }
}

run "lambda_before_there_is_a_package" {
  command = plan

  variables {
    identities              = { "example.com" = {} }
    database_url_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mail-url-AbCdEf"
    worker                  = { mode = "lambda" }
  }

  assert {
    condition     = output.function_name == null && output.event_source_mapping_id == null && output.function_architecture == "arm64" && !contains(output.alarm_names, "sesbounce-function-errors")
    error_message = "All must be there but the function."
  }
}

run "lambda_without_time_and_with_a_server" {
  command = plan

  variables {
    identities                 = { "example.com" = {} }
    database_url_secret_arn    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mail-url-AbCdEf"
    worker                     = { mode = "lambda" }
    visibility_timeout_seconds = 364

    api = { target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4", client_security_group_ids = { load_balancer = "sg-balancer" } }
  }

  expect_failures = [var.visibility_timeout_seconds, var.api]
}

run "a_console_whose_tasks_share_no_secret" {
  command = plan

  variables {
    identities = { "example.com" = {} }

    api = { target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4", client_security_group_ids = { load_balancer = "sg-balancer" }, console = true }
  }

  expect_failures = [var.api]
}

run "rights_without_a_console" {
  command = plan

  variables {
    identities = { "example.com" = {} }

    api = { target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/sesbounce/209a844cd01825a4", client_security_group_ids = { load_balancer = "sg-balancer" }, dead_letters = "look" }
  }

  expect_failures = [var.api]
}

run "lambda_without_a_database" {
  command = plan

  variables {
    identities = { "example.com" = {} }
    worker     = { mode = "lambda" }
  }

  expect_failures = [var.worker]
}
