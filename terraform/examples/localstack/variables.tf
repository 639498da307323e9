variable "endpoint" {
  description = "Where LocalStack answers."
  type        = string
  default     = "http://127.0.0.1:4566"
}
