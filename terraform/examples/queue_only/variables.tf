variable "region" {
  description = "Region that SES sends from."
  type        = string
  default     = "eu-west-1"
}

variable "identity" {
  description = "Domain or address that is verified in SES."
  type        = string
}

variable "function_name" {
  description = "Name of your Lambda function."
  type        = string
}

variable "function_role_name" {
  description = "Name of the function's role."
  type        = string
}
