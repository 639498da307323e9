"""Who may do what, asked of the policies that Terraform renders."""

from typing import Any

import pytest

from tests.terraform.conftest import Terraform
from tests.terraform.iam import Request, allows

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "999999999999"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:sesbounce-feedback"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:sesbounce-feedback"
SUBSCRIPTION_DLQ = f"{QUEUE}-subscription-dlq"
IDENTITY = f"arn:aws:ses:eu-west-1:{ACCOUNT}:identity/example.com"
CONFIGURATION_SET = f"arn:aws:ses:eu-west-1:{ACCOUNT}:configuration-set/newsletter"
SNS = ("Service", "sns.amazonaws.com")
SES = ("Service", "ses.amazonaws.com")
SOMEBODY = ("AWS", OTHER_ACCOUNT)


@pytest.fixture(scope="module")
def policies(terraform: Terraform) -> dict[str, str]:
    """The documents that the stack's own test renders."""
    report = terraform.test(".", "-verbose", "-filter=tests/rendered.tftest.hcl")
    state: dict[str, Any] = next(
        line["test_state"] for line in report if line["type"] == "test_state"
    )
    return {name: output["value"] for name, output in state["outputs"].items()}


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("ReceiveMessage", True),
        ("DeleteMessage", True),
        ("ChangeMessageVisibility", True),
        ("GetQueueAttributes", True),
        ("SendMessage", False),
        ("PurgeQueue", False),
        ("DeleteQueue", False),
        ("SetQueueAttributes", False),
        ("AddPermission", False),
    ],
)
def test_the_consumer_consumes_one_queue(
    policies: dict[str, str], action: str, *, allowed: bool
) -> None:
    policy = policies["consumer_policy"]
    assert allows(policy, Request(action=f"sqs:{action}", resource=QUEUE)) is allowed
    assert not allows(policy, Request(action=f"sqs:{action}", resource=f"{QUEUE}-dlq"))
    assert not allows(policy, Request(action=f"sqs:{action}", resource=f"{QUEUE}2"))


@pytest.mark.parametrize(
    ("name", "queue"), [("queue_policy", QUEUE), ("subscription_dlq_policy", SUBSCRIPTION_DLQ)]
)
@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": f"{TOPIC}2"}, False),
        ({"source": TOPIC.replace(ACCOUNT, OTHER_ACCOUNT)}, False),
        ({"source": None}, False),
        ({"principal": SES}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sqs:ReceiveMessage"}, False),
        ({"action": "sqs:PurgeQueue"}, False),
    ],
)
def test_only_this_topic_sends(
    policies: dict[str, str], name: str, queue: str, changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {"action": "sqs:SendMessage", "principal": SNS, "source": TOPIC, "secure": "true"}
    assert allows(policies[name], _request(queue, **(asked | changed))) is allowed


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"source": CONFIGURATION_SET}, True),
        ({"source": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/example.com"}, False),
        ({"source": f"arn:aws:ses:eu-west-1:{ACCOUNT}:receipt-rule-set/inbound"}, False),
        ({"source": IDENTITY.replace(ACCOUNT, OTHER_ACCOUNT)}, False),
        ({"account": OTHER_ACCOUNT}, False),
        ({"source": None}, False),
        ({"principal": SNS}, False),
        ({"principal": SOMEBODY}, False),
        ({"secure": "false"}, False),
        ({"action": "sns:Subscribe"}, False),
        ({"action": "sns:SetTopicAttributes"}, False),
    ],
)
def test_only_ses_of_this_account_publishes(
    policies: dict[str, str], changed: dict[str, Any], *, allowed: bool
) -> None:
    asked = {
        "action": "sns:Publish",
        "principal": SES,
        "source": IDENTITY,
        "account": ACCOUNT,
        "secure": "true",
    }
    assert allows(policies["topic_policy"], _request(TOPIC, **(asked | changed))) is allowed


def _request(
    resource: str,
    *,
    action: str,
    principal: tuple[str, str],
    source: str | None,
    secure: str,
    account: str = ACCOUNT,
) -> Request:
    context = {"aws:SecureTransport": secure, "aws:SourceAccount": account}
    if source is not None:
        context["aws:SourceArn"] = source
    return Request(action=action, resource=resource, principal=principal, context=context)
