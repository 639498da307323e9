"""Asks what a schedule may start, and nothing else."""

from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.names import (
    ACCOUNT,
    AT_ITS_START,
    EXECUTION_ROLE,
    FOR_TASKS,
    IAM,
    IN_CLUSTER,
    OTHER_ACCOUNT,
    OURS,
    QUEUE,
    REGION,
    SCHEDULE_ROLE,
    TASK,
    TASK_DEFINITION,
    TASK_ROLE,
    Call,
)

SCHEDULE = {"aws:PrincipalArn": SCHEDULE_ROLE}
# The calls of a schedule, and the same with one thing wrong.
STARTING: list[Call] = [
    ("ecs:RunTask", TASK_DEFINITION, IN_CLUSTER),
    ("ecs:TagResource", TASK, AT_ITS_START),
    ("iam:PassRole", TASK_ROLE, FOR_TASKS),
    ("iam:PassRole", EXECUTION_ROLE, FOR_TASKS),
]
NOT_STARTING: list[Call] = [
    ("ecs:RunTask", TASK_DEFINITION, {}),
    ("ecs:RunTask", TASK_DEFINITION, {"ecs:cluster": f"arn:aws:ecs:{REGION}:cluster/shared"}),
    ("ecs:RunTask", TASK_DEFINITION.replace("sesbounce", "sesbounce-prod"), IN_CLUSTER),
    ("ecs:RunTask", TASK_DEFINITION.replace(ACCOUNT, OTHER_ACCOUNT), IN_CLUSTER),
    ("ecs:StopTask", TASK, OURS),
    ("ecs:TagResource", TASK, {}),
    ("ecs:TagResource", TASK, {"ecs:CreateAction": "StartTask"}),
    ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:service/sesbounce/sesbounce", {}),
    ("iam:PassRole", TASK_ROLE, {}),
    ("iam:PassRole", TASK_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", SCHEDULE_ROLE, FOR_TASKS),
    ("iam:PassRole", f"{IAM}:role/sesbounce-deploy", FOR_TASKS),
    ("iam:PassRole", f"{IAM}:role/admin", FOR_TASKS),
    ("sqs:ReceiveMessage", QUEUE, {}),
]


@pytest.mark.parametrize("calls", [STARTING, NOT_STARTING])
def test_a_schedule_starts_this_worker_and_nothing_else(
    rendered: dict[str, dict[str, Any]], calls: list[Call]
) -> None:
    outputs = rendered["scheduled"]
    for action, resource, context in calls:
        request = Request(action=action, resource=resource, context=context | SCHEDULE)
        allowed = [
            allows(outputs[name], request)
            for name in ("schedule_policy", "permissions_boundary_policy")
        ]
        assert all(allowed) is (calls is STARTING), request


@pytest.mark.parametrize(("action", "resource", "context"), STARTING)
@pytest.mark.parametrize("principal", [{}, {"aws:PrincipalArn": TASK_ROLE}])
def test_the_boundary_lets_no_other_role_start_tasks(
    full: dict[str, Any],
    action: str,
    resource: str,
    context: dict[str, str],
    principal: dict[str, str],
) -> None:
    request = Request(action=action, resource=resource, context=context | principal)
    assert not allows(full["permissions_boundary_policy"], request)
