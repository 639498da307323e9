resource "aws_iam_policy" "this" {
  name        = var.name
  description = "Receive and delete the messages of one SQS queue, and nothing else."
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ConsumeQueue"
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
        ]
        Resource = var.queue_arn
      },
    ]
  })
}

resource "aws_iam_user" "this" {
  count = var.create_user ? 1 : 0

  name = var.name
  tags = var.tags
}

resource "aws_iam_user_policy_attachment" "this" {
  count = var.create_user ? 1 : 0

  user       = aws_iam_user.this[0].name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_access_key" "this" {
  count = var.create_access_key ? 1 : 0

  user    = aws_iam_user.this[0].name
  pgp_key = var.access_key_pgp_key
}
