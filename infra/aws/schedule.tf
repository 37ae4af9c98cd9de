resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

# A tick that failed, or came late, is not tried again: the next one does its work, too.
resource "aws_scheduler_schedule" "tick" {
  #checkov:skip=CKV_AWS_297: it has nothing to keep secret
  name                = "${var.name}-tick"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = var.tick_minutes == 1 ? "rate(1 minute)" : "rate(${var.tick_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["schedule"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ source = "langgraph.tick" })

    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "schedule" {
  function_name                = aws_lambda_function.this["schedule"].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}
