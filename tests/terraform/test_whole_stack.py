"""The whole stack, made and destroyed by the scripts' own adapter in moto, which enforces nothing.

What moto cannot do, and what shows it instead (runs are those of terraform/modules/*/tests):

- Topics of identities: it has no SetIdentityHeadersInNotificationsEnabled, and does not read the
  topics back. Shown by tests/integration/test_stack.py on LocalStack, and by the run
  identities_and_sets_that_exist.
- Configuration sets and their events: it reads no set of version 2 of SES's API back, and has none
  of its event destinations; those of version 1 it does not delete. Shown by the runs
  event_types_of_sets and settings_of_sets, and those of version 1 on the same LocalStack.
- forward_feedback_by_email and mail_from_domain: it has neither call. Shown by the runs forwarding
  and dns_records.
- That anything runs, scales or raises an alarm: it runs nothing.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.deploy.adoption import AdoptionError, Existing, existing
from scripts.deploy.losses import losses
from scripts.terraform.env import terraform_env
from scripts.terraform.plan import Change, Plan, read_plan
from scripts.terraform.stack import Stack
from sesbounce.doctor.declared import declared
from sesbounce.doctor.iam import Request, allows
from sesbounce.doctor.schedule import schedule
from tests.both_paths import check_both_paths
from tests.provider import running_provider
from tests.terraform.conftest import Terraform
from tests.terraform.moto import Moto, running_moto

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sesbounce"
OLD = f"{REPOSITORY}@sha256:{'0' * 64}"
NEW = f"{REPOSITORY}@sha256:{'1' * 64}"
VARIABLES: dict[str, object] = {
    "identities": {"example.com": {"create": True, "notifications": False}},
    "notification_emails": ["watcher@example.com"],
    "create_kms_key": True,
    "worker": {"min_tasks": 0},
    "database": {"deletion_protection": False, "final_snapshot": False},
    "monitoring": {"alarm_emails": ["operator@example.com"]},
    "github": {"repository": "acme/mail", "may_manage_key": True},
}
WORKER = "module.worker_service[0]"
API = "module.api_service[0]"
# The user's own: what programs reach the HTTP API by.
CLOUD_MAP = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-utcrh6wavdkggqtk"
TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/209a844cd01825a4"
TOPIC = "module.feedback_queue.module.topic"
DATABASE_AND_SNS = {"aws_db_instance", "aws_sns_topic_subscription"}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running_moto(tmp_path_factory.mktemp("moto")) as running:
        yield running


class Deployed:
    """The stack in moto, as `make deploy` handles it."""

    def __init__(
        self, terraform: Terraform, environment: Mapping[str, str], folder: Path, client_group: str
    ) -> None:
        self.terraform = terraform
        self.environment = environment
        self.folder = folder
        self.client_group = client_group
        self.variables = VARIABLES | {"api": self.api(cloud_map_service_arn=CLOUD_MAP)}

    def api(self, **arns: str) -> dict[str, object]:
        """The variable `api`, for programs of one security group."""
        return {"client_security_group_ids": {"shop": self.client_group}, **arns}

    def stack(
        self, image: str | None, *, state: str = "terraform.tfstate", **variables: object
    ) -> Stack:
        return Stack(
            self.terraform.root / "terraform",
            data_dir=self.folder / "data",
            state=self.folder / state,
            variables=self.variables
            | ({} if image is None else {"worker_image": image})
            | variables,
            environment=self.environment,
        )

    def replacing(self, address: str) -> Plan:
        """The plan that replaces one resource, and what depends on it."""
        variables, saved = self.folder / "whole.tfvars.json", self.folder / "replacing.tfplan"
        variables.write_text(json.dumps(self.variables | {"worker_image": NEW}))

        def run(*command: str) -> str:
            return subprocess.run(
                [self.terraform.binary, *command],
                cwd=self.terraform.root / "terraform",
                env={**self.environment, "TF_DATA_DIR": str(self.folder / "data")},
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        state = self.folder / "terraform.tfstate"
        options = (f"-replace={address}", f"-var-file={variables}", f"-state={state}")
        run("plan", *options, f"-out={saved}")
        return read_plan(json.loads(run("show", "-json", str(saved))), saved)


@pytest.fixture(scope="module")
def environment(terraform: Terraform, moto: Moto) -> Iterator[Mapping[str, str]]:
    """Terraform's environment, in which a provider for moto runs."""
    with running_provider(terraform.provider, terraform_env(moto.environment)) as attached:
        yield attached


@pytest.fixture(scope="module")
def before_the_image(
    terraform: Terraform,
    environment: Mapping[str, str],
    moto: Moto,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """The stack when there is no image yet."""
    (group,) = moto.client("ec2").describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    folder = tmp_path_factory.mktemp("whole")
    deployed = Deployed(terraform, environment, folder, group["GroupId"])
    stack = deployed.stack(None)
    stack.init()
    stack.apply()
    return deployed


@pytest.fixture(scope="module")
def repository_came_first(before_the_image: Deployed, moto: Moto) -> bool:
    """Looked at before the image is there."""
    (cluster,) = moto.client("ecs").describe_clusters(clusters=["sesbounce"])["clusters"]
    outputs = before_the_image.stack(None).outputs()
    return (
        outputs["repository_url"] == REPOSITORY
        and cluster["activeServicesCount"] == 0
        and "worker_image" not in outputs
    )


@pytest.fixture(scope="module")
def deployed(before_the_image: Deployed, repository_came_first: bool) -> Deployed:
    before_the_image.stack(OLD).apply()
    return before_the_image


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


@pytest.fixture(scope="module")
def rolled(deployed: Deployed) -> tuple[Change, ...]:
    """What another image changes; it is applied."""
    changes = deployed.stack(NEW).plan().changes
    deployed.stack(NEW).apply()
    return changes


def test_another_image_rolls_the_task_definition_alone(
    rolled: tuple[Change, ...], deployed: Deployed, moto: Moto
) -> None:
    changed = {c.address: c.actions for c in rolled if not c.address.startswith("output.")}
    assert changed == {
        f"{WORKER}.aws_ecs_task_definition.this[0]": ("delete", "create"),
        f"{WORKER}.aws_ecs_service.this[0]": ("update",),
        f"{API}.aws_ecs_task_definition.this[0]": ("delete", "create"),
        f"{API}.aws_ecs_service.this[0]": ("update",),
    }
    assert {c.address for c in rolled if c.address.startswith("output.")} <= {
        "output.api_task_definition_arn",
        "output.task_definition_arn",
        "output.worker_image",
    }
    outputs = deployed.stack(NEW).outputs()
    assert outputs["worker_image"] == NEW
    (service,) = moto.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["service_name"]]
    )["services"]
    assert service["taskDefinition"] == outputs["task_definition_arn"]
    assert deployed.stack(NEW).plan().empty


def test_spot_changes_the_service_and_keeps_its_scaling(
    rolled: tuple[Change, ...], deployed: Deployed
) -> None:
    """And without the API, nothing of it is left, and nothing else changes."""
    plan = deployed.stack(NEW, worker={"min_tasks": 0, "use_spot": True}, api=None).plan()
    changes = {
        c.address: c.actions for c in plan.changes if not c.address.startswith(("output.", API))
    }
    assert changes == {
        f"{WORKER}.aws_ecs_service.this[0]": ("update",),
        f"{WORKER}.aws_iam_role_policy.execution": ("update",),  # its log
        'module.database[0].aws_vpc_security_group_ingress_rule.this["api"]': ("delete",),
    }
    of_api = [change for change in plan.changes if change.address.startswith(API)]
    assert {change.actions for change in of_api} == {("delete",)}
    assert [change.address for change in losses(plan)] == [f"{API}.aws_ecs_service.this[0]"]


def test_a_service_that_is_replaced_takes_its_scaling_along(
    rolled: tuple[Change, ...], deployed: Deployed
) -> None:
    """AWS deletes the scaling target with the service; Terraform would not notice it."""
    service = f"{WORKER}.aws_ecs_service.this[0]"
    changes = {change.address: change.actions for change in deployed.replacing(service).changes}
    replaced = {address for address, actions in changes.items() if "delete" in actions}
    assert replaced == {
        service,
        f"{WORKER}.aws_appautoscaling_target.this[0]",
        f"{WORKER}.aws_appautoscaling_policy.backlog[0]",
        f"{WORKER}.aws_appautoscaling_policy.cpu[0]",
        f'{WORKER}.aws_appautoscaling_policy.step["sleep"]',
        f'{WORKER}.aws_appautoscaling_policy.step["wake"]',
    }


def test_what_a_renamed_queue_and_another_database_would_lose_is_known(
    rolled: tuple[Change, ...], deployed: Deployed
) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:url-AbCdEf"
    plan = deployed.stack(NEW, queue_name="renamed", database_url_secret_arn=secret).plan()
    assert {change.address for change in losses(plan)} == {
        f"{TOPIC}.aws_sns_topic_subscription.queue[0]",
        "module.feedback_queue.aws_sqs_queue.dlq[0]",
        f"{TOPIC}.aws_sqs_queue.subscription_dlq[0]",
        "module.feedback_queue.aws_sqs_queue.this[0]",
        "module.database[0].aws_db_instance.this",
    }
    urls = {change.before["url"].rpartition("/")[2] for change in losses(plan, DATABASE_AND_SNS)}
    assert urls == {
        "sesbounce-feedback",
        "sesbounce-feedback-dlq",
        "sesbounce-feedback-subscription-dlq",
    }


def test_a_second_stack_of_the_name_would_take_over_the_first(
    rolled: tuple[Change, ...],
    deployed: Deployed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in deployed.environment.items():
        monkeypatch.setenv(name, value)
    # The same providers, and a state of its own.
    (tmp_path / "data").symlink_to(deployed.folder / "data")
    second = Deployed(
        deployed.terraform, deployed.environment, tmp_path, deployed.client_group
    ).stack(None)
    found = existing(second.plan(), boto3.Session(region_name="us-east-1"), "123456789012")
    assert {each.id.rpartition("/")[2].rpartition(":")[2] for each in found} == {
        "example.com",
        "sesbounce",
        "sesbounce-alarms",
        "sesbounce-api",
        "sesbounce-deploy",
        "sesbounce-execution",
        "sesbounce-feedback",
        "sesbounce-feedback-dlq",
        "sesbounce-feedback-subscription-dlq",
        "sesbounce-task",
    }


def scheduled_stack(deployed: Deployed) -> Stack:
    """The stack with a schedule, and its API behind a load balancer."""
    api = deployed.api(target_group_arn=TARGETS)
    return deployed.stack(NEW, worker={"mode": "scheduled"}, api=api)


@pytest.fixture(scope="module")
def scheduled(rolled: tuple[Change, ...], deployed: Deployed) -> Plan:
    """The plan that replaces the service by a schedule; it is applied."""
    stack = scheduled_stack(deployed)
    with stack.planned() as plan:
        stack.apply(plan=plan)
    return plan


def test_a_schedule_replaces_the_service_and_nothing_else_is_lost(scheduled: Plan) -> None:
    assert losses(scheduled) == ()
    deleted = {change.kind for change in scheduled.changes if change.deletes}
    assert deleted == {
        "aws_appautoscaling_policy",
        "aws_appautoscaling_target",
        "aws_cloudwatch_metric_alarm",
        "aws_ecs_service",
        "aws_ecs_task_definition",
    }


def test_the_schedule_starts_the_worker_as_told(
    scheduled: Plan, deployed: Deployed, moto: Moto
) -> None:
    outputs = scheduled_stack(deployed).outputs()
    (service,) = moto.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=["sesbounce"]
    )["services"]
    assert service["status"] == "INACTIVE"
    found = moto.client("scheduler").get_schedule(GroupName="sesbounce", Name="sesbounce")
    assert (found["State"], found["ScheduleExpression"]) == ("ENABLED", "rate(15 minutes)")
    assert found["Arn"] == outputs["schedule_arn"]
    target = found["Target"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == outputs["task_definition_arn"]
    (override,) = json.loads(target["Input"])["containerOverrides"]
    assert override == {
        "name": "worker",
        "command": ["run", "--until-empty", "--at-most", "900"],
    }
    session: Any = moto  # of a session, the check asks for clients alone
    assert list(schedule(declared(outputs, []), session)) == []
    assert scheduled_stack(deployed).plan().empty
    # The API went on meanwhile.
    (api,) = moto.client("ecs").describe_services(
        cluster=outputs["cluster_name"], services=[outputs["api_service_name"]]
    )["services"]
    (balancer,) = api["loadBalancers"]
    assert balancer == {
        "targetGroupArn": TARGETS,
        "containerName": "api",
        "containerPort": 8080,
    }


@pytest.fixture(scope="module")
def destroyed(deployed: Deployed, scheduled: Plan) -> str:
    """The stack is gone; what the deploy role might have done, as one document."""
    policies = deployed.stack(NEW).outputs()["deploy_role_policies"]
    deployed.stack(NEW).destroy()
    documents = [json.loads(policy) for policy in policies.values()]
    statements = [statement for document in documents for statement in document["Statement"]]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


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
