output "api_url" {
  description = "What clients take as the address of the API: below it are /threads, /runs and /docs. With another route prefix than `api`, put that one in its place."
  value       = "${aws_lambda_function_url.http.function_url}api"
}

output "function_names" {
  description = "By door: http, worker, schedule."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "queue_url" {
  description = "The queue that wakes workers."
  value       = aws_sqs_queue.runs.url
}

output "dead_letter_queue_url" {
  description = "Messages that failed five times."
  value       = aws_sqs_queue.dead.url
}

output "dead_letter_queue_arn" {
  description = "For `aws sqs start-message-move-task --source-arn`, which sends them again."
  value       = aws_sqs_queue.dead.arn
}

output "create_database_user" {
  description = "With aurora: the command that makes the user as whom the functions sign in. Once, after the first apply."
  value       = local.is_aurora ? local.data_api_command : null
}

locals {
  data_api_command = join(" ", [
    "aws rds-data execute-statement",
    "--region ${local.region}",
    "--resource-arn ${coalesce(one(aws_rds_cluster.this[*].arn), "-")}",
    "--secret-arn ${coalesce(try(aws_rds_cluster.this[0].master_user_secret[0].secret_arn, null), "-")}",
    "--database ${local.aurora_database}",
    "--sql file://${path.module}/database-user.sql",
  ])
}
