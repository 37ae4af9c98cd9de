# For aurora only. Functions reach the internet over IPv6, which costs nothing, or through a NAT gateway.

locals {
  first_zones  = [for zones in data.aws_availability_zones.this[*].names : slice(zones, 0, 2)]
  zones        = local.is_aurora ? coalescelist(coalesce(var.availability_zones, []), flatten(local.first_zones)) : []
  has_nat      = local.is_aurora && var.internet == "nat"
  is_ipv6_only = local.is_aurora && var.internet == "ipv6"
}

data "aws_availability_zones" "this" {
  count = local.is_aurora && var.availability_zones == null ? 1 : 0

  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11: flow logs are paid by the gigabyte; turn them on where you have to
  count = local.is_aurora ? 1 : 0

  cidr_block                       = var.vpc_cidr
  assign_generated_ipv6_cidr_block = true
  enable_dns_support               = true
  enable_dns_hostnames             = true
  tags                             = { Name = var.name }
}

# Without any rule, so that nothing can use it by oversight.
resource "aws_default_security_group" "this" {
  count = local.is_aurora ? 1 : 0

  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "private" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, count.index)
  ipv6_cidr_block   = cidrsubnet(aws_vpc.this[0].ipv6_cidr_block, 8, count.index)
  tags              = { Name = "${var.name}-private-${local.zones[count.index]}" }
}

resource "aws_egress_only_internet_gateway" "this" {
  count = local.is_aurora ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

resource "aws_route_table" "private" {
  count = local.is_aurora ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  count = length(local.zones)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_route" "ipv6" {
  count = local.is_aurora ? 1 : 0

  route_table_id              = aws_route_table.private[0].id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.this[0].id
}

resource "aws_security_group" "functions" {
  count = local.is_aurora ? 1 : 0

  name        = "${var.name}-functions"
  description = "Functions: to the database, and by HTTPS to anywhere"
  vpc_id      = aws_vpc.this[0].id
}

resource "aws_security_group" "database" {
  count = local.is_aurora ? 1 : 0

  name        = "${var.name}-database"
  description = "Database: from the functions only"
  vpc_id      = aws_vpc.this[0].id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  count = local.is_aurora ? 1 : 0

  description                  = "Postgres, from the functions"
  security_group_id            = aws_security_group.database[0].id
  referenced_security_group_id = aws_security_group.functions[0].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "database" {
  count = local.is_aurora ? 1 : 0

  description                  = "Postgres"
  security_group_id            = aws_security_group.functions[0].id
  referenced_security_group_id = aws_security_group.database[0].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "https_ipv6" {
  count = local.is_aurora ? 1 : 0

  description       = "Models, webhooks and AWS, by HTTPS"
  security_group_id = aws_security_group.functions[0].id
  cidr_ipv6         = "::/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "https_ipv4" {
  count = local.has_nat ? 1 : 0

  description       = "Models, webhooks and AWS, by HTTPS"
  security_group_id = aws_security_group.functions[0].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# One NAT gateway, in one zone: two would cost twice as much.

resource "aws_internet_gateway" "this" {
  count = local.has_nat ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

resource "aws_subnet" "public" {
  count = local.has_nat ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[0]
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, 15)
  tags              = { Name = "${var.name}-public" }
}

resource "aws_route_table" "public" {
  count = local.has_nat ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  count = local.has_nat ? 1 : 0

  subnet_id      = aws_subnet.public[0].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route" "public" {
  count = local.has_nat ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_eip" "nat" {
  count = local.has_nat ? 1 : 0

  domain = "vpc"
  tags   = { Name = var.name }
}

resource "aws_nat_gateway" "this" {
  count = local.has_nat ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }

  depends_on = [aws_route.public]
}

resource "aws_route" "nat" {
  count = local.has_nat ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}
