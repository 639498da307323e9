"""What changes of the stack change, and what they would lose."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.deploy.adoption import existing
from scripts.deploy.losses import losses
from scripts.terraform.plan import Change, Plan
from sesbounce.doctor.declared import declared
from sesbounce.doctor.schedule import schedule
from tests.terraform.moto import Moto
from tests.terraform.whole_stack.deployed import (
    API,
    DATABASE_AND_SNS,
    NEW,
    TARGETS,
    TOPIC,
    WORKER,
    Deployed,
    scheduled_stack,
)


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
