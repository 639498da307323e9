"""The results of checks of the wiring, whatever stops them."""

import json
from typing import Any

from sesbounce.doctor import checks, ses_account, topic
from sesbounce.doctor.examine import examine
from sesbounce.doctor.finding import Status
from tests.unit.sesbounce.doctor.stubbed import SESSION, WIRING, result


def test_a_check_that_can_t_read_is_skipped(answers: Any) -> None:
    answers.refuses("sesv2", "get_account", "AccessDeniedException")
    found = result(ses_account.account, WIRING, answers)
    assert (found.status, found.findings) == (Status.SKIPPED, ())
    assert found.reason == (
        "GetAccount failed (AccessDeniedException: no): allow these credentials to call it, or "
        "look in the AWS console"
    )


def test_a_declared_resource_that_does_not_exist_is_broken(answers: Any) -> None:
    answers.refuses("sns", "get_topic_attributes", "NotFound")
    found = result(topic.topic, WIRING, answers)
    assert found.status is Status.BROKEN
    assert found.findings[0].what == "AWS finds no such resource (NotFound: no)"


def test_a_policy_that_can_t_be_evaluated_is_skipped(answers: Any) -> None:
    policy = json.dumps({"Statement": [{"Effect": "Allow", "NotAction": "sns:Subscribe"}]})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"Policy": policy}})
    found = result(topic.topic, WIRING, answers)
    assert found.status is Status.SKIPPED
    assert "NotAction" in found.reason


def test_what_the_wiring_does_not_have_is_skipped() -> None:
    (group,) = [checks.group(lambda: (WIRING, SESSION))]
    parts = {"ecs.service", "ecs.api", "ecs.schedule", "lambda.function", "lambda.sweep"}
    reasons = {r.id: r.reason for r in examine([group], parts.__contains__)}
    assert reasons == {
        "ecs.service": "there is no service of the worker",
        "ecs.api": "there is no service of the HTTP API",
        "ecs.schedule": "there is no schedule of the worker",
        "lambda.function": "there is no function of the worker",
        "lambda.sweep": "there is no function of the worker",
    }
