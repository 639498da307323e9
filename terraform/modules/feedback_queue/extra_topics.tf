# The topics of other regions and accounts that send to the queue.

locals {
  extra_topic_arns  = sort(var.extra_topic_arns)
  extra_account_ids = distinct([for arn in local.extra_topic_arns : split(":", arn)[4]])

  # Regions that every account has. In a later one, SNS has another name for what it sends to or from
  # another region: https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html, which counts
  # ap-northeast-3 among the later ones.
  regions_of_all = [
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
  ]
  queue_region = split(":", local.queue_arns[local.queue_name])[3]

  # SNS, by each name that it has for these topics and this queue.
  extra_senders = distinct(concat(["sns.amazonaws.com"], flatten([
    for region in sort(distinct([for arn in local.extra_topic_arns : split(":", arn)[3]])) : [
      for opt_in in [region, local.queue_region] : "sns.${opt_in}.amazonaws.com"
      if region != local.queue_region && local.here.partition == "aws" && !contains(local.regions_of_all, opt_in)
    ]
  ])))
}
