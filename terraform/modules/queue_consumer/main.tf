locals {
  statements = concat(
    [
      {
        Sid    = "ConsumeQueue"
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
        ]
        Resource = [var.queue_arn]
      },
    ],
    var.kms_key_arn == null ? [] : [
      {
        Sid      = "ReadEncryptedMessages"
        Effect   = "Allow"
        Action   = concat(["kms:Decrypt"], var.may_redrive ? ["kms:GenerateDataKey"] : [])
        Resource = [var.kms_key_arn]
      },
    ],
    !var.may_redrive ? [] : [
      {
        Sid    = "RedriveFromDeadLetterQueues"
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
          "sqs:StartMessageMoveTask",
          "sqs:ListMessageMoveTasks",
          "sqs:CancelMessageMoveTask",
        ]
        Resource = var.dlq_arns
      },
      {
        Sid      = "RedriveToTheQueue"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [var.queue_arn]
      },
    ],
    !var.may_update_suppression_list ? [] : [
      {
        Sid      = "KeepTheSuppressionListOfSes"
        Effect   = "Allow"
        Action   = ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"]
        Resource = ["*"] # the list is the account's; IAM knows no resource for it
      },
    ],
  )
}

resource "aws_iam_policy" "this" {
  # checkov:skip=CKV_AWS_290: writing to the account's suppression list can't be confined to a resource.
  # checkov:skip=CKV_AWS_355: as above.
  name        = var.name
  description = "Consume one SQS queue, and nothing else that was not asked for."
  tags        = var.tags

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.statements
  })
}

resource "aws_iam_user" "this" {
  # checkov:skip=CKV_AWS_273: it is for a worker outside AWS, made on demand; single sign-on is for people.
  count = var.create_user ? 1 : 0

  name = var.name
  tags = var.tags
}

resource "aws_iam_user_policy_attachment" "this" {
  # checkov:skip=CKV_AWS_40: one user for one worker; a group of one would hide its rights, not lessen them.
  count = var.create_user ? 1 : 0

  user       = aws_iam_user.this[0].name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_access_key" "this" {
  count = var.create_access_key ? 1 : 0

  user    = aws_iam_user.this[0].name
  pgp_key = var.access_key_pgp_key
}
