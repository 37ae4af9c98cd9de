terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.29, < 7.0" # 6.29 is the first that can say `invoked_via_function_url`
    }
  }
}
