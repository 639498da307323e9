"""AWS answers that no emulator gives, and the wiring that checks compare with them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import boto3
from botocore.stub import Stubber

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.examine import Check, Group, examine
from sesbounce.doctor.finding import Finding, Result

ACCOUNT = "123456789012"


def arn(of: str, name: str) -> str:
    return f"arn:aws:{of}:eu-west-1:{ACCOUNT}:{name}"


TOPIC = arn("sns", "feedback")
EXTRA = f"arn:aws:sns:us-east-1:{ACCOUNT}:feedback"
OUTPUTS: dict[str, Any] = {
    "topic_arn": TOPIC,
    "subscription_arn": f"{TOPIC}:1",
    "queue_arn": arn("sqs", "feedback"),
    "queue_url": "https://sqs/feedback",
    "dlq_arn": arn("sqs", "feedback-dlq"),
    "dlq_url": "https://sqs/feedback-dlq",
    "subscription_dlq_arn": arn("sqs", "feedback-subscription-dlq"),
    "subscription_dlq_url": "https://sqs/feedback-subscription-dlq",
}
WIRING = Wiring(
    **OUTPUTS,
    identities={"example.com": frozenset({"Bounce", "Complaint"})},
    alarm_topic_arn=arn("sns", "operators"),
    alarm_names=("sesbounce-dlq", "sesbounce-failed"),
)


# One for all: botocore reads its descriptions of AWS, which are large, only once a session.
SESSION: Any = boto3.Session("test", "test", region_name="eu-west-1")


class Answers:
    """A session whose clients give the answers that a test has for them."""

    def __init__(self, stack: ExitStack) -> None:
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}
        self._stack = stack
        self.regions: list[str | None] = []

    def client(self, name: str, region_name: str | None = None) -> Any:
        self.regions.append(region_name)
        if name not in self._clients:
            self._clients[name] = SESSION.client(name)
            self._stubs[name] = self._stack.enter_context(Stubber(self._clients[name]))
        return self._clients[name]

    def to(self, name: str, method: str, answer: dict[str, Any]) -> None:
        self.client(name)
        self._stubs[name].add_response(method, answer)

    def refuses(self, name: str, method: str, code: str) -> None:
        self.client(name)
        self._stubs[name].add_client_error(method, code, "no", http_status_code=403)


def texts(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(str(finding.weight), finding.what) for finding in findings]


SET = replace(
    WIRING, configuration_sets={"set": frozenset({"BOUNCE", "DELIVERYDELAY", "SUBSCRIPTION"})}
)


def sent_by(*topics: str, **more: str) -> dict[str, Any]:
    """SQS's answer about a queue that accepts these topics."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": WIRING.queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return {"Attributes": {"Policy": policy} | more}


SCHEDULED: dict[str, Any] = {
    "cluster_name": "cluster",
    "schedule_arn": arn("scheduler", "schedule/acme/sesbounce"),
    "task_definition_arn": arn("ecs", "task-definition/sesbounce:2"),
    "log_group_name": "/ecs/sesbounce",
    "run_interval_seconds": 900,
}

FUNCTION: dict[str, Any] = {
    "function_name": "acme",
    "event_source_mapping_id": "14e0db71-5d35-4eb5-b481-8945cf9d10c2",
    "sweep_arn": arn("scheduler", "schedule/acme-sweep/acme-sweep"),
}
FUNCTION_ARN = arn("lambda", "function:acme")


def result(run: Any, wired: Wiring, answers: Any) -> Result:
    """The result of one check, whatever stops it."""
    (found,) = examine([Group([Check("a.b", "it is right", run)], lambda: (wired, answers))])
    return found
