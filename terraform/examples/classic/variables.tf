variable "region" {
  description = "Region that SES sends from."
  type        = string
  default     = "eu-west-1"
}

variable "identities" {
  description = "Domains and addresses that are verified in SES, whose bounces and complaints SES publishes to the topic."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "access_key_pgp_key" {
  description = "PGP public key that encrypts the access key's secret: in base64 and unarmored (`gpg --export`), or `keybase:NAME`. With null, the state holds the secret in plain text."
  type        = string
  default     = null
}
