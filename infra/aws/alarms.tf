locals {
  alarm_actions = concat(var.alarm_actions, aws_sns_topic.alarms[*].arn)

  metrics = "LangGraphFunctions/${var.name}"
  # Of what the schedule says of each tick.
  waiting_age = "OldestWaitingRunAge"

  # Not the Errors of http: a stream that is broken off, so that its client comes back, is one.
  failures = {
    http     = { metric = "Url5xxCount", description = "Callers got answers of 500 and above; the log says why." }
    worker   = { metric = "Errors", description = "The worker crashed or ran out of time; its log says why." }
    schedule = { metric = "Errors", description = "Ticks failed; the log of the schedule says why." }
  }
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26: CloudWatch cannot publish to a topic that is encrypted with AWS' own key, and alarms are no secret
  count = var.alarm_email == null ? 0 : 1

  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Messages failed five times, as the database was away for long, or Lambda took workers that wake workers for a loop. docs/aws-lambda.md says what to do with them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # SQS tells nothing of a queue that nobody uses
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# Each tick logs one line, and its age is 0 where nothing waits.
resource "aws_cloudwatch_log_metric_filter" "tick" {
  name           = "${var.name}-tick"
  log_group_name = aws_cloudwatch_log_group.function["schedule"].name
  pattern        = "{ $.msg = \"Tick\" && $.oldest_waiting_run_age_s >= 0 }"

  metric_transformation {
    namespace = local.metrics
    name      = local.waiting_age
    value     = "$.oldest_waiting_run_age_s"
    unit      = "Seconds"
  }
}

resource "aws_cloudwatch_metric_alarm" "waiting_runs" {
  alarm_name          = "${var.name}-waiting-runs"
  alarm_description   = "A background run has waited for too long: workers fail, or there are too few of them."
  namespace           = local.metrics
  metric_name         = local.waiting_age
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.waiting_run_alarm_seconds
  period              = 60 * max(5, var.tick_minutes)
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # then the next alarm goes off
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "no_tick" {
  alarm_name          = "${var.name}-no-tick"
  alarm_description   = "No tick has succeeded: the schedule or the database is away, and what is due is not done."
  namespace           = local.metrics
  metric_name         = local.waiting_age
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60 * max(10, 3 * var.tick_minutes)
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.failures

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this[each.key].function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.error_alarm_count
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "${var.name}-http-throttles"
  alarm_description   = "Callers were refused with 429: the account's functions run as often at once as it may."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = aws_lambda_function.this["http"].function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "database" {
  count = local.is_aurora ? 1 : 0

  alarm_name          = "${var.name}-database"
  alarm_description   = "The database has used nearly all that aurora_max_capacity gives it for a quarter of an hour."
  namespace           = "AWS/RDS"
  metric_name         = "ACUUtilization"
  dimensions          = { DBClusterIdentifier = aws_rds_cluster.this[0].cluster_identifier }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 90
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching" # it is paused
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
