# What `sesbounce doctor` calls, without Terraform's state and without IAM's policy simulator, which shows the
# rights of others. All of it only looks.

locals {
  queue = split(":", var.queue_arn)

  # ARNs of a service beside the queue.
  beside = "arn:${local.queue[1]}:%s:${local.queue[3]}:${local.queue[4]}"

  doctor = concat(
    [
      {
        Sid      = "SeeQueues"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes"]
        Resource = concat([var.queue_arn], var.dlq_arns)
      },
      {
        Sid      = "SeeConfigurationSets"
        Effect   = "Allow"
        Action   = ["ses:GetConfigurationSet", "ses:GetConfigurationSetEventDestinations"]
        Resource = ["${format(local.beside, "ses")}:configuration-set/*"] # the doctor finds those that publish to the topic
      },
      {
        Sid    = "SeeSes"
        Effect = "Allow"
        Action = [
          "ses:GetAccount", "ses:ListIdentities", "ses:GetIdentityVerificationAttributes", "ses:GetIdentityDkimAttributes",
          "ses:GetIdentityMailFromDomainAttributes", "ses:GetIdentityNotificationAttributes",
          "ses:ListConfigurationSets", "ses:ListRecommendations",
        ]
        Resource = ["*"] # IAM has no resource type for version 1 of SES's API, nor for the account and its lists
      },
      {
        Sid      = "SeeMetrics"
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData"]
        Resource = ["*"] # IAM has no resource type for metrics
      },
    ],
    [for topics in [concat(var.topic_arns, var.extra_topic_arns)] : {
      Sid      = "SeeTopics"
      Effect   = "Allow"
      Action   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
      Resource = flatten([for arn in topics : [arn, "${arn}:*"]])
    } if length(topics) > 0],
    var.kms_key_arn == null ? [] : [
      {
        Sid      = "SeeKey"
        Effect   = "Allow"
        Action   = ["kms:DescribeKey", "kms:GetKeyPolicy"]
        Resource = [var.kms_key_arn]
      },
    ],
  )
}
