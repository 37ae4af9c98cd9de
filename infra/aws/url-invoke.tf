# Apart from url.tf, as providers before 6.29 do not know its last argument.

# The second permission that each Function URL needs since October 2025. Only through the URL: others may not call the API of
# Lambda with it.
resource "aws_lambda_permission" "url_invoke" {
  #checkov:skip=CKV_AWS_301: only through the Function URL, where the app finds out who calls
  #checkov:skip=CKV_AWS_364: there is no source to name; the condition is that it comes through the Function URL
  count = var.function_url_auth == "NONE" ? 1 : 0

  statement_id             = "InvokeThroughFunctionUrl"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.this["http"].function_name
  principal                = "*"
  invoked_via_function_url = true
}
