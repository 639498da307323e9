locals {
  # AWS ignores the case of a tag's key and rejects two keys that differ only by it: the user's tag replaces ours.
  default_tags = {
    for key, value in { Application = var.name, ManagedBy = "Terraform" } :
    key => value if !contains([for given in keys(var.tags) : lower(given)], lower(key))
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge(local.default_tags, var.tags)
  }
}
