locals {
  egress_tcp_ports = [for port in(
    var.egress_tcp_ports != null ? var.egress_tcp_ports : length(var.egress_security_groups) == 0 ? toset([443, 5432]) : toset([443])
  ) : tostring(port)]

  security_group_ids = concat([aws_security_group.this.id], var.security_group_ids)
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5: each task has it, by local.security_group_ids, which checkov does not follow.
  name        = local.name
  description = "The HTTP API: only the named groups reach it."
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = each.key
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  tags                         = var.tags
}

# As the worker's: to any address by default, because AWS's endpoints have no fixed ones, and the database may
# be anywhere.
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
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  tags                         = var.tags
}
