locals {
  aurora_database = "langgraph"
  aurora_user     = "langgraph"
  aurora_url      = local.is_aurora ? "postgres://${local.aurora_user}@${one(aws_rds_cluster.this[*].endpoint)}:5432/${local.aurora_database}?sslmode=verify-full" : null
}

data "aws_rds_engine_version" "this" {
  count = local.is_aurora && !strcontains(var.aurora_version, ".") ? 1 : 0

  engine       = "aurora-postgresql"
  version      = var.aurora_version
  default_only = true
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV_AWS_327: storage is encrypted with AWS' key for RDS; one of yours costs more than it keeps out
  #checkov:skip=CKV2_AWS_8: Aurora's own backups go back as far as aurora_backup_days says
  #checkov:skip=CKV2_AWS_27: queries have users' data in them, which does not belong into logs
  count = local.is_aurora ? 1 : 0

  cluster_identifier                  = var.name
  engine                              = "aurora-postgresql"
  engine_version                      = coalesce(one(data.aws_rds_engine_version.this[*].version_actual), var.aurora_version)
  database_name                       = local.aurora_database
  master_username                     = "postgres"
  manage_master_user_password         = true # in Secrets Manager; no function knows it
  iam_database_authentication_enabled = true
  enable_http_endpoint                = true # the Data API, by which the functions' user is made
  storage_encrypted                   = true
  db_subnet_group_name                = aws_db_subnet_group.this[0].name
  vpc_security_group_ids              = aws_security_group.database[*].id
  backup_retention_period             = var.aurora_backup_days
  copy_tags_to_snapshot               = true
  deletion_protection                 = var.aurora_protected
  skip_final_snapshot                 = !var.aurora_protected
  final_snapshot_identifier           = "${var.name}-final"
  enabled_cloudwatch_logs_exports     = ["postgresql"]

  serverlessv2_scaling_configuration {
    min_capacity             = var.aurora_min_capacity
    max_capacity             = var.aurora_max_capacity
    seconds_until_auto_pause = var.aurora_min_capacity == 0 ? 300 : null
  }

  lifecycle {
    ignore_changes = [engine_version] # AWS keeps the minor version up
  }

  depends_on = [aws_cloudwatch_log_group.database]
}

resource "aws_rds_cluster_instance" "this" {
  #checkov:skip=CKV_AWS_118: what CloudWatch has for nothing is enough to see by; this costs besides
  #checkov:skip=CKV_AWS_353: as above
  #checkov:skip=CKV_AWS_354: as above
  count = local.is_aurora ? 1 : 0

  identifier                 = "${var.name}-1"
  cluster_identifier         = aws_rds_cluster.this[0].id
  engine                     = aws_rds_cluster.this[0].engine
  instance_class             = "db.serverless"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
}

resource "aws_db_subnet_group" "this" {
  count = local.is_aurora ? 1 : 0

  name       = var.name
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_158: CloudWatch encrypts logs at rest with its own key
  #checkov:skip=CKV_AWS_338: how long is a variable
  count = local.is_aurora ? 1 : 0

  name              = "/aws/rds/cluster/${var.name}/postgresql"
  retention_in_days = var.log_retention_days
}
