resource "aws_lambda_function_url" "http" {
  #checkov:skip=CKV_AWS_258: with NONE the app finds out who calls, and refuses whoever shows no key and does not sign in
  function_name      = aws_lambda_function.this["http"].function_name
  authorization_type = var.function_url_auth
  invoke_mode        = "RESPONSE_STREAM"
}

# With AWS_IAM, callers' own policies must allow both actions; with NONE, the function's policy must.

resource "aws_lambda_permission" "url" {
  #checkov:skip=CKV_AWS_301: as the Function URL above: the app finds out who calls
  count = var.function_url_auth == "NONE" ? 1 : 0

  statement_id           = "CallFunctionUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this["http"].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}
