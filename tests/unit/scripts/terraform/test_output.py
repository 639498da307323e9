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
            "creating RDS DB Instance: FreeTierRestrictionError: This instance size isn't "
            "available with free plan accounts.",
            "the default instance_class is one of the plan's",
        ),
        (
            "creating RDS DB Subnet Group (sesbounce): InvalidParameterValue: Missing necessary "
            "credentials. Please check http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"
            "UsingWithRDS.IAM.ServiceLinkedRoles.html",
            "aws iam create-service-linked-role",
        ),
        (
            "creating RDS DB Instance (sesbounce): api error InvalidParameterValue: Unable to "
            "create the resource. Verify that you have permission to create service linked role. "
            "Otherwise wait and try again later",
            "aws iam create-service-linked-role",
        ),
        (
            "creating ECS Cluster (sesbounce): AccessDeniedException: User: arn:aws:iam::"
            "123456789012:user/jane is not authorized to perform: iam:CreateServiceLinkedRole",
            "somebody who may create roles creates them",
        ),
        (
            "creating ECS Service (sesbounce): InvalidParameterException: Unable to assume the "
            "service linked role. Please verify that the ECS service linked role exists.",
            "aws iam create-service-linked-role",
        ),
        (
            "creating Application AutoScaling Target: ValidationException: Unable to assume IAM "
            "role: arn:aws:iam::123456789012:role/aws-service-role/ecs.application-autoscaling."
            "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
            "rds ecs.application-autoscaling; do aws iam create-service-linked-role",
        ),
        ("Error: no matching EC2 VPC found", "aws ec2 create-default-vpc"),
        ("VPCIdNotSpecified: No default VPC for this user", "aws ec2 create-default-vpc"),
        (
            "creating RDS DB Subnet Group: DBSubnetGroupDoesNotCoverEnoughAZs: The DB subnet "
            "group doesn't meet Availability Zone (AZ) coverage requirement.",
            "network.database_subnet_ids",
        ),
        (
            "creating SQS Queue: AccessDenied: User: arn:aws:iam::123456789012:user/jane is not "
            "authorized to perform: sqs:createqueue",
            "These credentials lack the right that AWS names",
        ),
        (
            "creating CloudWatch Logs Log Group (/ecs/sesbounce): InvalidParameterException: The "
            "specified KMS Key Id could not be found or is not allowed to be used with Arn "
            "'arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/sesbounce'",
            "log_kms_key_statement",
        ),
        (
            "creating Lambda Event Source Mapping (): operation error Lambda: "
            "CreateEventSourceMapping, InvalidParameterValueException: Queue visibility timeout: "
            "30 seconds is less than Function timeout: 60 seconds",
            "aws sqs set-queue-attributes --queue-url URL",
        ),
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
