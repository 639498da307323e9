variable "endpoint" {
  description = "URL of LocalStack."
  type        = string
  default     = "http://127.0.0.1:4566"
}
