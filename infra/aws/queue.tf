# A message says no more than which run to look at; docs/aws-lambda.md has the reasons for each number.

resource "aws_sqs_queue" "runs" {
  name                       = "${var.name}-runs"
  visibility_timeout_seconds = var.worker_timeout_seconds + 60
  receive_wait_time_seconds  = 20
  message_retention_seconds  = 4 * 24 * 3600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-runs-dead"
  message_retention_seconds = 14 * 24 * 3600 # the longest there is
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.runs.arn]
  })
}

resource "aws_lambda_event_source_mapping" "runs" {
  event_source_arn        = aws_sqs_queue.runs.arn
  function_name           = aws_lambda_function.this["worker"].arn
  batch_size              = var.worker_batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.worker_max_concurrency
  }
}

# Workers wake workers: for the next run of a thread, for a run that needs longer, on the way to a later time. Lambda takes
# that for a loop, and would put the seventeenth message of a chain into the dead-letter queue.
resource "aws_lambda_function_recursion_config" "worker" {
  function_name  = aws_lambda_function.this["worker"].function_name
  recursive_loop = "Allow"
}
