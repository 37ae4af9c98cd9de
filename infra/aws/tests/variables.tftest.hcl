# `terraform test`: each variable refuses what is wrong.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mocked" }
  }
}

variables {
  package      = "versions.tf" # any file will do
  database_url = "postgres://ada:secret@db.example/agents"
}

run "names_what_is_wrong" {
  command = plan

  variables {
    package                   = "missing.zip"
    name                      = "Agents_"
    database_url              = "mysql://db.example/agents"
    aurora_version            = "16.2"
    aurora_min_capacity       = 0.3
    aurora_backup_days        = 36
    vpc_cidr                  = "10.0.0.0/8"
    availability_zones        = ["eu-central-1a", "eu-central-1a"]
    internet                  = "ipv4"
    runtime                   = "nodejs20.x"
    architecture              = "arm"
    memory_mb                 = 128
    http_timeout_seconds      = 901
    http_reserved_concurrency = -2
    worker_timeout_seconds    = 30
    worker_batch_size         = 11
    worker_max_concurrency    = 1
    tick_minutes              = 0.5
    function_url_auth         = "none"
    function_key              = "short"
    admin_key                 = "short"
    database_pool_size        = 0
    database_timeout_seconds  = 601
    log_level                 = "loud"
    encryption_keys           = ["key"]
    run_lease_seconds         = 2
    event_retention_hours     = 0
    sign_of_life_seconds      = -1
    webhook_secrets           = ["secret"]
    resume_link_secrets       = ["short"]
    public_url                = "agents.example.com"
    log_retention_days        = 31
    alarm_email               = "ada"
    waiting_run_alarm_seconds = 1
    error_alarm_count         = 0
  }

  expect_failures = [
    var.package,
    var.name,
    var.database_url,
    var.aurora_version,
    var.aurora_min_capacity,
    var.aurora_backup_days,
    var.vpc_cidr,
    var.availability_zones,
    var.internet,
    var.runtime,
    var.architecture,
    var.memory_mb,
    var.http_timeout_seconds,
    var.http_reserved_concurrency,
    var.worker_timeout_seconds,
    var.worker_batch_size,
    var.worker_max_concurrency,
    var.tick_minutes,
    var.function_url_auth,
    var.function_key,
    var.admin_key,
    var.database_pool_size,
    var.database_timeout_seconds,
    var.log_level,
    var.encryption_keys,
    var.run_lease_seconds,
    var.event_retention_hours,
    var.sign_of_life_seconds,
    var.webhook_secrets,
    var.resume_link_secrets,
    var.public_url,
    var.log_retention_days,
    var.alarm_email,
    var.waiting_run_alarm_seconds,
    var.error_alarm_count,
  ]
}

run "knows_what_is_more" {
  command = plan

  variables {
    aurora_min_capacity = 2
    aurora_max_capacity = 1
  }

  expect_failures = [var.aurora_max_capacity]
}

run "leaves_no_setting_to_chance" {
  command = plan

  variables {
    environment = { DATABASE_AUTH = "password" }
  }

  expect_failures = [var.environment]
}

run "leaves_to_lambda_what_is_its_own" {
  command = plan

  variables {
    environment = { AWS_REGION = "eu-central-1" }
  }

  expect_failures = [var.environment]
}

run "needs_a_database" {
  command = plan

  variables {
    database_url = null
  }

  expect_failures = [var.database_url]
}

run "has_one_database" {
  command = plan

  variables {
    database           = "aurora"
    availability_zones = ["eu-central-1a", "eu-central-1b"]
    aurora_version     = "17.5"
  }

  expect_failures = [var.database_url]
}

run "knows_its_databases" {
  command = plan

  variables {
    database     = "dsql"
    database_url = null
  }

  expect_failures = [var.database]
}
