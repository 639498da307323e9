"""The checks of what reads the queue: services, a schedule, or a function."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sesbounce.doctor import function, schedule, service
from sesbounce.doctor.declared import Service, declared
from sesbounce.doctor.finding import Status
from tests.unit.sesbounce.doctor.stubbed import (
    ACCOUNT,
    FUNCTION,
    FUNCTION_ARN,
    OUTPUTS,
    SCHEDULED,
    WIRING,
    arn,
    result,
    texts,
)


@pytest.mark.parametrize(
    ("found", "weight", "what"),
    [
        ({}, None, ""),
        ({"runningCount": 0}, "broken", "none of 1 tasks of sesbounce runs"),
        ({"taskDefinition": "x/task:1"}, "hint", "sesbounce runs task:1, but task:2 is declared"),
        ({"status": "INACTIVE"}, "broken", "there is no service sesbounce"),
        ({"runningCount": 0, "desiredCount": 0}, None, ""),
    ],
)
def test_the_service_runs_what_is_declared(
    answers: Any, found: dict[str, Any], weight: str | None, what: str
) -> None:
    wired = replace(WIRING, service=Service("c", "sesbounce", "x/task:2", "/ecs/sesbounce"))
    running = {
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 1,
        "taskDefinition": "x/task:2",
    }
    answers.to("ecs", "describe_services", {"services": [running | found]})
    assert texts(service.service(wired, answers)) == ([(weight, what)] if weight else [])


def test_the_service_of_the_api_is_checked_as_well(answers: Any) -> None:
    names = {"cluster_name": "c", "log_group_name": "/ecs/sesbounce"}
    api = {"api_service_name": "sesbounce-api", "api_task_definition_arn": "x/task:7"}
    wired = declared(OUTPUTS | names | api, [])
    assert wired.service is None
    assert wired.services == [Service("c", "sesbounce-api", "x/task:7", "/ecs/sesbounce")]
    answers.to("ecs", "describe_services", {"services": []})
    (found,) = service.api(wired, answers)
    assert found.what == "there is no service sesbounce-api"
    assert found.why == "no program gets an answer from the HTTP API"


@pytest.mark.parametrize(
    ("state", "definition", "status", "cluster", "found"),
    [
        ("ENABLED", 2, "ACTIVE", ["ACTIVE"], []),
        ("DISABLED", 2, "ACTIVE", ["ACTIVE"], [("broken", "the schedule sesbounce is disabled")]),
        (
            "ENABLED",
            1,
            "ACTIVE",
            ["ACTIVE"],
            [("hint", "the schedule sesbounce starts sesbounce:1, but sesbounce:2 is declared")],
        ),
        (
            "ENABLED",
            2,
            "INACTIVE",
            ["ACTIVE"],
            [("broken", "the task definition sesbounce:2 is not active")],
        ),
        ("ENABLED", 2, "ACTIVE", ["INACTIVE"], [("broken", "there is no cluster acme")]),
        ("ENABLED", 2, "ACTIVE", [], [("broken", "there is no cluster acme")]),
    ],
)
def test_the_schedule_starts_what_is_declared(
    answers: Any,
    state: str,
    definition: int,
    status: str,
    cluster: list[str],
    found: list[tuple[str, str]],
) -> None:
    answer_of_the_schedule(answers, state, definition)
    clusters = [{"status": each} for each in cluster]
    answers.to("ecs", "describe_clusters", {"clusters": clusters})
    answers.to("ecs", "describe_task_definition", {"taskDefinition": {"status": status}})
    role = {
        "Path": "/",
        "RoleName": "acme-schedule",
        "RoleId": "A" * 16,
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/acme-schedule",
        "CreateDate": datetime(2026, 11, 20, tzinfo=UTC),
    }
    answers.to("iam", "get_role", {"Role": role})
    wired = declared(OUTPUTS | SCHEDULED, [])
    assert texts(schedule.schedule(wired, answers)) == found


def answer_of_the_schedule(answers: Any, state: str = "ENABLED", definition: int = 2) -> None:
    task_definition = arn("ecs", f"task-definition/sesbounce:{definition}")
    target = {
        "Arn": arn("ecs", "cluster/acme"),
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/acme-schedule",
        "EcsParameters": {"TaskDefinitionArn": task_definition},
    }
    answers.to("scheduler", "get_schedule", {"State": state, "Target": target})


def test_a_schedule_without_its_role_is_broken(answers: Any) -> None:
    answer_of_the_schedule(answers)
    answers.to("ecs", "describe_clusters", {"clusters": [{"status": "ACTIVE"}]})
    answers.to("ecs", "describe_task_definition", {"taskDefinition": {"status": "ACTIVE"}})
    answers.refuses("iam", "get_role", "NoSuchEntity")
    found = result(schedule.schedule, declared(OUTPUTS | SCHEDULED, []), answers)
    assert found.status is Status.BROKEN
    assert found.findings[0].what == "AWS finds no such resource (NoSuchEntity: no)"


def test_a_schedule_that_somebody_has_deleted_is_broken(answers: Any) -> None:
    answers.refuses("scheduler", "get_schedule", "ResourceNotFoundException")
    found = result(schedule.schedule, declared(OUTPUTS | SCHEDULED, []), answers)
    assert found.status is Status.BROKEN


@pytest.mark.parametrize(
    ("configuration", "mapping", "found"),
    [
        ({}, {}, []),
        ({"State": "Inactive", "StateReason": "idle"}, {"State": "Updating"}, []),
        (
            {"State": "Failed", "StateReason": "the role is gone"},
            {},
            [("broken", "the function acme is Failed: the role is gone")],
        ),
        (
            {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no space"},
            {},
            [("broken", "the last update of acme has failed: no space")],
        ),
        (
            {},
            {"State": "Disabled", "StateTransitionReason": "USER_INITIATED"},
            [("broken", "the event source mapping of the queue is Disabled: USER_INITIATED")],
        ),
        (
            {},
            {"FunctionResponseTypes": []},
            [("broken", "the event source mapping lacks ReportBatchItemFailures")],
        ),
        (
            {},
            {"EventSourceArn": arn("sqs", "other")},
            [("broken", "the event source mapping joins another queue or another function")],
        ),
        (
            {"Timeout": 61},
            {},
            [
                (
                    "hint",
                    "the queue's visibility timeout is 360 seconds, less than six times the "
                    "function's timeout",
                )
            ],
        ),
    ],
)
def test_the_function_is_active_and_the_queue_calls_it(
    answers: Any,
    configuration: dict[str, Any],
    mapping: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    healthy = {
        "FunctionArn": FUNCTION_ARN,
        "LastUpdateStatus": "Successful",
        "State": "Active",
        "Timeout": 60,
    }
    enabled = {
        "State": "Enabled",
        "EventSourceArn": OUTPUTS["queue_arn"],
        "FunctionArn": FUNCTION_ARN,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    answers.to("lambda", "get_function_configuration", healthy | configuration)
    answers.to("lambda", "get_event_source_mapping", enabled | mapping)
    answers.to("sqs", "get_queue_attributes", {"Attributes": {"VisibilityTimeout": "360"}})
    wired = declared(OUTPUTS | FUNCTION, [])
    assert texts(function.function(wired, answers)) == found


@pytest.mark.parametrize(
    ("state", "found"),
    [("ENABLED", []), ("DISABLED", [("broken", "the schedule acme-sweep is disabled")])],
)
def test_the_schedule_of_the_sweeps_is_enabled(
    answers: Any, state: str, found: list[tuple[str, str]]
) -> None:
    answers.to("scheduler", "get_schedule", {"State": state})
    assert texts(function.sweep(declared(OUTPUTS | FUNCTION, []), answers)) == found


def test_a_function_that_somebody_has_deleted_is_broken(answers: Any) -> None:
    answers.refuses("lambda", "get_function_configuration", "ResourceNotFoundException")
    found = result(function.function, declared(OUTPUTS | FUNCTION, []), answers)
    assert found.status is Status.BROKEN


def test_a_worker_outside_ecs_is_not_checked(answers: Any) -> None:
    assert texts(service.service(WIRING, answers)) == []
    assert texts(schedule.schedule(WIRING, answers)) == []
    assert texts(function.function(WIRING, answers)) == []
    assert texts(function.sweep(WIRING, answers)) == []
