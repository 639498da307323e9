# What Terraform plans for the example, without AWS. Needs Terraform 1.11 for `override_during`.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  vpc_id                 = "vpc-own"
  private_subnet_ids     = ["subnet-c", "subnet-d"]
  hash_key_parameter_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/sesbounce/hash-key"
}

run "before_the_image" {
  command = plan

  assert {
    condition     = output.repository_url == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce" && module.worker_service.service_name == null
    error_message = "The repository must come first."
  }
}

run "with_the_image" {
  command = plan

  variables {
    worker_image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = module.worker_service.service_name == "sesbounce" && contains(module.monitoring.alarm_names, "sesbounce-no-task")
    error_message = "The worker must run and be watched."
  }

  assert {
    condition     = module.feedback_queue.configuration_set_names == toset(["newsletter", "transactional"])
    error_message = "Both sets must publish."
  }
}
