"""The commands of the Makefile, run for real."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local import demo, localstack
from scripts.local.localstack import CHECKOUT, LocalStack
from tests.integration.conftest import SENDER
from tests.integration.worker_process import Worker

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient


def names(session: Any) -> str:
    """Everything that a stack makes, in one text."""
    client = session.boto3.client
    found = [
        client("sns").list_topics()["Topics"],
        client("sns").list_subscriptions()["Subscriptions"],
        client("sqs").list_queues().get("QueueUrls", []),
        client("ses").list_configuration_sets()["ConfigurationSets"],
        client("ses").list_identities()["Identities"],
        client("iam").list_policies(Scope="Local")["Policies"],
        client("iam").list_users()["Users"],
    ]
    return json.dumps(found, default=str)


def simulate(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.local.simulate", "--from", SENDER, *arguments],
        cwd=CHECKOUT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_simulate_sends_and_waits_until_the_worker_has_recorded(
    sqs: "SQSClient", environment: Mapping[str, str], outputs: dict[str, Any], tmp_path: Path
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path)
    worker.run("db", "upgrade")  # simulate reads a database that exists
    everything = {**worker.environment, "SESBOUNCE_TOPIC_ARNS": outputs["topic_arn"]}
    with worker.running():
        done = simulate(everything, "--wait", "300")
    assert done.returncode == 0, done.stderr
    assert "SES accepted 4 mails" in done.stdout
    assert "bounce@simulator.amazonses.com: bounce (no_such_mailbox)" in done.stdout
    assert "complaint@simulator.amazonses.com: complaint (complaint_abuse)" in done.stdout
    assert {address for (address,) in worker.rows("SELECT address FROM suppressed")} == {
        "bounce@simulator.amazonses.com",
        "complaint@simulator.amazonses.com",
        "suppressionlist@simulator.amazonses.com",
    }


def test_simulate_says_when_nothing_is_recorded(
    sqs: "SQSClient", environment: Mapping[str, str], outputs: dict[str, Any], tmp_path: Path
) -> None:
    worker = Worker.make(environment, outputs["queue_url"], tmp_path)
    worker.drain()  # creates the tables; afterwards no worker runs
    topic = ("--topic-arn", outputs["topic_arn"])
    done = simulate(worker.environment, *topic, "--to", "a@b.example=bounce", "--wait", "0.1")
    assert done.returncode == 1
    assert "no events of 1 of 1 mails" in done.stderr
    assert "Is the worker running" in done.stderr


def test_simulate_needs_a_verified_sender(
    environment: Mapping[str, str], outputs: dict[str, Any]
) -> None:
    done = simulate(environment, "--topic-arn", outputs["topic_arn"], "--from", "x@other.example")
    assert done.returncode == 1
    assert "verified identity" in done.stderr


@pytest.mark.usefixtures("attached")
def test_the_demo_runs_twice_and_leaves_nothing_behind(
    aws: LocalStack,
    session: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(localstack.ENDPOINT_VARIABLE, aws.endpoint)
    folder = tmp_path / "demo"
    demo.run(folder)
    first = capsys.readouterr().out
    assert "13 added, 0 changed, 0 destroyed" in first
    place = demo.Workplace(folder)
    assert {email for _, email, mailable in demo.members(place.database) if not mailable} == {
        "bounce@simulator.amazonses.com",
        "Complaint@simulator.amazonses.com",
        "suppressionlist@simulator.amazonses.com",
        "Ann.Gone@Example.ORG",
        "max.full@example.net",
    }
    demo.run(folder)
    second = capsys.readouterr().out
    assert "0 added, 3 changed, 0 destroyed" in second
    assert first.partition("The suppression list")[2] == second.partition("The suppression list")[2]
    assert "sesbounce-demo" in names(session)
    demo.clean(folder)
    assert not folder.exists()
    assert "sesbounce-demo" not in names(session)
