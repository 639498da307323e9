"""Lambda as it answers to a deployment."""

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from scripts.deploy import function
from scripts.deploy.function import FunctionError
from scripts.package.build import Package
from scripts.terraform.plan import Plan
from sesbounce.doctor.declared import Function

FUNCTION = Function(
    "acme", "14e0db71", "arn:aws:scheduler:eu-west-1:123456789012:schedule/acme-sweep/acme-sweep"
)


class Lambda:
    """A session with a client of Lambda that gives the answers that a test has for it."""

    def __init__(self) -> None:
        self.of: Any = boto3.client(
            "lambda",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.stub = Stubber(self.of)
        self.said: list[str] = []

    def client(self, name: str, **_: object) -> Any:
        assert name == "lambda"
        return self.of

    @property
    def session(self) -> boto3.Session:
        return cast("boto3.Session", self)

    def answers(self, payload: Any, **more: Any) -> None:
        text = json.dumps(payload).encode()
        answer = {"Payload": StreamingBody(io.BytesIO(text), len(text)), "StatusCode": 200, **more}
        wanted = {"FunctionName": "acme", "Payload": '{"sesbounce": "sweep"}', "LogType": "Tail"}
        self.stub.add_response("invoke", answer, wanted)


@pytest.fixture
def aws() -> Iterator[Lambda]:
    aws = Lambda()
    with aws.stub:
        yield aws
    aws.stub.assert_no_pending_responses()


def test_a_sweep_shows_that_the_function_works(aws: Lambda) -> None:
    aws.answers({})
    function.sweep_now(aws.session, FUNCTION, aws.said.append)
    assert aws.said[-1] == "acme works."


def test_a_function_that_fails_says_why(aws: Lambda) -> None:
    log = base64.b64encode("START\n[ERROR] StoreError …\n".encode()).decode()
    problem = {"errorMessage": "the password is wrong", "errorType": "StoreError"}
    aws.answers(problem, FunctionError="Unhandled", LogResult=log)
    with pytest.raises(FunctionError, match=r"(?s)acme fails: the password is wrong.*StoreError …"):
        function.sweep_now(aws.session, FUNCTION, aws.said.append)


def test_a_call_that_lambda_rejects(aws: Lambda) -> None:
    aws.stub.add_client_error("invoke", "AccessDeniedException", "no")
    with pytest.raises(
        FunctionError, match=r"AccessDeniedException: no\. This needs lambda:Invoke"
    ):
        function.sweep_now(aws.session, FUNCTION, aws.said.append)


def test_a_restart_changes_the_description_and_waits(
    aws: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    when = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
    text = "Records the feedback of SES from the queue. Restarted 2026-11-26 08:30:00Z."
    wanted = {"FunctionName": "acme", "Description": text}
    aws.stub.add_response("update_function_configuration", {}, wanted)
    for status in ("InProgress", "Successful"):
        aws.stub.add_response("get_function", {"Configuration": {"LastUpdateStatus": status}})
    function.restart(aws.session, FUNCTION, aws.said.append, lambda: when)
    assert aws.said == ["acme has a new configuration: new invocations read the secrets."]


def test_a_restart_that_fails(aws: Lambda) -> None:
    aws.stub.add_response("update_function_configuration", {})
    aws.stub.add_response("get_function", {"Configuration": {"LastUpdateStatus": "Failed"}})
    with pytest.raises(FunctionError, match="acme is not updated"):
        function.restart(aws.session, FUNCTION, aws.said.append)
    aws.stub.add_client_error("update_function_configuration", "ResourceNotFoundException", "no")
    with pytest.raises(FunctionError, match=r"ResourceNotFoundException: no\. This needs"):
        function.restart(aws.session, FUNCTION, aws.said.append)


def test_the_package_is_named_from_terraform_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = tmp_path / ".local/package/sesbounce.zip"
    zipped.parent.mkdir(parents=True)
    zipped.write_bytes(b"zip")
    built: list[str] = []

    def build(architecture: str) -> Package:
        built.append(architecture)
        return Package(zipped, "sha-0123456789ab")

    monkeypatch.setattr(function, "build", build)
    said: list[str] = []
    plan = Plan((), {"function_architecture": "x86_64"}, {}, Path("saved"))
    path = function.package(plan, tmp_path / "terraform", said.append)
    assert path == "../.local/package/sesbounce.zip"
    assert built == ["x86_64"]
    assert said == ["The function's package: sha-0123456789ab for x86_64, 0.0 MiB."]
    without = Plan((), {"function_architecture": None}, {}, Path("saved"))
    assert function.package(without, tmp_path, said.append) is None
