# `terraform test`: relations between the resources, on a provider that makes nothing.

mock_provider "aws" {
  override_during = plan # so that nothing has to be applied to be known

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:mocked" }
  }
  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://mocked.lambda-url.eu-central-1.on.aws/" }
  }
  mock_resource "aws_scheduler_schedule_group" {
    defaults = { arn = "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/mocked" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:langgraph-alarms" }
  }
  mock_resource "aws_vpc" {
    defaults = { ipv6_cidr_block = "2001:db8:1234:5600::/56" }
  }
  mock_resource "aws_rds_cluster" {
    defaults = {
      arn                 = "arn:aws:rds:eu-central-1:123456789012:cluster:langgraph"
      cluster_resource_id = "cluster-MOCKED"
      endpoint            = "langgraph.cluster-mocked.eu-central-1.rds.amazonaws.com"
      master_user_secret  = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked" }]
    }
  }
  mock_data "aws_rds_engine_version" {
    defaults = { version_actual = "17.7" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }

  override_resource {
    target = aws_security_group.functions
    values = { id = "sg-functions" }
  }
  override_resource {
    target = aws_security_group.database
    values = { id = "sg-database" }
  }
  override_resource {
    target = aws_sqs_queue.runs
    values = {
      arn = "arn:aws:sqs:eu-central-1:123456789012:langgraph-runs"
      url = "https://sqs.eu-central-1.amazonaws.com/123456789012/langgraph-runs"
    }
  }
  override_resource {
    target = aws_sqs_queue.dead
    values = {
      arn = "arn:aws:sqs:eu-central-1:123456789012:langgraph-runs-dead"
      url = "https://sqs.eu-central-1.amazonaws.com/123456789012/langgraph-runs-dead"
    }
  }
}

variables {
  package      = "versions.tf" # any file will do
  database_url = "postgres://ada:secret@db.example/agents"
}

run "external" {
  command = plan

  variables {
    function_key = "0123456789abcdef"
    environment  = { OPENAI_API_KEY = "sk-test" }
  }

  assert {
    condition     = aws_sqs_queue.runs.visibility_timeout_seconds == aws_lambda_function.this["worker"].timeout + 60
    error_message = "A message must stay invisible for as long as its worker may run, and a minute more."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.runs.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead.arn
    error_message = "What fails again and again must end in the dead-letter queue."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead.redrive_allow_policy).sourceQueueArns == [aws_sqs_queue.runs.arn]
    error_message = "Only the queue of runs may use the dead-letter queue."
  }
  assert {
    condition     = aws_sqs_queue.dead.message_retention_seconds > aws_sqs_queue.runs.message_retention_seconds
    error_message = "A message keeps its age when it is moved, so the dead-letter queue must keep it for longer."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.runs.event_source_arn == aws_sqs_queue.runs.arn
    error_message = "The worker must read the queue of runs."
  }
  assert {
    condition     = aws_lambda_function_recursion_config.worker.function_name == aws_lambda_function.this["worker"].function_name && aws_lambda_function_recursion_config.worker.recursive_loop == "Allow"
    error_message = "Workers must be allowed to wake workers for more than 16 times."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables.RUN_QUEUE_URL == aws_sqs_queue.runs.url])
    error_message = "Each function must know the queue of runs."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.dead_letters.dimensions.QueueName == aws_sqs_queue.dead.name
    error_message = "The alarm must watch the dead-letter queue."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.waiting_runs.metric_name == aws_cloudwatch_log_metric_filter.tick.metric_transformation[0].name && aws_cloudwatch_metric_alarm.waiting_runs.namespace == aws_cloudwatch_log_metric_filter.tick.metric_transformation[0].namespace
    error_message = "The alarm must watch what the filter counts."
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.errors)) == toset(keys(aws_lambda_function.this)) && aws_cloudwatch_metric_alarm.errors["http"].metric_name == "Url5xxCount"
    error_message = "Each function must have an alarm, and streams that are cut must not set it off."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.reserved_concurrent_executions == -1])
    error_message = "Nothing of the account's concurrency is to be reserved unasked."
  }
  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_rds_cluster.this) == 0 && alltrue([for function in aws_lambda_function.this : length(function.vpc_config) == 0])
    error_message = "With a database elsewhere, there must be nothing of a network to pay for."
  }
  assert {
    condition     = output.api_url == "https://mocked.lambda-url.eu-central-1.on.aws/api" && output.create_database_user == null
    error_message = "The outputs must be what the README uses."
  }
}

run "aurora" {
  command = plan

  variables {
    database     = "aurora"
    database_url = null
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.environment[0].variables.DATABASE_AUTH == "rds-iam" && function.environment[0].variables.DATABASE_URL == "postgres://langgraph@langgraph.cluster-mocked.eu-central-1.rds.amazonaws.com:5432/langgraph?sslmode=verify-full"])
    error_message = "Functions must sign in with IAM, and check whom they talk to."
  }
  assert {
    condition     = aws_rds_cluster.this[0].iam_database_authentication_enabled && aws_rds_cluster.this[0].storage_encrypted && aws_rds_cluster.this[0].manage_master_user_password
    error_message = "There must be no password to leak, and nothing in the clear."
  }
  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_nat_gateway.this) == 0 && length(aws_egress_only_internet_gateway.this) == 1
    error_message = "The internet must be reached over IPv6, and nothing be paid by the hour for it."
  }
  assert {
    condition     = length(distinct(concat(aws_subnet.private[*].cidr_block, aws_subnet.private[*].ipv6_cidr_block))) == 4
    error_message = "Each subnet must have addresses of its own."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database[0].referenced_security_group_id == aws_security_group.functions[0].id
    error_message = "Only functions may reach the database."
  }
  assert {
    condition     = aws_lambda_function.this["http"].environment[0].variables.DATABASE_TIMEOUT_SECONDS == "45"
    error_message = "A database that has to wake needs more time than the default."
  }
  assert {
    condition     = aws_rds_cluster.this[0].engine_version == "17.7"
    error_message = "The minor version must be the one that AWS prefers."
  }
}

run "aurora_with_nat" {
  command = plan

  variables {
    database           = "aurora"
    database_url       = null
    internet           = "nat"
    availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    aurora_protected   = false
    aurora_version     = "16.9"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_subnet.private) == 3 && !can(aws_lambda_function.this["http"].environment[0].variables.AWS_USE_DUALSTACK_ENDPOINT)
    error_message = "There must be one NAT gateway, and no need for IPv6."
  }
  assert {
    condition     = aws_rds_cluster.this[0].skip_final_snapshot && !aws_rds_cluster.this[0].deletion_protection
    error_message = "What is not protected must go without a trace."
  }
  assert {
    condition     = aws_rds_cluster.this[0].engine_version == "16.9"
    error_message = "A minor version that is named must be the one to begin with."
  }
}

run "changed" {
  command = plan

  variables {
    name                      = "agents"
    worker_timeout_seconds    = 120
    tick_minutes              = 10
    log_level                 = "error"
    function_url_auth         = "AWS_IAM"
    alarm_email               = "ada@example.com"
    alarm_actions             = ["arn:aws:sns:eu-central-1:123456789012:pager"]
    waiting_run_alarm_seconds = 900
    http_reserved_concurrency = 100
    langgraph_config          = { chat = { recursion_limit = 50 } }
    webhook_secrets           = ["whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh", "whsec_YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJi"]
  }

  assert {
    condition     = aws_sqs_queue.runs.visibility_timeout_seconds == 180
    error_message = "The visibility timeout must follow the worker's."
  }
  assert {
    condition     = aws_scheduler_schedule.tick.schedule_expression == "rate(10 minutes)" && aws_cloudwatch_metric_alarm.waiting_runs.period == 600 && aws_cloudwatch_metric_alarm.no_tick.period == 1800
    error_message = "No alarm may look more often than ticks come."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.waiting_runs.threshold == 900
    error_message = "The threshold of the alarm must be the one that is set."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.this : name => function.reserved_concurrent_executions } == { http = 100, schedule = -1, worker = -1 }
    error_message = "Concurrency must be reserved for http alone: of the worker, it would fail messages."
  }
  assert {
    condition     = aws_lambda_function.this["worker"].environment[0].variables.LOG_LEVEL == "error" && aws_lambda_function.this["schedule"].environment[0].variables.LOG_LEVEL == "info"
    error_message = "The schedule must say what the alarms read."
  }
  assert {
    condition     = length(aws_lambda_permission.url) == 0 && aws_lambda_function_url.http.authorization_type == "AWS_IAM"
    error_message = "With AWS_IAM, nobody may call without a signature."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.no_tick.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:pager", aws_sns_topic.alarms[0].arn])
    error_message = "Alarms must tell whoever is to be told."
  }
  assert {
    condition     = aws_lambda_function.this["http"].environment[0].variables.LANGGRAPH_CONFIG == "{\"chat\":{\"recursion_limit\":50}}"
    error_message = "The config of graphs must be JSON."
  }
  assert {
    condition     = length(split(",", aws_lambda_function.this["http"].environment[0].variables.WEBHOOK_SECRETS)) == 2
    error_message = "Secrets must have commas between them."
  }
}
