locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  host      = "token.actions.githubusercontent.com"

  provider_arn = var.oidc_provider_arn == null ? one(aws_iam_openid_connect_provider.this[*].arn) : var.oidc_provider_arn

  subjects = concat(
    [for branch in sort(var.branches) : "repo:${var.repository}:ref:refs/heads/${branch}"],
    [for environment in sort(var.environments) : "repo:${var.repository}:environment:${environment}"],
  )
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-deploy"
  description          = "GitHub's workflows deploy the stack ${var.name} with this role."
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WorkflowsOfTheRepository"
        Effect    = "Allow"
        Principal = { Federated = local.provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.host}:aud" = "sts.amazonaws.com"
            "${local.host}:sub" = local.subjects
          }
        }
      },
    ]
  })
}

resource "aws_iam_policy" "this" {
  # checkov:skip=CKV_AWS_289: the stack contains roles and policies, so the deploy role must manage them: only those with the stack's names, and never its own.
  # checkov:skip=CKV_AWS_290: policies.tf gives the reason for each statement that is not confined to a name.
  # checkov:skip=CKV_AWS_355: as above.
  # checkov:skip=CKV_AWS_286: everybody who may deploy code that runs with a role has that role's rights anyway; see the README.
  for_each = local.policies

  name        = "${var.name}-deploy-${each.key}"
  description = "Deploy the stack ${var.name}: ${each.key}."
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.this

  role       = aws_iam_role.this.name
  policy_arn = each.value.arn
}
