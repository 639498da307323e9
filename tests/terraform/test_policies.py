"""Asks the policies that Terraform renders what each principal may do.

`full` is the stack with all that can be switched on, `least` with nothing but the least.
"""

from typing import Any
from uuid import uuid4

import pytest

from sesbounce.doctor.iam import Request, allows
from tests.terraform.conftest import Report, assert_passed
from tests.terraform.grants import ALSO_GRANTED, EXPECTED, TEMPTING
from tests.terraform.names import ACCOUNT, OTHER_ACCOUNT, TOPIC


def test_they_are_rendered_without_a_complaint(report: Report) -> None:
    assert_passed(report)


def resources() -> set[str]:
    """All that is granted anywhere, and a neighbour of each."""
    named = {arn for run in EXPECTED.values() for grants in run.values() for arn in grants}
    foreign = {arn.replace(ACCOUNT, OTHER_ACCOUNT) for arn in named}
    elsewhere = {arn.replace("eu-west-1", "us-east-1") for arn in named}
    return named | {f"{arn}2" for arn in named} | foreign | elsewhere


def actions() -> set[str]:
    granted = {
        action
        for run in EXPECTED.values()
        for grants in run.values()
        for names in grants.values()
        for action in names
    }
    return granted | TEMPTING


@pytest.mark.parametrize("run", EXPECTED)
@pytest.mark.parametrize("policy", EXPECTED["full"])
def test_what_must_be_allowed_is_and_all_else_is_denied(
    rendered: dict[str, dict[str, Any]], run: str, policy: str
) -> None:
    grants = EXPECTED[run][policy]
    everywhere = set(grants.get("*", ()))
    for resource in sorted(resources()):
        for action in sorted(actions()):
            own = ALSO_GRANTED.get(resource, resource)
            expected = action in everywhere or action in grants.get(own, ())
            request = Request(action=action, resource=resource)
            assert allows(rendered[run][policy], request) is expected, (action, resource)


def test_the_operator_may_read_the_subscriptions_of_the_topics_alone(full: dict[str, Any]) -> None:
    own, foreign = (
        Request(action="sns:GetSubscriptionAttributes", resource=f"{topic}:{uuid4()}")
        for topic in (TOPIC, f"{TOPIC}2")
    )
    for policy in ("consumer_policy", "dlq_operator_policy"):
        assert allows(full[policy], own)
        assert not allows(full[policy], foreign)
