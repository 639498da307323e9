"""Where only boto3's client can honour the configuration, the direct path is off and says why."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
import structlog
from botocore.client import BaseClient
from botocore.config import Config

from sesbounce.aws.sqs_direct import open_direct_calls
from sesbounce.aws.sqs_unusual import unusual

AWS = "https://sqs.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def client(config: Config | None = None, region: str = "eu-west-1") -> Any:
    return boto3.Session().client("sqs", region_name=region, config=config)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(use_fips_endpoint=True),
        Config(use_dualstack_endpoint=True),
        Config(use_fips_endpoint=True, use_dualstack_endpoint=True),
        Config(retries={"mode": "adaptive"}, user_agent_extra="more"),
    ],
)
def test_endpoints_of_aws_are_usual(region: str, config: Config) -> None:
    """And they are those to which the client sends its requests."""
    sqs = client(config, region)
    assert unusual(sqs) == ""
    asked: list[str] = []

    def keep(request: Any, **_: object) -> None:
        asked.append(request.url)
        raise ConnectionAbortedError

    sqs.meta.events.register("before-sign.sqs", keep)
    with pytest.raises(ConnectionAbortedError):
        sqs.receive_message(QueueUrl=f"{AWS}/000000000000/feedback")
    assert asked == [f"{sqs.meta.endpoint_url}/"]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://[::1]:4566/base/"])
def test_endpoints_elsewhere_are_usual(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert unusual(client()) == ""


def test_a_proxy_for_other_hosts_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", ".amazonaws.com")
    assert unusual(client()) == ""


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:3128", "a proxy applies to the endpoint"),
        ("AWS_ENDPOINT_URL", "https://user:secret@127.0.0.1", "the endpoint's URL has a query"),
        ("AWS_ENDPOINT_URL", "https://127.0.0.1/?a=b", "the endpoint's URL has a query"),
        ("AWS_ENDPOINT_URL", "https://127.0.0.1/ä", "the endpoint's URL has a query"),
        ("AWS_AUTH_SCHEME_PREFERENCE", "sigv4a,sigv4", "not signed with Signature Version 4"),
        ("AWS_ACCESS_KEY_ID", "", "there are no credentials"),
    ],
)
def test_what_the_environment_asks_for(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    if not value:
        monkeypatch.delenv(variable)
    assert reason in unusual(client())


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Config(proxies={"https": "http://127.0.0.1:3128"}), "a proxy applies"),
        (Config(client_cert="/etc/client.pem"), "a client certificate is configured"),
        (Config(signature_version=botocore.UNSIGNED), "not signed with Signature Version 4"),
        (Config(signature_version="v4a"), "not signed with Signature Version 4"),
        (Config(signature_version="bearer"), "not signed with Signature Version 4"),
    ],
)
def test_what_the_configuration_asks_for(config: Config, reason: str) -> None:
    assert reason in unusual(client(config))


def hook(**_: object) -> None:
    pass


class Hooks:
    def hook(self, **_: object) -> None:
        pass

    def __call__(self, **_: object) -> None:
        pass


@pytest.mark.parametrize(
    "added", [hook, functools.partial(hook, a=1), Hooks().hook, Hooks(), lambda **_: None]
)
@pytest.mark.parametrize(
    "event",
    [
        "before-send",
        "before-sign.sqs",
        "before-call.sqs.DeleteMessageBatch",
        "after-call.*.ChangeMessageVisibilityBatch",
        "provide-client-params.sqs.ReceiveMessage",
        "*",
    ],
)
def test_a_hook_is_unusual(added: Callable[..., object], event: str) -> None:
    sqs = client()
    sqs.meta.events.register(event, added)
    assert "the hook " in unusual(sqs)


@pytest.mark.parametrize("event", ["before-send.s3", "before-send.sqs.SendMessage"])
def test_a_hook_on_something_else_is_usual(event: str) -> None:
    sqs = client()
    sqs.meta.events.register(event, hook)
    assert unusual(sqs) == ""


def test_a_hook_of_the_session_is_unusual() -> None:
    session = boto3.Session()
    session.events.register("request-created", hook)
    reason = unusual(session.client("sqs", region_name="eu-west-1"))
    assert reason == f"the hook {__name__}.hook is registered for request-created"


def test_a_tracer_is_unusual(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = BaseClient._make_api_call  # type: ignore[attr-defined]

    @functools.wraps(inner)
    def trace(*arguments: Any) -> Any:
        return inner(*arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", trace)
    assert unusual(client()) == "another library wraps boto3's calls"


def test_a_client_that_is_made_in_another_way_is_unusual() -> None:
    class Client:
        meta = client().meta

    assert "another way: 'Client' object has no attribute" in unusual(Client())  # type: ignore[arg-type]


def test_a_bundle_that_can_not_be_read_is_for_the_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It reports the problem at the first call."""
    for bundle in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        with structlog.testing.capture_logs() as logs:
            assert open_direct_calls(client()) is None
        assert str(logs[0]["reason"]).startswith("the CA bundle can't be read: ")
        (tmp_path / "empty.pem").touch()


def test_the_reason_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    with structlog.testing.capture_logs() as logs:
        assert open_direct_calls(client()) is None
    assert [(log["log_level"], log["reason"]) for log in logs] == [
        ("info", "a proxy applies to the endpoint")
    ]
