"""What to do about the errors of an account that is new to these services, as AWS words them."""

import pytest

from scripts.terraform.output import advice


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (
            "creating RDS DB Instance: api error FreeTierRestrictionError: The specified "
            "backup retention period exceeds the maximum available to free tier customers.",
            "set database = { backup_retention_days = 1 }",
        ),
        (
            "creating ECS Service (sesbounce): InvalidParameterException: Unable to assume the "
            "service linked role. Please verify that the ECS service linked role exists.",
            "aws iam create-service-linked-role",
        ),
        (
            "creating Application AutoScaling Target: ValidationException: Unable to assume IAM "
            "service-linked role",
            "ecs.application-autoscaling",
        ),
        ("Error: no matching EC2 VPC found", "aws ec2 create-default-vpc"),
        (
            "creating ECS Service: InvalidParameterException: The specified capacity provider "
            "'FARGATE' was not found.",
            "aws ecs put-cluster-capacity-providers",
        ),
        (
            "registering ECS Task Definition: ClientException: tmpfs is not supported on Fargate.",
            "remove the line tmpfs from terraform/modules/worker_service/main.tf",
        ),
    ],
)
def test_a_fresh_account_s_errors_come_with_what_to_do(words: str, remedy: str) -> None:
    assert remedy in advice(words)
