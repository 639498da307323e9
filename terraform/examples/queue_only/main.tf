# The queue without the worker: your own Lambda function consumes it, and its role may do nothing else.

provider "aws" {
  region = var.region
}

module "feedback_queue" {
  source = "../../modules/feedback_queue"

  identities                 = { (var.identity) = {} }
  visibility_timeout_seconds = 180 # six times the function's timeout
}

module "queue_consumer" {
  source = "../../modules/queue_consumer"

  queue_arn = module.feedback_queue.queue_arn
}

resource "aws_iam_role_policy_attachment" "function" {
  role       = var.function_role_name
  policy_arn = module.queue_consumer.policy_arn
}

resource "aws_lambda_event_source_mapping" "function" {
  event_source_arn        = module.feedback_queue.queue_arn
  function_name           = var.function_name
  function_response_types = ["ReportBatchItemFailures"]

  depends_on = [aws_iam_role_policy_attachment.function]
}
