"""The stack that comes from nothing, before the image and with it."""

import json

import boto3
import pytest

from scripts.deploy.adoption import AdoptionError, Existing, existing
from scripts.deploy.losses import losses
from tests.both_paths import check_both_paths
from tests.terraform.moto import Moto
from tests.terraform.whole_stack.deployed import CLOUD_MAP, OLD, TOPIC, Deployed


def test_the_repository_is_there_before_the_image(repository_came_first: bool) -> None:
    assert repository_came_first


def test_what_an_earlier_version_made_is_kept(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its feedback_queue had the topic itself, and each topic and queue without a number.

    Its identity was of version 1 of SES's API.
    """
    state = json.loads((deployed.folder / "terraform.tfstate").read_text("utf-8"))
    of_topic = {
        f"{resource['type']}.{resource['name']}": resource
        for resource in state["resources"]
        if resource.get("module") == TOPIC
    }
    assert of_topic.keys() >= {
        "aws_sns_topic.this",
        "aws_sns_topic_policy.this",
        "aws_sqs_queue.subscription_dlq",
    }
    for resource in state["resources"]:
        if resource.get("module") in (TOPIC, "module.feedback_queue"):
            resource["module"] = "module.feedback_queue"
            if not resource["type"].startswith("aws_kms_"):
                for instance in resource["instances"]:
                    if instance.get("index_key") == 0:
                        del instance["index_key"]
    identity = of_topic["aws_sesv2_email_identity.this"]
    identity["type"] = "aws_ses_domain_identity"
    (instance,) = identity["instances"]
    instance["attributes"] = {
        "id": "example.com",
        "domain": "example.com",
        "arn": instance["attributes"]["arn"],
        "verification_token": "token",
    }
    (deployed.folder / "earlier.tfstate").write_text(json.dumps(state))
    # What make deploy prints, and a person writes into that file.
    imported = f'{TOPIC}.aws_sesv2_email_identity.this["example.com"]'
    found = Existing(imported, "aws_sesv2_email_identity", "example.com")
    _, blocks = str(AdoptionError([found])).split("run the same command:\n")
    imports = deployed.terraform.root / "terraform/imports.tf"
    imports.write_text(blocks)
    try:
        plan = deployed.stack(OLD, state="earlier.tfstate").plan()
    finally:
        imports.unlink()
    assert {c.address: c.actions for c in plan.changes} == {
        'module.feedback_queue.aws_ses_domain_identity.this["example.com"]': ("forget",),
        imported: ("import",),
    }
    for name, value in deployed.environment.items():
        monkeypatch.setenv(name, value)
    assert existing(plan, boto3.Session(region_name="us-east-1"), "123456789012") == []
    assert losses(plan) == ()


def test_dns_records_of_the_domain_are_an_output(deployed: Deployed) -> None:
    records = deployed.stack(OLD).outputs()["dns_records"]["example.com"]
    assert [(record["type"], record["name"], record["value"]) for record in records] == [
        *(
            ("CNAME", f"token{n}._domainkey.example.com", f"token{n}.dkim.amazonses.com")
            for n in (1, 2, 3)
        ),
        ("TXT", "_dmarc.example.com", "v=DMARC1; p=none;"),
    ]


def test_the_worker_runs_as_told(deployed: Deployed, moto: Moto) -> None:
    outputs = deployed.stack(OLD).outputs()
    assert outputs["worker_image"] == OLD
    (service,) = moto.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["service_name"]]
    )["services"]
    assert service["taskDefinition"] == outputs["task_definition_arn"]
    (strategy,) = service["capacityProviderStrategy"]
    assert strategy == {"capacityProvider": "FARGATE", "weight": 1}
    (target,) = moto.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs"
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 4)
    definition = moto.client("ecs").describe_task_definition(
        taskDefinition=outputs["task_definition_arn"]
    )["taskDefinition"]
    container, migration = definition["containerDefinitions"]
    told = {variable["name"]: variable["value"] for variable in container["environment"]}
    assert told["SESBOUNCE_QUEUE_URL"] == outputs["queue_url"]
    assert told["SESBOUNCE_DATABASE_URL"] == outputs["database_url"]
    assert container["secrets"] == []
    assert container["dependsOn"] == [{"containerName": "migrate", "condition": "SUCCESS"}]
    assert migration["secrets"] == [
        {
            "name": "SESBOUNCE_DATABASE_PASSWORD",
            "valueFrom": outputs["database_password_secret"],
        }
    ]


def test_the_api_runs_beside_the_worker(deployed: Deployed, moto: Moto) -> None:
    outputs = deployed.stack(OLD).outputs()
    (service,) = moto.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["api_service_name"]]
    )["services"]
    assert service["taskDefinition"] == outputs["api_task_definition_arn"]
    assert service["serviceRegistries"] == [{"registryArn": CLOUD_MAP}]
    assert (service["desiredCount"], service["launchType"]) == (2, "FARGATE")
    ((worker, _), (api,)) = (
        moto.client("ecs").describe_task_definition(taskDefinition=outputs[name])["taskDefinition"][
            "containerDefinitions"
        ]
        for name in ("task_definition_arn", "api_task_definition_arn")
    )
    of_worker, of_api = (
        {variable["name"]: variable["value"] for variable in container["environment"]}
        for container in (worker, api)
    )
    assert of_api.keys() - of_worker.keys() == {"SESBOUNCE_SERVE_HOST", "SESBOUNCE_SERVE_PORT"}
    shared = of_api.keys() & of_worker.keys()
    assert {name: of_api[name] for name in shared} == {name: of_worker[name] for name in shared}
    assert (api["image"], api["secrets"]) == (worker["image"], worker["secrets"])
    ingress = moto.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [outputs["api_security_group_id"]]}]
    )["SecurityGroupRules"]
    (rule,) = (rule for rule in ingress if not rule["IsEgress"])
    assert rule["ReferencedGroupInfo"]["GroupId"] == deployed.client_group
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)


def test_the_state_holds_no_password(deployed: Deployed, moto: Moto) -> None:
    outputs = deployed.stack(OLD).outputs()
    secret = outputs["database_password_secret"].removesuffix(":password::")
    answer = moto.client("secretsmanager").get_secret_value(SecretId=secret)
    password = json.loads(answer["SecretString"])["password"]
    assert len(password) > 8
    assert password not in deployed.stack(OLD).state.read_text()


def test_moto_answers_direct_calls_of_sqs_as_those_of_boto3(moto: Moto) -> None:
    sqs = moto.client("sqs")
    url = sqs.create_queue(QueueName="both-paths")["QueueUrl"]
    check_both_paths(sqs, url, moto.environment)
    sqs.delete_queue(QueueUrl=url)


def test_topic_and_queues_are_encrypted_with_the_key(deployed: Deployed, moto: Moto) -> None:
    outputs = deployed.stack(OLD).outputs()
    topic = moto.client("sns").get_topic_attributes(TopicArn=outputs["topic_arn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == outputs["kms_key_arn"]
    for name in ("queue_url", "dlq_url", "subscription_dlq_url"):
        queue = moto.client("sqs").get_queue_attributes(
            QueueUrl=outputs[name], AttributeNames=["All"]
        )
        assert queue["Attributes"]["KmsMasterKeyId"] == outputs["kms_key_arn"]
