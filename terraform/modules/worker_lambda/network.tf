resource "aws_security_group" "this" {
  count = var.vpc_id == null ? 0 : 1

  name        = "${var.name}-function"
  description = "The function: it reaches out, nothing reaches it."
  vpc_id      = var.vpc_id
  tags        = var.tags
}

locals {
  egress = merge([
    for port in var.vpc_id == null ? [] : [for port in var.egress_tcp_ports : tostring(port)] : merge(
      { "${port}-ipv4" = { port = port, ipv4 = lookup(var.egress_cidr_ipv4, port, "0.0.0.0/0"), ipv6 = null } },
      # A port with a range of IPv4 addresses leads nowhere else.
      var.ipv6 && !contains(keys(var.egress_cidr_ipv4), port) ? { "${port}-ipv6" = { port = port, ipv4 = null, ipv6 = "::/0" } } : {},
    )
  ]...)
}

# By default to any address: AWS's endpoints have no fixed addresses, and the database may be anywhere.
resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.egress

  security_group_id = aws_security_group.this[0].id
  description       = each.value.port == "443" ? "AWS" : "The database"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value.port)
  to_port           = tonumber(each.value.port)
  cidr_ipv4         = each.value.ipv4
  cidr_ipv6         = each.value.ipv6
  tags              = var.tags
}
