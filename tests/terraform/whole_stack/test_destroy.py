"""What destroying the stack leaves, and what Terraform needed from nothing to nothing."""

import json

from sesbounce.doctor.iam import Request, allows
from tests.terraform.moto import Moto


def test_destroy_leaves_nothing(destroyed: str, moto: Moto) -> None:
    clusters = moto.client("ecs").describe_clusters(clusters=["sesbounce"])["clusters"]
    keys = [
        moto.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        for key in moto.client("kms").list_keys()["Keys"]
    ]
    groups = moto.client("ec2").describe_security_groups()["SecurityGroups"]
    iam = moto.client("iam")
    left = {
        "queues": moto.client("sqs").list_queues().get("QueueUrls", []),
        "topics": moto.client("sns").list_topics()["Topics"],
        "subscriptions": moto.client("sns").list_subscriptions()["Subscriptions"],
        "identities": moto.client("ses").list_identities()["Identities"],
        "keys": [
            key["Arn"]
            for key in keys
            if key["KeyManager"] == "CUSTOMER" and key["KeyState"] == "Enabled"
            # moto takes the one that RDS encrypts secrets with for a customer's
            if not key["Description"].startswith("Default key")
        ],
        "clusters": [cluster for cluster in clusters if cluster["status"] == "ACTIVE"],
        "repositories": moto.client("ecr").describe_repositories()["repositories"],
        "databases": moto.client("rds").describe_db_instances()["DBInstances"],
        "subnet groups": moto.client("rds").describe_db_subnet_groups()["DBSubnetGroups"],
        "logs": moto.client("logs").describe_log_groups()["logGroups"],
        "alarms": moto.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": moto.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "scalable targets": moto.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs"
        )["ScalableTargets"],
        "schedules": moto.client("scheduler").list_schedules()["Schedules"],
        "security groups": [group for group in groups if group["GroupName"] != "default"],
        "roles": iam.list_roles()["Roles"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "users": iam.list_users()["Users"],
        "providers": iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
    }
    assert {what: found for what, found in left.items() if found} == {}


# Whoever is known may ask who they are; no policy needs to say so.
OPEN = {"sts:GetCallerIdentity"}
# What somebody with more rights does once, before GitHub can deploy: the provider and the KMS key.
BEFOREHAND = {
    "iam:CreateOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
    "kms:CreateKey",
}


def test_the_deploy_role_may_do_all_that_terraform_did(destroyed: str, moto: Moto) -> None:
    """Each action that Terraform has called from nothing to nothing is allowed on something."""
    called = set(moto.calls.read_text().splitlines())
    assert len(called) > 90
    allowed = {
        action
        for statement in json.loads(destroyed)["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    assert called - allowed - OPEN - BEFOREHAND == set()


def test_that_document_is_one_that_can_be_evaluated(destroyed: str) -> None:
    assert allows(destroyed, Request(action="ecr:GetAuthorizationToken", resource="*"))
