"""Asks who may take each role."""

from typing import Any

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.names import (
    ACCOUNT,
    GITHUB,
    GROUP,
    OTHER_ACCOUNT,
    REGION,
    SCHEDULER,
    SOMEBODY,
    TASKS,
)
from tests.terraform.requesting import request_to_assume, with_resource


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/1"}, False),
        ({"source": f"arn:aws:ecs:eu-west-1:{OTHER_ACCOUNT}:task/1"}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"principal": ("Service", "ec2.amazonaws.com")}, False),
        ({"principal": SOMEBODY}, False),
    ],
)
def test_only_tasks_of_this_account_take_the_roles(
    full: dict[str, Any], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {
        "action": "sts:AssumeRole",
        "principal": TASKS,
        "source": f"arn:aws:ecs:{REGION}:task/1",
    }
    request = request_to_assume(**(asked | changed))
    assert allows(with_resource(full["trust_policy"]), request) is allowed


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"{GROUP}-prod"}, False),
        ({"source": f"arn:aws:scheduler:{REGION}:schedule-group/default"}, False),
        ({"source": None}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"principal": TASKS}, False),
        ({"principal": ("Service", "events.amazonaws.com")}, False),
        ({"principal": SOMEBODY}, False),
    ],
)
def test_only_the_schedule_of_this_stack_takes_its_role(
    rendered: dict[str, dict[str, Any]], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sts:AssumeRole", "principal": SCHEDULER, "source": GROUP}
    request = request_to_assume(**(asked | changed))
    trust = rendered["scheduled"]["schedule_trust_policy"]
    assert allows(with_resource(trust), request) is allowed


@pytest.mark.parametrize(
    ("subject", "audience", "allowed"),
    [
        ("repo:acme/mail:ref:refs/heads/main", "sts.amazonaws.com", True),
        ("repo:acme@1/mail@2:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/main2", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/feature", "sts.amazonaws.com", False),
        ("repo:acme/mail:pull_request", "sts.amazonaws.com", False),
        ("repo:acme/mail:environment:production", "sts.amazonaws.com", False),
        ("repo:acme/mail2:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:stranger/mail:ref:refs/heads/main", "sts.amazonaws.com", False),
        ("repo:acme/mail:ref:refs/heads/main", "somebody-else", False),
        ("", "sts.amazonaws.com", False),
        (None, "sts.amazonaws.com", False),
    ],
)
def test_only_one_branch_deploys(
    full: dict[str, Any], subject: str | None, audience: str, *, allowed: bool
) -> None:
    assert _is_trusted(full, subject, audience) is allowed


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [
        # GitHub's tokens hold the numbers, or, in a repository from before, the names alone.
        ("repo:acme@123456/mail@456789:environment:production", True),
        ("repo:acme@123456/mail@456789:ref:refs/heads/main", True),
        ("repo:acme/mail:environment:production", True),
        ("repo:acme/mail:ref:refs/heads/main", True),
        ("repo:acme@123456/mail@456789:environment:staging", False),
        ("repo:acme@123456/mail@456789:ref:refs/heads/main2", False),
        ("repo:acme@123456/mail@456789:pull_request", False),
        ("repo:acme@999/mail@456789:ref:refs/heads/main", False),
        ("repo:acme@123456/mail@999:ref:refs/heads/main", False),
        ("repo:acme@123456/mail:ref:refs/heads/main", False),
        ("repo:acme/mail@456789:ref:refs/heads/main", False),
        ("repo:stranger@123456/mail@456789:ref:refs/heads/main", False),
        ("repo:acme@/mail@:ref:refs/heads/main", False),
        (None, False),
    ],
)
def test_both_forms_of_the_subject_deploy(
    rendered: dict[str, dict[str, Any]], subject: str | None, *, allowed: bool
) -> None:
    assert _is_trusted(rendered["managed"], subject, "sts.amazonaws.com") is allowed


def _is_trusted(outputs: dict[str, Any], subject: str | None, audience: str) -> bool:
    host = "token.actions.githubusercontent.com"
    context = {f"{host}:aud": audience} | ({} if subject is None else {f"{host}:sub": subject})
    request = Request(
        action="sts:AssumeRoleWithWebIdentity", resource="role", principal=GITHUB, context=context
    )
    return allows(with_resource(outputs["deploy_role_trust_policy"]), request)


@pytest.mark.parametrize(
    ("name", "principal", "source", "account", "allowed"),
    [
        ("function_trust_policy", "lambda", None, ACCOUNT, True),
        ("function_trust_policy", "lambda", None, OTHER_ACCOUNT, False),
        ("function_trust_policy", "ecs-tasks", None, ACCOUNT, False),
        ("sweep_trust_policy", "scheduler", f"{GROUP}-sweep", ACCOUNT, True),
        ("sweep_trust_policy", "scheduler", GROUP, ACCOUNT, False),
        ("sweep_trust_policy", "scheduler", f"{GROUP}-sweep", OTHER_ACCOUNT, False),
        ("sweep_trust_policy", "lambda", f"{GROUP}-sweep", ACCOUNT, False),
    ],
)
def test_only_lambda_and_the_sweep_s_schedule_take_their_roles(
    rendered: dict[str, dict[str, Any]],
    name: str,
    principal: str,
    source: str | None,
    account: str,
    *,
    allowed: bool,
) -> None:
    service = ("Service", f"{principal}.amazonaws.com")
    asked = request_to_assume(
        action="sts:AssumeRole", principal=service, source=source, account=account
    )
    assert allows(with_resource(rendered["lambda"][name]), asked) is allowed
