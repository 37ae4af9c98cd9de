locals {
  # arn:PARTITION:logs:REGION:ACCOUNT:log-group:…, so that nothing has to be asked for them.
  arn       = split(":", aws_cloudwatch_log_group.function["http"].arn)
  partition = local.arn[1]
  region    = local.arn[3]
  account   = local.arn[4]

  statements = {
    for name, function in local.functions : name => concat(
      [
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.function[name].arn}:*"
        },
        {
          Sid      = "WakeWorkers"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = aws_sqs_queue.runs.arn
        },
      ],
      [for statement in [
        {
          Sid      = "TakeMessages"
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
          Resource = aws_sqs_queue.runs.arn
        },
      ] : statement if name == "worker"],
      [for statement in [
        {
          Sid      = "CountMessages"
          Effect   = "Allow"
          Action   = ["sqs:GetQueueAttributes"]
          Resource = [aws_sqs_queue.runs.arn, aws_sqs_queue.dead.arn]
        },
      ] : statement if name == "http"],
      [for statement in [
        {
          Sid      = "SignInToDatabase"
          Effect   = "Allow"
          Action   = ["rds-db:connect"]
          Resource = [for id in aws_rds_cluster.this[*].cluster_resource_id : "arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:${id}/${local.aurora_user}"]
        },
        # Lambda joins the network in the name of the role. These say `*` as AWS wants it: what they list has no ARN.
        {
          Sid      = "SeeNetwork"
          Effect   = "Allow"
          Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"]
          Resource = "*"
        },
        {
          Sid    = "JoinNetwork"
          Effect = "Allow"
          Action = [
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
            "ec2:AssignIpv6Addresses",
            "ec2:UnassignIpv6Addresses",
          ]
          Resource = "arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"
        },
        # The function's own code has no use for them.
        {
          Sid      = "NotByCode"
          Effect   = "Deny"
          Action   = ["ec2:*"]
          Resource = "*"
          Condition = {
            ArnEquals = {
              "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${name}"
            }
          }
        },
      ] : statement if local.is_aurora],
    )
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name = "${var.name}-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "${var.name}-${each.key}"
  role   = aws_iam_role.function[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

resource "aws_iam_role" "scheduler" {
  name = "${var.name}-scheduler"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = aws_scheduler_schedule_group.this.arn
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "${var.name}-scheduler"
  role = aws_iam_role.scheduler.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Tick"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = aws_lambda_function.this["schedule"].arn
    }]
  })
}
