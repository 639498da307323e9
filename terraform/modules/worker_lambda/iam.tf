locals {
  # The secrets' ARNs without the key and version that may follow them.
  secret_arns    = distinct([for arn in values(local.secrets) : join(":", slice(split(":", arn), 0, 7)) if strcontains(arn, ":secretsmanager:")])
  parameter_arns = distinct([for arn in values(local.secrets) : arn if strcontains(arn, ":ssm:")])

  # Lambda itself makes the network interfaces of a function in a VPC, with the function's role.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  network_actions = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]
}

# The function runs with this role.
resource "aws_iam_role" "function" {
  name                 = "${var.name}-function"
  path                 = var.path
  description          = "The function consumes its queue with this role."
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags

  # Lambda takes the role only for a function to which somebody in this account has passed it.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "FunctionsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = local.here.account_id } }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "function" {
  for_each = var.policy_arns

  role       = aws_iam_role.function.name
  policy_arn = each.value
}

resource "aws_iam_role_policy" "function" {
  # checkov:skip=CKV_AWS_290: EC2 can't confine a network interface that does not exist yet; only Lambda itself may use the statement.
  # checkov:skip=CKV_AWS_355: as above.
  name = "run-the-function"
  role = aws_iam_role.function.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${local.log_group_arn}:log-stream:*"]
        },
        # Lambda receives the messages for the function. Its calls carry no source function, and those of
        # the code do.
        # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
        {
          Sid       = "OnlyLambdaItself"
          Effect    = "Deny"
          Action    = concat(["sqs:*"], local.network_actions)
          Resource  = ["*"] # it denies, so the wider the better
          Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
        },
      ],
      length(local.secret_arns) == 0 ? [] : [
        {
          Sid      = "ReadSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = local.secret_arns
        },
      ],
      length(local.parameter_arns) == 0 ? [] : [
        {
          Sid      = "ReadParameters"
          Effect   = "Allow"
          Action   = ["ssm:GetParameters"]
          Resource = local.parameter_arns
        },
      ],
      length(var.secrets_kms_key_arns) == 0 ? [] : [
        {
          Sid      = "DecryptSecrets"
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = var.secrets_kms_key_arns
        },
      ],
      var.vpc_id == null ? [] : [
        {
          Sid      = "JoinTheVpc"
          Effect   = "Allow"
          Action   = local.network_actions
          Resource = ["*"] # Lambda demands it so, and checks it before there is an interface
        },
      ],
    )
  })
}

resource "aws_iam_role_policy" "further" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.function.name
  policy = each.value
}

# Scheduler calls the function with this role.
resource "aws_iam_role" "sweep" {
  name                 = "${var.name}-sweep"
  path                 = var.path
  description          = "EventBridge Scheduler calls the function with this role."
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ScheduleOfThisStack"
        Effect    = "Allow"
        Principal = { Service = "scheduler.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.here.account_id
            "aws:SourceArn"     = "arn:${local.here.partition}:scheduler:${local.here.region}:${local.here.account_id}:schedule-group/${var.name}-sweep"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "sweep" {
  name = "sweep"
  role = aws_iam_role.sweep.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "CallTheFunction"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [local.function_arn]
      },
    ]
  })
}
