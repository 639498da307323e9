locals {
  default_network = var.vpc_id == null ? 1 : 0

  egress_tcp_ports = [for port in(
    var.egress_tcp_ports != null ? var.egress_tcp_ports : length(var.egress_security_groups) == 0 ? toset([443, 5432]) : toset([443])
  ) : tostring(port)]

  vpc_id     = var.vpc_id == null ? one(data.aws_vpc.default[*].id) : var.vpc_id
  subnet_ids = var.subnet_ids == null ? one(data.aws_subnets.default[*].ids) : var.subnet_ids

  security_group_ids = concat([aws_security_group.this.id], var.security_group_ids)
}

data "aws_vpc" "default" {
  count = local.default_network

  default = true
}

data "aws_subnets" "default" {
  count = local.default_network

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default[0].id]
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5: each task has it, by local.security_group_ids, which checkov does not follow.
  name        = "${var.name}-worker"
  description = "The worker: it reaches out, nothing reaches it."
  vpc_id      = local.vpc_id
  tags        = var.tags
}

# By default to any address: AWS's endpoints have no fixed ones, and the database may be anywhere. Names
# need no rule: the VPC's own resolver answers, which security groups do not reach.
resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = toset(local.egress_tcp_ports)

  security_group_id = aws_security_group.this.id
  description       = each.value == "443" ? "AWS" : "The database"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
  cidr_ipv4         = lookup(var.egress_cidr_ipv4, each.value, "0.0.0.0/0")
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "to_group" {
  for_each = var.egress_security_groups

  security_group_id            = aws_security_group.this.id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = each.value.id
  tags                         = var.tags
}
