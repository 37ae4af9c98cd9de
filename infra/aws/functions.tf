locals {
  # The three doors of one bundle, by the names that its module exports.
  functions = {
    http     = { timeout = var.http_timeout_seconds }
    worker   = { timeout = var.worker_timeout_seconds }
    schedule = { timeout = 60 }
  }

  is_aurora = var.database == "aurora"

  # What the code reads. A null leaves a variable out, and the code's own default holds.
  settings = {
    DATABASE_POOL_SIZE       = var.database_pool_size
    DATABASE_MIGRATE         = var.database_migrate
    DATABASE_TIMEOUT_SECONDS = coalesce(var.database_timeout_seconds, local.is_aurora ? 45 : 15)
    LOG_LEVEL                = var.log_level
    LANGGRAPH_CONFIG         = var.langgraph_config == null ? null : jsonencode(var.langgraph_config)
    ENCRYPTION_KEYS          = length(var.encryption_keys) == 0 ? null : join(",", var.encryption_keys)
    RUN_LEASE_SECONDS        = var.run_lease_seconds
    EVENT_RETENTION_HOURS    = var.event_retention_hours
    WEBHOOK_SECRETS          = length(var.webhook_secrets) == 0 ? null : join(",", var.webhook_secrets)
    RESUME_LINK_SECRETS      = length(var.resume_link_secrets) == 0 ? null : join(",", var.resume_link_secrets)
    PUBLIC_URL               = var.public_url
    SIGN_OF_LIFE_SECONDS     = var.sign_of_life_seconds
    FUNCTION_KEY             = var.function_key
    ADMIN_KEY                = var.admin_key
  }

  # What it reads, too, and this module makes.
  wiring = {
    DATABASE_URL  = local.is_aurora ? local.aurora_url : var.database_url
    DATABASE_AUTH = local.is_aurora ? "rds-iam" : "password"
    RUN_QUEUE_URL = aws_sqs_queue.runs.url
  }

  # The alarms read what the schedule says of each tick.
  own_settings = {
    http     = {}
    worker   = {}
    schedule = { LOG_LEVEL = var.log_level == "debug" ? "debug" : "info" }
  }

  # For Node.js and the AWS SDK: the certificates of RDS, which Lambda brings, and addresses of IPv6.
  platform = merge(
    { for name, value in { NODE_EXTRA_CA_CERTS = "/var/runtime/ca-cert.pem" } : name => value if local.is_aurora },
    { for name, value in {
      NODE_OPTIONS               = "--dns-result-order=ipv6first"
      AWS_USE_DUALSTACK_ENDPOINT = "true"
    } : name => value if local.is_ipv6_only },
  )
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50: traces are OpenTelemetry's, which the app makes itself; X-Ray's would be paid for besides
  #checkov:skip=CKV_AWS_115: http_reserved_concurrency is the caller's choice; of the worker, the event source mapping has a maximum
  #checkov:skip=CKV_AWS_116: nothing is lost with an invocation: runs are in Postgres, messages have a dead-letter queue, ticks come again
  #checkov:skip=CKV_AWS_117: an external database is reached without a VPC; aurora brings one
  #checkov:skip=CKV_AWS_173: Lambda encrypts variables at rest with its own key; one of yours costs more than it keeps out
  #checkov:skip=CKV_AWS_272: the package comes from who applies this, with a hash; signing needs a profile of the account
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  handler          = "lambda.${each.key}"
  runtime          = var.runtime
  architectures    = [var.architecture]
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  memory_size      = var.memory_mb
  timeout          = each.value.timeout
  layers           = var.layers
  role             = aws_iam_role.function[each.key].arn

  reserved_concurrent_executions = each.key == "http" ? var.http_reserved_concurrency : -1 # of the worker, it would fail messages

  environment {
    variables = merge(
      local.platform,
      var.environment,
      { for name, value in merge(local.settings, local.own_settings[each.key]) : name => tostring(value) if value != null },
      local.wiring,
    )
  }

  # Text leaves the app's own lines of JSON as they are; JSON would wrap them, and metric filters see nothing.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  dynamic "vpc_config" {
    for_each = local.is_aurora ? [true] : []

    content {
      subnet_ids                  = aws_subnet.private[*].id
      security_group_ids          = aws_security_group.functions[*].id
      ipv6_allowed_for_dual_stack = true
    }
  }

  depends_on = [aws_iam_role_policy.function] # Lambda looks whether the role may, when it joins a network
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158: CloudWatch encrypts logs at rest with its own key
  #checkov:skip=CKV_AWS_338: how long is a variable; a year of logs costs more than the rest of a small deployment
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}
