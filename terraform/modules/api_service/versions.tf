terraform {
  required_version = ">= 1.9" # a validation may read other variables

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81, < 7.0"
    }
  }
}
