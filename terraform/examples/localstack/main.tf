# The queue in a LocalStack on this machine; `python -m scripts.local.localstack start` prints its URL.

provider "aws" {
  region     = "us-east-1"
  access_key = "test"
  secret_key = "test"

  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true

  endpoints {
    iam = var.endpoint
    ses = var.endpoint
    sns = var.endpoint
    sqs = var.endpoint
    sts = var.endpoint
  }
}

module "feedback_queue" {
  source = "../../modules/feedback_queue"

  name               = "example"
  identities         = { "sender@example.com" = { create = true } }
  configuration_sets = { example = { create = true } }
  feedback_types     = ["Bounce", "Complaint", "Delivery"]
  ses_api            = "v1" # LocalStack without a licence has no other
}

module "queue_consumer" {
  source = "../../modules/queue_consumer"

  name        = "example-consumer"
  queue_arn   = module.feedback_queue.queue_arn
  create_user = true
}
