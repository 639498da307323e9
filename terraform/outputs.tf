output "topic_arn" {
  description = "ARN of the SNS topic that SES publishes to."
  value       = module.feedback_queue.topic_arn
}

output "topic_name" {
  description = "Name of the SNS topic."
  value       = module.feedback_queue.topic_name
}

output "topic_policy" {
  description = "Policy of the topic that Terraform creates, in JSON; null for one that exists."
  value       = module.feedback_queue.topic_policy
}

output "topic_statements" {
  description = "Statements that the policy of an existing topic must contain, in JSON."
  value       = module.feedback_queue.topic_statements
}

output "extra_topic_arns" {
  description = "ARNs of the topics of other regions or accounts whose messages the queue accepts."
  value       = module.feedback_queue.extra_topic_arns
}

output "queue_arn" {
  description = "ARN of the SQS queue that the worker reads."
  value       = module.feedback_queue.queue_arn
}

output "queue_name" {
  description = "Name of the SQS queue."
  value       = module.feedback_queue.queue_name
}

output "queue_url" {
  description = "URL of the SQS queue, for the worker's `SESBOUNCE_QUEUE_URL`."
  value       = module.feedback_queue.queue_url
}

output "queue_policy" {
  description = "Policy of the queue that Terraform creates, in JSON; null for one that exists."
  value       = module.feedback_queue.queue_policy
}

output "queue_statements" {
  description = "Statements that the policy of an existing queue must contain, in JSON."
  value       = module.feedback_queue.queue_statements
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue, which receives the messages that the worker could not handle; null without one."
  value       = module.feedback_queue.dlq_arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue; null without one."
  value       = module.feedback_queue.dlq_url
}

output "dlq_policy" {
  description = "Policy of the dead-letter queue that Terraform creates, in JSON; null without one."
  value       = module.feedback_queue.dlq_policy
}

output "subscription_arn" {
  description = "ARN of the queue's subscription to the topic."
  value       = module.feedback_queue.subscription_arn
}

output "subscription_dlq_arn" {
  description = "ARN of the subscription's dead-letter queue, which receives the messages that SNS could not deliver."
  value       = module.feedback_queue.subscription_dlq_arn
}

output "subscription_dlq_url" {
  description = "URL of the subscription's dead-letter queue."
  value       = module.feedback_queue.subscription_dlq_url
}

output "subscription_dlq_policy" {
  description = "Policy of the subscription's dead-letter queue that Terraform creates, in JSON; null for one that exists."
  value       = module.feedback_queue.subscription_dlq_policy
}

output "identity_names" {
  description = "SES identities that publish to the topic."
  value       = module.feedback_queue.identity_names
}

output "configuration_set_names" {
  description = "SES configuration sets that publish to the topic."
  value       = module.feedback_queue.configuration_set_names
}

output "dns_records" {
  description = "DNS records of each domain that Terraform creates: DKIM, by which SES also verifies the domain; MX and SPF of its MAIL FROM domain; a DMARC policy to begin with. `created`: whether Terraform creates the record in Route 53."
  value       = module.feedback_queue.dns_records
}

output "domain_verification_tokens" {
  description = "With `ses_api = \"v1\"` only: value of the TXT record `_amazonses.<domain>` for each domain that Terraform creates. SES sends for the domain once its DNS has the record."
  value       = module.feedback_queue.domain_verification_tokens
}

output "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the topic and the queues; null if SQS manages the keys."
  value       = module.feedback_queue.kms_key_arn
}

output "kms_key_policy" {
  description = "Policy of the KMS key that Terraform creates, in JSON; null without one."
  value       = module.feedback_queue.kms_key_policy
}

output "kms_key_statements" {
  description = "Statements that the policy of your own KMS key must contain, in JSON."
  value       = module.feedback_queue.kms_key_statements
}

output "consumer_policy_arn" {
  description = "ARN of the policy that lets the worker consume the queue."
  value       = module.queue_consumer.policy_arn
}

output "consumer_policy" {
  description = "Policy of the consumer, in JSON."
  value       = module.queue_consumer.policy_json
}

output "dlq_operator_policy" {
  description = "Policy for the role of a person, in JSON, who handles dead letters (`sesbounce dlq`)."
  value       = module.queue_consumer.operator_policy
}

output "dlq_viewer_policy" {
  description = "Policy for the role of a person, in JSON, who looks at dead letters (`sesbounce dlq list`, `show`) and changes none."
  value       = module.queue_consumer.viewer_policy
}

output "doctor_policy" {
  description = "Policy for the role of a person, in JSON, who runs `sesbounce doctor`."
  value       = module.queue_consumer.doctor_policy
}

output "consumer_user_name" {
  description = "Name of the consumer's IAM user; null without one."
  value       = module.queue_consumer.user_name
}

output "consumer_user_arn" {
  description = "ARN of the consumer's IAM user; null without one."
  value       = module.queue_consumer.user_arn
}

output "consumer_access_key_id" {
  description = "ID of the consumer's access key; null without one."
  value       = module.queue_consumer.access_key_id
  sensitive   = true
}

output "consumer_encrypted_secret_access_key" {
  description = "Secret of the consumer's access key, encrypted with `access_key_pgp_key`, in base64; null without one."
  value       = module.queue_consumer.encrypted_secret_access_key
  sensitive   = true
}

output "repository_url" {
  description = "URL of the ECR repository for the worker's image; null without a repository."
  value       = one(module.worker_service[*].repository_url)
}

output "worker_image" {
  description = "Image that the worker runs, by digest; null without a service."
  value       = one(module.worker_service[*].image)
}

output "worker_platform" {
  description = "Platform that the image must be built for, for example `linux/arm64`; null without a worker."
  value       = one(module.worker_service[*].platform)
}

output "cluster_name" {
  description = "Name of the worker's ECS cluster; null without a worker."
  value       = one(module.worker_service[*].cluster_name)
}

output "service_name" {
  description = "Name of the worker's ECS service; null without an image."
  value       = one(module.worker_service[*].service_name)
}

output "api_service_name" {
  description = "Name of the ECS service of the HTTP API; null without one."
  value       = one(module.api_service[*].service_name)
}

output "api_task_definition_arn" {
  description = "ARN of the task definition of the HTTP API; null without a service."
  value       = one(module.api_service[*].task_definition_arn)
}

output "api_security_group_id" {
  description = "ID of the security group of the HTTP API; null without it."
  value       = one(module.api_service[*].security_group_id)
}

output "schedule_arn" {
  description = "ARN of the schedule that starts the worker; null without one."
  value       = one(module.worker_service[*].schedule_arn)
}

output "run_interval_seconds" {
  description = "Number of seconds between two runs of the schedule, a day for a `cron(…)`; null without a schedule."
  value       = one(module.worker_service[*].run_interval_seconds)
}

output "schedule_policy" {
  description = "Policy of the role with which EventBridge Scheduler starts the worker, in JSON; null without a schedule."
  value       = one(module.worker_service[*].schedule_policy)
}

output "schedule_trust_policy" {
  description = "Trust policy of that role, in JSON; null without a schedule."
  value       = one(module.worker_service[*].schedule_trust_policy)
}

output "function_name" {
  description = "Name of the worker's function in AWS Lambda; null without one."
  value       = one(module.worker_lambda[*].function_name)
}

output "function_architecture" {
  description = "Architecture that the function's package must be built for, `arm64` or `x86_64`; null unless `worker.mode` is `lambda`."
  value       = one(module.worker_lambda[*].architecture)
}

output "event_source_mapping_id" {
  description = "ID of the event source mapping, which gives the function the messages of the queue; null without a function."
  value       = one(module.worker_lambda[*].event_source_mapping_id)
}

output "function_policy" {
  description = "Policy of the function's role beside that of the consumer, in JSON; null without a function."
  value       = one(module.worker_lambda[*].function_policy)
}

output "function_trust_policy" {
  description = "Trust policy of the function's role, in JSON; null without a function."
  value       = one(module.worker_lambda[*].trust_policy)
}

output "sweep_arn" {
  description = "ARN of the schedule by which the function sweeps; null without a function."
  value       = one(module.worker_lambda[*].sweep_arn)
}

output "sweep_policy" {
  description = "Policy of the role with which EventBridge Scheduler calls the function, in JSON; null without a function."
  value       = one(module.worker_lambda[*].sweep_policy)
}

output "sweep_trust_policy" {
  description = "Trust policy of that role, in JSON; null without a function."
  value       = one(module.worker_lambda[*].sweep_trust_policy)
}

output "task_definition_arn" {
  description = "ARN of the worker's task definition; null without an image."
  value       = one(module.worker_service[*].task_definition_arn)
}

output "task_role_arn" {
  description = "ARN of the worker's role; null without a worker."
  value       = one(concat(module.worker_service[*].task_role_arn, module.worker_lambda[*].role_arn))
}

output "trust_policy" {
  description = "Trust policy of the worker's role and of the role that ECS uses, in JSON; null without a worker."
  value       = one(module.worker_service[*].trust_policy)
}

output "execution_policy" {
  description = "Policy of the role with which ECS starts the worker, in JSON; null without a worker."
  value       = one(module.worker_service[*].execution_policy)
}

output "log_group_name" {
  description = "Name of the worker's log group; null without a worker."
  value       = one(concat(module.worker_service[*].log_group_name, module.worker_lambda[*].log_group_name))
}

output "log_kms_key_statement" {
  description = "Statement that the policy of your own KMS key for the log must contain, in JSON; null without a worker."
  value       = one(concat(module.worker_service[*].log_kms_key_statement, module.worker_lambda[*].log_kms_key_statement))
}

output "database_identifier" {
  description = "Name of the database instance; null without one."
  value       = one(module.database[*].identifier)
}

output "database_url" {
  description = "URL of the database with the worker's user, who has no password: see `SESBOUNCE_DATABASE_PASSWORD_FROM`; null without a database."
  value       = one(module.database[*].url)
}

output "database_reader_url" {
  description = "URL of the database with the user who may only read, for people and dashboards; null without a database or without IAM authentication."
  value       = one(module.database[*].reader_url)
}

output "database_reader_policy" {
  description = "Policy, in JSON, that lets a role of yours connect as the user who may only read; null without a database or without IAM authentication."
  value       = one(module.database[*].reader_policy)
}

output "database_worker_policy" {
  description = "Policy, in JSON, with which the worker's role connects to the database; null without a database."
  value       = one(module.database[*].application_policy)
}

output "database_password_secret" {
  description = "Reference to the password of the database's master user for a task definition: the ARN of the secret and the key in it; null without a database."
  value       = one(module.database[*].password_secret)
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic to which CloudWatch publishes the alarms; null without monitoring."
  value       = one(module.monitoring[*].topic_arn)
}

output "alarm_topic_policy" {
  description = "Policy of that topic, in JSON; null without monitoring and with a topic of your own."
  value       = one(module.monitoring[*].topic_policy)
}

output "alarm_topic_statement" {
  description = "Statement that the policy of your own topic for the alarms must contain, in JSON; null without monitoring."
  value       = one(module.monitoring[*].topic_statement)
}

output "alarm_names" {
  description = "Names of the alarms; null without monitoring."
  value       = one(module.monitoring[*].alarm_names)
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard; null without one."
  value       = one(module.monitoring[*].dashboard_name)
}

output "deploy_role_arn" {
  description = "ARN of the role with which GitHub's workflows deploy; null without one."
  value       = one(module.deploy_role[*].role_arn)
}

output "deploy_role_trust_policy" {
  description = "Trust policy of that role, in JSON; null without one."
  value       = one(module.deploy_role[*].trust_policy)
}

output "deploy_role_policies" {
  description = "Policies of that role, in JSON, by part of the stack; null without one."
  value       = one(module.deploy_role[*].policies)
}

output "permissions_boundary" {
  description = "ARN of the permissions boundary of the stack's roles and its user; null without one. Set it also on a role of yours that has the policy `consumer_policy_arn`, if GitHub deploys the stack."
  value       = local.permissions_boundary
}

output "permissions_boundary_policy" {
  description = "The boundary that Terraform creates, in JSON; null without one."
  value       = one(module.deploy_role[*].boundary_policy)
}
