"""Calls of the role that deploys: their ARNs and conditions."""

from tests.terraform.names import BOUNDARY, FUNCTION, IAM, REGION

EC2 = f"arn:aws:ec2:{REGION}"
ALARM = f"arn:aws:cloudwatch:{REGION}:alarm"
TARGET = f"arn:aws:application-autoscaling:{REGION}:scalable-target/0ec5"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
CONSUMER_POLICY = f"{IAM}:policy/sesbounce-consumer"

TO_BE_OURS = {"aws:RequestTag/Application": "sesbounce"}
WITHIN = {"iam:PermissionsBoundary": BOUNDARY}
OWN_POLICY = {"iam:PolicyARN": CONSUMER_POLICY}
ANY_POLICY = {"iam:PolicyARN": ADMINISTRATOR}
FOR_SCHEDULES = {"iam:PassedToService": "scheduler.amazonaws.com"}
MAPPING = f"arn:aws:lambda:{REGION}:event-source-mapping:14e0db71"
FOR_LAMBDA = {"iam:PassedToService": "lambda.amazonaws.com"}
OF_OURS = {"lambda:FunctionArn": FUNCTION}
