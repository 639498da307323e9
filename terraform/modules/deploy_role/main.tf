locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : startswith(var.region, "eusc-") ? "aws-eusc" : "aws"
  host      = "token.actions.githubusercontent.com"

  provider_arn = var.oidc_provider_arn == null ? one(aws_iam_openid_connect_provider.this[*].arn) : var.oidc_provider_arn

  # GitHub's tokens name the repository in one of two forms. Repositories created since July 2026, and
  # older ones that have opted in, add the ids, which nobody gets by taking over a name.
  parts_of_name = split("/", var.repository)
  repositories = concat(
    [var.repository],
    var.repository_id == null ? [] : ["${local.parts_of_name[0]}@${var.owner_id}/${local.parts_of_name[1]}@${var.repository_id}"],
  )

  subjects = flatten([
    for repository in local.repositories : [
      [for branch in sort(var.branches) : "repo:${repository}:ref:refs/heads/${branch}"],
      [for environment in sort(var.environments) : "repo:${repository}:environment:${environment}"],
    ]
  ])
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-deploy"
  path                 = var.path
  description          = "GitHub's workflows deploy the stack ${var.name} with this role."
  permissions_boundary = var.permissions_boundary
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
  # checkov:skip=CKV_AWS_286: the role gives rights within the boundary only.
  for_each = local.policies

  name        = "${var.name}-deploy-${each.key}"
  path        = var.path
  description = "Deploy the stack ${var.name}: ${each.key}."
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })
  tags        = var.tags

  lifecycle {
    precondition {
      condition     = length(jsonencode({ Version = "2012-10-17", Statement = each.value })) <= 6144
      error_message = "The policy ${each.key} has more than 6,144 characters, which IAM does not accept. It names each identity and configuration set: use fewer in one stack, for example domains in place of their addresses."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.this

  role       = aws_iam_role.this.name
  policy_arn = each.value.arn
}
