"""The wiring that outputs and state declare."""

import json
from typing import Any

import pytest

from sesbounce.doctor.declared import Function, Schedule, Service, Wiring, declared
from sesbounce.errors import NothingDeployedError
from tests.unit.sesbounce.doctor.stubbed import (
    ACCOUNT,
    EXTRA,
    FUNCTION,
    OUTPUTS,
    SCHEDULED,
    TOPIC,
    arn,
)


def test_the_wiring_is_read_from_outputs_and_state() -> None:
    def attached(identity: str, kind: str) -> tuple[str, dict[str, Any]]:
        return (
            "aws_ses_identity_notification_topic",
            {"identity": identity, "notification_type": kind},
        )

    def destination(types: list[str]) -> dict[str, Any]:
        return {"configuration_set_name": "set", "matching_types": types}

    newer = {"matching_event_types": ["DELIVERY_DELAY"]}
    settings = {"SESBOUNCE_TOPIC_ARNS": TOPIC, "SESBOUNCE_SES_SUPPRESSION_LIST": "true"}
    task = [{"environment": [{"name": name, "value": settings[name]} for name in settings]}]
    of_api = [{"environment": [{"name": "SESBOUNCE_SES_SUPPRESSION_LIST", "value": "false"}]}]
    wired = declared(
        OUTPUTS
        | {
            "alarm_topic_arn": "alarms",
            "extra_topic_arns": [EXTRA],
            "cluster_name": "cluster",
            "service_name": "sesbounce",
            "task_definition_arn": "task:2",
            "log_group_name": "/ecs/sesbounce",
        },
        [
            attached("example.com", "Bounce"),
            attached("example.com", "Complaint"),
            attached("example.org", "Bounce"),
            ("aws_ses_event_destination", destination(["bounce", "renderingFailure"])),
            (
                "aws_sesv2_configuration_set_event_destination",
                {"configuration_set_name": "set", "event_destination": [newer]},
            ),
            ("aws_sns_topic_subscription", {"arn": f"{TOPIC}:2", "raw_message_delivery": False}),
            ("aws_sns_topic_subscription", {"arn": f"{TOPIC}:1", "raw_message_delivery": True}),
            *(
                ("aws_ecs_task_definition", {"arn": arn, "container_definitions": json.dumps(made)})
                for arn, made in (("task:2", task), ("api:1", of_api))
            ),
        ],
    )
    assert wired.identities == {
        "example.com": {"Bounce", "Complaint"},
        "example.org": {"Bounce"},
    }
    assert wired.configuration_sets == {"set": {"BOUNCE", "RENDERINGFAILURE", "DELIVERYDELAY"}}
    assert wired.extra_topic_arns == (EXTRA,)
    assert wired.raw
    assert wired.needs_envelope
    assert wired.fills_suppression_list
    assert not wired.ses_v1
    assert wired.service == Service("cluster", "sesbounce", "task:2", "/ecs/sesbounce")
    assert (wired.region, wired.account) == ("eu-west-1", ACCOUNT)
    assert wired.ses_arn("identity", "example.com") == arn("ses", "identity/example.com")


def test_a_stack_may_have_version_1_of_ses_s_api_alone() -> None:
    destination = {"configuration_set_name": "set", "matching_types": ["bounce"]}
    assert declared(OUTPUTS, [("aws_ses_event_destination", destination)]).ses_v1


def test_topic_and_queue_may_exist_already() -> None:
    topic = "arn:aws:sns:eu-west-1:210987654321:SESBounce"
    without_dlq = {"topic_arn": topic, "dlq_arn": None, "dlq_url": None}
    wired = declared(OUTPUTS | without_dlq, [])
    assert (wired.region, wired.account) == ("eu-west-1", ACCOUNT)
    assert (wired.dlq_arn, wired.dlq_url) == (None, None)


def test_a_stack_may_be_but_a_queue() -> None:
    assert declared(OUTPUTS, []) == Wiring(**OUTPUTS)
    with pytest.raises(NothingDeployedError, match="deploy it first"):
        declared({}, [])


def test_a_schedule_is_read_from_the_outputs() -> None:
    wired = declared(OUTPUTS | SCHEDULED, [])
    definition = SCHEDULED["task_definition_arn"]
    assert wired.service is None
    assert wired.schedule == Schedule(
        "cluster", "sesbounce", definition, "/ecs/sesbounce", "acme", 900
    )


def test_a_function_is_read_from_the_outputs() -> None:
    variables = [{"variables": {"SESBOUNCE_TOPIC_ARNS": TOPIC}}]
    state = [("aws_lambda_function", {"environment": variables})]
    wired = declared(OUTPUTS | FUNCTION, state)
    assert wired.function == Function(*FUNCTION.values())
    assert wired.needs_envelope
    assert not declared(OUTPUTS | FUNCTION, []).needs_envelope
