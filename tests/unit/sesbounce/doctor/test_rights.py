"""What the queue's readers may do, with answers of IAM's simulator as AWS documents them.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
tests/integration/test_stack.py asks LocalStack's simulator, which knows less.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError
from botocore.stub import ANY, Stubber

from sesbounce.doctor import rights, rights_report
from sesbounce.doctor.declared import Wiring, declared
from sesbounce.doctor.finding import Finding
from sesbounce.doctor.rights import Rights

ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
QUEUE = f"arn:aws:sqs:{HERE}:feedback"
TOPIC = f"arn:aws:sns:{HERE}:feedback"
KEY = f"arn:aws:kms:{HERE}:key/1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mail/sesbounce-task"
USER = f"arn:aws:iam::{ACCOUNT}:user/SQSAPI"

READ = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
]
READ_QUEUE = {(action, QUEUE) for action in READ}


def policy(*statements: tuple[list[str], str]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": [resource]}
                for actions, resource in statements
            ],
        }
    )


OUTPUTS: dict[str, Any] = {
    "topic_arn": TOPIC,
    "subscription_arn": f"{TOPIC}:1",
    "queue_arn": QUEUE,
    "queue_url": "https://sqs/feedback",
    "dlq_arn": f"{QUEUE}-dlq",
    "dlq_url": "https://sqs/feedback-dlq",
    "subscription_dlq_arn": f"{QUEUE}-subscription-dlq",
    "subscription_dlq_url": "https://sqs/feedback-subscription-dlq",
    "consumer_policy": policy((READ, QUEUE)),
    "task_role_arn": ROLE,
}
WIRING = declared(OUTPUTS, ())

SESSION: Any = boto3.Session("test", "test", region_name="eu-west-1")

Allowed = Collection[tuple[str, str]]


class Account:
    """An account whose IAM and STS give the answers that a test has for them."""

    def __init__(self, stack: ExitStack) -> None:
        self.clients = {name: SESSION.client(name) for name in ("iam", "sts")}
        self.stubs = {
            name: stack.enter_context(Stubber(client)) for name, client in self.clients.items()
        }

    def client(self, name: str) -> Any:
        return self.clients[name]

    def simulates(
        self, wiring: Wiring, identity: str, allowed: Allowed, size: int = 100, **more: Any
    ) -> None:
        """Answer each question, in pages; `more` belongs to what is denied."""
        for resource, actions in rights._questions(wiring, identity).items():
            results = [_result(action, resource, allowed, more) for action in actions]
            pages = [results[i : i + size] for i in range(0, len(results), size)]
            for number, page in enumerate(pages):
                answer: dict[str, Any] = {"EvaluationResults": page, "IsTruncated": False}
                asked: dict[str, Any] = {
                    "PolicySourceArn": identity,
                    "ActionNames": list(actions),
                    "ResourceArns": [resource],
                    "ContextEntries": ANY,
                }
                if number < len(pages) - 1:
                    answer |= {"IsTruncated": True, "Marker": str(number + 1)}
                if number:
                    asked["Marker"] = str(number)
                self.stubs["iam"].add_response("simulate_principal_policy", answer, asked)

    def refuses(self, method: str, code: str, message: str = "not you") -> None:
        self.stubs["iam"].add_client_error(method, code, message, http_status_code=403)

    def is_called_by(self, arn: str) -> None:
        self.stubs["sts"].add_response("get_caller_identity", {"Arn": arn})


def _result(action: str, resource: str, allowed: Allowed, more: dict[str, Any]) -> dict[str, Any]:
    """One result, in which AWS names the template of the resource's type, and the resource."""
    may = (action, resource) in allowed
    decision = "allowed" if may else "implicitDeny"
    specific: dict[str, Any] = {"EvalResourceName": resource, "EvalResourceDecision": decision}
    missing = {} if may else {k: v for k, v in more.items() if k == "MissingContextValues"}
    others = {} if may else {k: v for k, v in more.items() if k not in missing}
    return {
        "EvalActionName": action,
        "EvalResourceName": "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}",
        "EvalDecision": decision,
        "ResourceSpecificResults": [specific | missing],
        **others,
    }


@pytest.fixture
def account() -> Iterator[Any]:
    with ExitStack() as stack:
        yield Account(stack)


def texts(found: list[Rights]) -> list[str]:
    return [str(finding) for finding in rights_report.findings(found)]


def weights(found: list[Rights]) -> list[str]:
    return [str(finding.weight) for finding in rights_report.findings(found)]


def test_what_terraform_declares_is_read() -> None:
    assert WIRING.readers == (ROLE,)
    both = declared(OUTPUTS | {"consumer_user_arn": USER, "kms_key_arn": KEY}, ())
    assert both.readers == (ROLE, USER)
    assert (both.kms_key_arn, both.reader_policy) == (KEY, OUTPUTS["consumer_policy"])


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_role_that_reads_the_queue_and_nothing_else_is_sound(account: Any, size: int) -> None:
    account.simulates(WIRING, ROLE, READ_QUEUE, size)
    (found,) = rights.rights(WIRING, account)
    assert texts([found]) == []
    lines = rights_report.table(found).splitlines()
    assert lines[0] == f"What {ROLE} may do, by IAM's policy simulator:"
    assert lines[1].split() == ["action", "resource", "answer", "as", "it", "should", "be"]
    assert lines[2].split() == ["sqs:ReceiveMessage", "sqs:feedback", "allowed", "yes"]
    rows = {tuple(line.split()) for line in lines[2:]}
    assert {row[-1] for row in rows} == {"yes"}
    assert {
        ("sqs:PurgeQueue", "sqs:feedback", "denied", "yes"),
        ("sqs:DeleteQueue", "sqs:feedback", "denied", "yes"),
        ("sqs:SendMessage", "sqs:feedback", "denied", "yes"),
        ("sqs:ReceiveMessage", "sqs:feedback-another", "denied", "yes"),
        ("sns:Publish", "sns:feedback", "denied", "yes"),
        ("iam:PutRolePolicy", "iam:role/mail/sesbounce-task", "denied", "yes"),
        ("iam:CreateUser", "*", "denied", "yes"),
    } <= rows


def test_what_the_declared_policy_allows_is_no_excess(account: Any) -> None:
    """A stack whose worker may redrive, keep SES's list and decrypt with a key."""
    more = (["sqs:SendMessage"], QUEUE), (["ses:PutSuppressedDestination"], "*")
    wiring = replace(
        WIRING,
        kms_key_arn=KEY,
        reader_policy=policy((READ, QUEUE), (["kms:Decrypt"], KEY), *more),
    )
    allowed = READ_QUEUE | {
        ("sqs:SendMessage", QUEUE),
        ("ses:PutSuppressedDestination", "*"),
        ("kms:Decrypt", KEY),
    }
    account.simulates(wiring, ROLE, allowed)
    assert texts(rights.rights(wiring, account)) == []
    account.simulates(wiring, ROLE, allowed - {("kms:Decrypt", KEY)})
    (finding,) = texts(rights.rights(wiring, account))
    assert finding.startswith(f"broken: {ROLE} may not call kms:Decrypt on kms:key/1: ")


def test_a_right_that_is_missing_is_broken(account: Any) -> None:
    account.simulates(WIRING, ROLE, READ_QUEUE - {("sqs:DeleteMessage", QUEUE)})
    (found,) = rights.rights(WIRING, account)
    (finding,) = texts([found])
    assert finding.startswith(f"broken: {ROLE} may not call sqs:DeleteMessage on sqs:feedback: ")
    assert "make deploy" in finding
    (line,) = [line for line in rights_report.table(found).splitlines() if "must be" in line]
    assert line.split(maxsplit=3)[2:] == ["denied", "no: it must be allowed"]


@pytest.mark.parametrize(
    ("detail", "because"),
    [
        ({"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}, "(SCP)"),
        (
            {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
            "(boundary)",
        ),
    ],
)
def test_what_denies_a_call_is_named(account: Any, detail: dict[str, Any], because: str) -> None:
    account.simulates(WIRING, ROLE, (), **detail)
    (found,) = rights.rights(WIRING, account)
    assert weights([found]) == ["broken"]
    assert f"denied {because}" in rights_report.table(found)


def test_a_condition_that_the_simulator_can_t_know_is_no_fault(account: Any) -> None:
    account.simulates(WIRING, ROLE, (), MissingContextValues=["aws:SourceIp"])
    (found,) = rights.rights(WIRING, account)
    (finding,) = texts([found])
    assert finding.startswith(f"hint: whether {ROLE} may call sqs:ReceiveMessage on sqs:feedback,")
    assert "depends on aws:SourceIp" in finding
    assert "depends on aws:SourceIp" in rights_report.table(found)


@pytest.mark.parametrize(
    ("partition", "region", "suffix"),
    [
        ("aws", "eu-west-1", "amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ],
)
def test_known_conditions_are_given(partition: str, region: str, suffix: str) -> None:
    queue = QUEUE.replace("arn:aws:sqs:eu-west-1", f"arn:{partition}:sqs:{region}")
    entries = rights._context(replace(WIRING, queue_arn=queue))
    assert {(e["ContextKeyName"], *e["ContextKeyValues"]) for e in entries} == {
        ("aws:RequestedRegion", region),
        ("aws:SecureTransport", "true"),
        ("kms:ViaService", f"sqs.{region}.{suffix}"),
    }


def test_more_rights_than_a_worker_needs_are_a_hint(account: Any) -> None:
    wiring = replace(WIRING, readers=(USER,))
    wild = {("sqs:ReceiveMessage", f"{QUEUE}-another"), ("iam:CreateAccessKey", USER)}
    account.simulates(wiring, USER, READ_QUEUE | wild)
    (finding,) = texts(rights.rights(wiring, account))
    assert finding.startswith(
        f"hint: {USER} may also call sqs:ReceiveMessage on sqs:feedback-another, "
        "iam:CreateAccessKey on iam:user/SQSAPI: "
    )


def test_each_reader_is_asked_about(account: Any) -> None:
    wiring = replace(WIRING, readers=(ROLE, USER))
    for reader in wiring.readers:
        account.simulates(wiring, reader, READ_QUEUE)
    assert [found.identity for found in rights.rights(wiring, account)] == [ROLE, USER]


# --- Where nobody can be asked ------------------------------------------------------------------


@pytest.mark.parametrize("code", ["AccessDenied", "InternalFailure"])
def test_who_may_not_simulate_is_told_so_and_nothing_is_wrong(account: Any, code: str) -> None:
    account.refuses("simulate_principal_policy", code)
    (found,) = rights.rights(WIRING, account)
    assert texts([found]) == []
    assert rights_report.table(found) == (
        f"What {ROLE} may do is not checked: iam:SimulatePrincipalPolicy: {code}: not you"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EndpointConnectionError(endpoint_url="https://iam"), "Could not connect to the endpoint"),
        # moto's server answers so, and so does a proxy that stands in the way.
        (ResponseParserError("invalid XML received: <!doctype html>"), "not one of IAM's"),
    ],
)
def test_an_iam_that_does_not_answer_breaks_nothing(
    account: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(account.clients["iam"], "_make_api_call", fail)
    (found,) = rights.rights(WIRING, account)
    assert told in rights_report.table(found)
    assert texts([found]) == []


def test_an_answer_that_lacks_an_action_is_none(account: Any) -> None:
    answer = {"EvaluationResults": [_result("sqs:ReceiveMessage", QUEUE, READ_QUEUE, {})]}
    account.stubs["iam"].add_response("simulate_principal_policy", answer)
    (found,) = rights.rights(WIRING, account)
    assert "not one of IAM's" in rights_report.table(found)
    assert texts([found]) == []


def test_a_declared_policy_that_can_t_be_read_breaks_nothing(account: Any) -> None:
    account.simulates(WIRING, ROLE, READ_QUEUE)
    (found,) = rights.rights(replace(WIRING, reader_policy='{"Statement": [{}]}'), account)
    assert "is not checked: the declared policy: sesbounce can't evaluate" in rights_report.table(
        found
    )
    assert texts([found]) == []


def test_a_reader_that_is_gone_is_broken(account: Any) -> None:
    account.refuses("simulate_principal_policy", "NoSuchEntity")
    (finding,) = texts(rights.rights(WIRING, account))
    assert finding.startswith(f"broken: AWS finds no {ROLE}: ")


# --- Without a declared reader, the caller ------------------------------------------------------

ELSEWHERE = replace(WIRING, readers=())


def test_an_administrator_who_deploys_breaks_nothing(account: Any) -> None:
    account.is_called_by(USER)
    everything = {
        (action, resource)
        for resource, actions in rights._questions(ELSEWHERE, USER).items()
        for action in actions
    }
    account.simulates(ELSEWHERE, USER, everything)
    found = rights.rights(ELSEWHERE, account)
    assert weights(found) == ["hint"]
    assert "create_consumer_user = true" in texts(found)[0]


def test_a_deployer_without_rights_to_the_queue_breaks_nothing(account: Any) -> None:
    account.is_called_by(f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session")
    role = f"arn:aws:iam::{ACCOUNT}:role/people/deployer"
    answer = {
        "Role": {
            "Arn": role,
            "Path": "/people/",
            "RoleName": "deployer",
            "RoleId": "AROAEXAMPLEEXAMPLE",
            "CreateDate": "2026-01-01T00:00:00Z",
        }
    }
    account.stubs["iam"].add_response("get_role", answer, {"RoleName": "deployer"})
    account.simulates(ELSEWHERE, role, ())
    found = rights.rights(ELSEWHERE, account)
    assert found[0].identity == role
    assert weights(found) == ["hint"]


def test_a_role_that_can_t_be_read_is_skipped(account: Any) -> None:
    account.is_called_by(f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session")
    account.refuses("get_role", "AccessDenied")
    (found,) = rights.rights(ELSEWHERE, account)
    assert found.skipped == "iam:GetRole: AccessDenied: not you"
    assert texts([found]) == []


@pytest.mark.parametrize(
    "arn",
    [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:federated-user/jane"],
)
def test_who_is_neither_user_nor_role_is_skipped(account: Any, arn: str) -> None:
    account.is_called_by(arn)
    (found,) = rights.rights(ELSEWHERE, account)
    assert "knows users, groups and roles only" in rights_report.table(found)
    assert list[Finding](rights_report.findings([found])) == []
