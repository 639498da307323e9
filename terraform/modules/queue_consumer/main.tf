locals {
  # What shows dead letters, and changes none.
  look = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]

  find_subscription = length(var.topic_arns) == 0 ? [] : [
    {
      Sid      = "FindTheSubscriptionsDeadLetterQueue"
      Effect   = "Allow"
      Action   = ["sns:ListSubscriptionsByTopic", "sns:GetSubscriptionAttributes"]
      Resource = flatten([for arn in var.topic_arns : [arn, "${arn}:*"]]) # the ARN of a subscription begins with that of its topic
    },
  ]

  # What `sesbounce dlq` calls.
  redrive = concat(
    [
      {
        Sid    = "RedriveFromDeadLetterQueues"
        Effect = "Allow"
        Action = concat(local.look, [
          "sqs:DeleteMessage",
          "sqs:StartMessageMoveTask",
          "sqs:ListMessageMoveTasks",
          "sqs:CancelMessageMoveTask",
        ])
        Resource = var.dlq_arns
      },
      {
        Sid      = "RedriveToTheQueue"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [var.queue_arn]
      },
    ],
    local.find_subscription,
  )

  # Those of a person, who has no other rights on the queue.
  of_person = { for who, part in {
    operator = { of_key = ["kms:Decrypt", "kms:GenerateDataKey"], on_letters = local.redrive }
    viewer = { of_key = ["kms:Decrypt"], on_letters = concat(
      [
        {
          Sid      = "LookIntoDeadLetterQueues"
          Effect   = "Allow"
          Action   = local.look
          Resource = var.dlq_arns
        },
      ],
      local.find_subscription,
    ) }
    } : who => concat(
    [
      {
        Sid      = "FindTheDeadLetterQueue"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes"]
        Resource = [var.queue_arn]
      },
    ],
    var.kms_key_arn == null ? [] : [
      {
        Sid      = "ReadEncryptedMessages"
        Effect   = "Allow"
        Action   = part.of_key
        Resource = [var.kms_key_arn]
      },
    ],
    part.on_letters,
  ) }

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
    length(var.counted_dlq_arns) == 0 ? [] : [
      {
        Sid      = "CountDeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes"]
        Resource = var.counted_dlq_arns
      },
    ],
    [for statement in local.redrive : statement if var.may_redrive],
    !var.may_update_suppression_list ? [] : [
      {
        Sid      = "KeepTheSuppressionListOfSes"
        Effect   = "Allow"
        Action   = ["ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"]
        Resource = ["*"] # the list is the account's; IAM has no resource type for it
      },
    ],
  )
}

resource "aws_iam_policy" "this" {
  # checkov:skip=CKV_AWS_290: IAM has no resource type for the account's suppression list.
  # checkov:skip=CKV_AWS_355: as above.
  name        = var.name
  path        = var.path
  description = "Consume one SQS queue, and nothing else that was not asked for."
  tags        = var.tags

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.statements
  })
}

resource "aws_iam_user" "this" {
  # checkov:skip=CKV_AWS_273: the user is optional and for a worker outside AWS; single sign-on is for people.
  count = var.create_user ? 1 : 0

  name                 = var.name
  path                 = var.path
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_user_policy_attachment" "this" {
  # checkov:skip=CKV_AWS_40: one user for one worker; a group with one member would hide its rights and not reduce them.
  count = var.create_user ? 1 : 0

  user       = aws_iam_user.this[0].name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_access_key" "this" {
  count = var.create_access_key ? 1 : 0

  user    = aws_iam_user.this[0].name
  pgp_key = var.access_key_pgp_key # without it, the state holds the secret: see secret_in_state
}
