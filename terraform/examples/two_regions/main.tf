# SES sends from two regions; the feedback of both reaches one queue, and so one worker and one database.

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "other"
  region = var.other_region
}

module "feedback_queue" {
  source = "../../modules/feedback_queue"

  identities       = { (var.identity) = {} }
  extra_topic_arns = [module.other_topic.topic_arn]
}

# SES publishes to topics of its own region only. The topic, its subscription and the subscription's
# dead-letter queue are there; the queue is here.
module "other_topic" {
  source    = "../../modules/feedback_topic"
  providers = { aws = aws.other }

  queue_arn        = module.feedback_queue.queue_arn
  identities       = { (var.identity) = {} }
  alarm_topic_arns = var.other_alarm_topic_arns
}

module "queue_consumer" {
  source = "../../modules/queue_consumer"

  queue_arn = module.feedback_queue.queue_arn
}
