"""What a plan loses, out of plans as Terraform shows them in JSON."""

from pathlib import Path
from typing import Any

import pytest

from scripts.deploy.losses import LossError, describe, losses
from scripts.terraform.plan import Plan, read_plan

REPLACE = ["delete", "create"]


def plan(*changes: dict[str, Any]) -> Plan:
    return read_plan({"resource_changes": list(changes)}, Path("saved"))


def change(kind: str, *actions: str, name: str = "this") -> dict[str, Any]:
    return {"address": f"{kind}.{name}", "type": kind, "change": {"actions": list(actions)}}


LASTING = [
    "aws_db_instance",
    "aws_iam_access_key",
    "aws_kms_key",
    "aws_route53_record",
    "aws_ses_configuration_set",
    "aws_ses_domain_identity",
    "aws_ses_email_identity",
    "aws_ses_event_destination",
    "aws_ses_identity_notification_topic",
    "aws_sesv2_configuration_set",
    "aws_sesv2_configuration_set_event_destination",
    "aws_sesv2_email_identity",
    "aws_sns_topic",
    "aws_sns_topic_subscription",
    "aws_sqs_queue",
]


@pytest.mark.parametrize("actions", [["delete"], REPLACE, ["create", "delete"]])
@pytest.mark.parametrize("kind", LASTING)
def test_deleted_and_replaced_is_lost(kind: str, actions: list[str]) -> None:
    (lost,) = losses(plan(change(kind, *actions)))
    assert lost.address == f"{kind}.this"


@pytest.mark.parametrize("actions", [["create"], ["update"], ["no-op"], ["forget"]])
@pytest.mark.parametrize("kind", LASTING)
def test_the_rest_loses_nothing(kind: str, actions: list[str]) -> None:
    assert losses(plan(change(kind, *actions))) == ()


def test_a_service_is_lost_only_for_good() -> None:
    assert losses(plan(change("aws_ecs_service", *REPLACE))) == ()
    (lost,) = losses(plan(change("aws_ecs_service", "delete")))
    assert describe([lost]).endswith("- destroy aws_ecs_service.this: no worker reads the queue")


def test_the_service_of_the_api_is_no_worker() -> None:
    address = "module.api_service[0].aws_ecs_service.this[0]"
    api = change("aws_ecs_service", "delete") | {"address": address}
    worker = change("aws_scheduler_schedule", "create")
    (lost,) = losses(plan(api, worker))
    assert describe([lost]).endswith(f"{address}: no program gets an answer from the HTTP API")
    api["change"] = {"actions": ["create"]}
    (lost,) = losses(plan(api, change("aws_scheduler_schedule", "delete")))
    assert lost.address == "aws_scheduler_schedule.this"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("aws_ecs_service", "aws_scheduler_schedule"),
        ("aws_scheduler_schedule", "aws_ecs_service"),
    ],
)
def test_another_mode_of_the_worker_loses_nothing(old: str, new: str) -> None:
    assert losses(plan(change(old, "delete"), change(new, "create"))) == ()
    (lost,) = losses(plan(change(old, "delete"), change(new, "update")))
    assert lost.address == f"{old}.this"


def test_what_is_made_in_a_minute_is_no_loss() -> None:
    made = ("aws_ecs_task_definition", "aws_iam_role", "aws_cloudwatch_metric_alarm")
    assert losses(plan(*(change(kind, "delete") for kind in made))) == ()


def test_an_address_or_a_kind_allows_it() -> None:
    shown = plan(
        change("aws_sqs_queue", "delete", name="one"),
        change("aws_sqs_queue", "delete", name="two"),
        change("aws_sns_topic", "delete"),
    )

    def left(*allowed: str) -> list[str]:
        return [lost.address for lost in losses(shown, allowed)]

    assert left() == ["aws_sqs_queue.one", "aws_sqs_queue.two", "aws_sns_topic.this"]
    assert left("aws_sqs_queue.one") == ["aws_sqs_queue.two", "aws_sns_topic.this"]
    assert left("aws_sqs_queue") == ["aws_sns_topic.this"]
    assert left("all") == []
    assert left("aws_sqs_queue.o", "aws_s", "") == left()


def test_the_error_names_everything_and_what_to_do() -> None:
    lost = losses(plan(change("aws_sqs_queue", *REPLACE), change("aws_sns_topic", "delete")))
    said = str(LossError(lost))
    assert "  ± replace aws_sqs_queue.this: its messages, and what the topic sends to it\n" in said
    assert "  - destroy aws_sns_topic.this: its subscriptions" in said
    assert "--allow-loss aws_sns_topic --allow-loss aws_sqs_queue. If you don't, check" in said
    assert "its kind: --allow-loss all. " in str(LossError(lost, destroys=True))
