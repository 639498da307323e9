variable "region" {
  description = "Region that SES sends from."
  type        = string
  default     = "eu-west-1"
}

variable "vpc_id" {
  description = "ID of the VPC of the subnets."
  type        = string
}

variable "private_subnet_ids" {
  description = "IDs of private subnets with a NAT gateway, in at least two availability zones."
  type        = list(string)
}

variable "worker_image" {
  description = "The worker's image, by digest; null for the first apply, which creates the repository."
  type        = string
  default     = null
}

variable "hash_key_parameter_arn" {
  description = "ARN of the parameter that holds SESBOUNCE_HASH_KEY."
  type        = string
}
