"""The doctor finds the path by itself: each link is broken in turn, named alone, and mended."""

import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from click.testing import CliRunner

from scripts.local.localstack import LocalStack
from scripts.local.ses_messages import Mail, messages, scenario_of
from sesbounce.cli import main
from sesbounce.console.examiner import Examiner
from sesbounce.opening import open_store
from sesbounce.settings import load_settings
from tests.integration.test_deploy_wiring import Real, real, session
from tests.integration.worker_process import Worker
from tests.support import until

__all__ = ["real", "session"]  # fixtures

Doctor = Callable[..., dict[str, dict[str, Any]]]

# Only these change nothing, by AWS's own naming.
READ_ONLY = ("Get", "List", "Describe", "Simulate")
# The calls that Terraform's `doctor_policy` allows.
POLICY = set(
    re.findall(
        r'"[a-z]+:(\w+)"',
        (Path(__file__).parents[2] / "terraform/modules/queue_consumer/doctor.tf").read_text(
            "utf-8"
        ),
    )
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all calls of AWS, as they are made."""
    made: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        made.append(operation)
        return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return made


@pytest.fixture
def doctor(real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the command for the small stack and a new database; the results by the check's name."""
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", real.wiring.queue_url)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{tmp_path / 'doctor.sqlite3'}")
    with open_store(load_settings(), migrate=True):
        pass

    def run(*arguments: str) -> dict[str, dict[str, Any]]:
        answer = CliRunner().invoke(main, ["doctor", "--json", *arguments])
        assert answer.exit_code in (0, 1), answer.output
        results = [json.loads(line) for line in answer.stdout.splitlines()]
        broken = any(result["status"] == "broken" for result in results)
        assert answer.exit_code == broken
        return {result["id"]: result for result in results}

    return run


def examined_by_the_console() -> dict[str, str]:
    """The status of each check that the server of the console makes."""
    examiner = Examiner(load_settings(), lambda: datetime.now(UTC))
    examiner.begin()
    until(lambda: examiner.running is None)
    assert examiner.last
    assert examiner.last.whole
    return {result.id: result.status for result in examiner.last.results}


def statuses(results: dict[str, dict[str, Any]], status: str) -> set[str]:
    return {name for name, result in results.items() if result["status"] == status}


def test_it_finds_a_sound_path_and_changes_nothing(
    doctor: Doctor, real: Real, calls: list[str]
) -> None:
    real.send_other_events("bounce", "complaint")
    calls.clear()
    results = doctor()
    assert statuses(results, "broken") == set()
    assert statuses(results, "hint") == {"database.last-event"}
    assert {"aws.credentials", "sns.topic", "sns.subscription", "sqs.queue", "sqs.backlog"} <= (
        statuses(results, "ok")
    )
    assert calls
    assert [name for name in calls if not name.startswith(READ_ONLY)] == []
    calls.clear()
    examined = examined_by_the_console()
    del results["iam.rights"]
    assert examined == {name: found["status"] for name, found in results.items()}
    # Nobody needs a right to ask who they are; LocalStack has but version 1 of some of SES's API.
    assert set(calls) - POLICY <= {"GetCallerIdentity", "DescribeConfigurationSet"}


Step = Callable[[Real], object]

LINKS: dict[str, tuple[Step, Step]] = {
    "sns.topic": (
        lambda real: real.let_ses_publish(account="999999999999"),
        lambda real: real.let_ses_publish(),
    ),
    "sns.subscription": (
        lambda real: real.set_subscription("FilterPolicy", '{"kind": ["bounce"]}'),
        lambda real: real.set_subscription("FilterPolicy", "{}"),
    ),
    "sqs.queue": (
        lambda real: real.set_queue(
            real.wiring.queue_url,
            Policy=real.queue_policy(real.wiring.dlq_arn or "", real.wiring.topic_arn),
        ),
        lambda real: real.set_queue(
            real.wiring.queue_url,
            Policy=real.queue_policy(real.wiring.queue_arn, real.wiring.topic_arn),
        ),
    ),
    "sqs.subscription-dlq": (
        lambda real: real.set_queue(real.wiring.subscription_dlq_url, Policy=""),
        lambda real: real.set_queue(
            real.wiring.subscription_dlq_url,
            Policy=real.queue_policy(real.wiring.subscription_dlq_arn, real.wiring.topic_arn),
        ),
    ),
    "sqs.dead-letters": (
        lambda real: real.sqs.send_message(QueueUrl=real.wiring.dlq_url or "", MessageBody="x"),
        lambda real: real.sqs.purge_queue(QueueUrl=real.wiring.dlq_url or ""),
    ),
    "ses.configuration-sets": (
        lambda real: real.send_other_events("renderingFailure", "bounce"),
        lambda real: real.send_other_events("bounce", "complaint"),
    ),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_broken_link_is_named_and_its_remedy_mends_it(
    doctor: Doctor, real: Real, link: str
) -> None:
    real.send_other_events("bounce", "complaint")
    break_it, mend = LINKS[link]
    break_it(real)
    found = doctor("--only", "ses", "--only", "sns", "--only", "sqs")
    assert statuses(found, "broken") == {link}
    assert all(each["remedy"] for each in found[link]["findings"])
    mend(real)
    assert doctor("--only", link)[link]["status"] == "ok"


def test_what_the_process_calls_aws_with_is_named_and_mended(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = ("--only", "aws")
    assert statuses(doctor(*only), "broken") == set()
    with monkeypatch.context() as patch:
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        patch.delenv("AWS_ACCESS_KEY_ID")
        found = doctor(*only)
    assert statuses(found, "broken") == {"aws.credentials"}
    (finding,) = found["aws.credentials"]["findings"]
    assert finding["what"] == "Unable to locate credentials"
    assert "AWS_PROFILE" in finding["remedy"]
    assert statuses(doctor(*only), "broken") == set()


def test_a_queue_that_no_topic_sends_to_is_broken_and_said_once(doctor: Doctor, real: Real) -> None:
    real.sns.unsubscribe(SubscriptionArn=real.wiring.subscription_arn)
    found = doctor()
    assert statuses(found, "broken") == {"sqs.source"}
    (finding,) = found["sqs.source"]["findings"]
    assert finding["what"] == f"the queue is not subscribed to {real.wiring.topic_arn}"
    others = ("ses.", "sns.", "sqs.")
    skipped = [found[name] for name in found.keys() - {"sqs.source"} if name.startswith(others)]
    assert {one["status"] for one in skipped} == {"skipped"}
    assert {one["reason"] for one in skipped} == {finding["what"]}


def test_a_queue_that_is_not_there_is_broken(
    doctor: Doctor, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", f"{real.wiring.queue_url}-2")
    found = doctor("--only", "sqs")
    assert statuses(found, "broken") == {"sqs.source"}
    (finding,) = found["sqs.source"]["findings"]
    assert finding["what"] == "SQS does not find the queue of SESBOUNCE_QUEUE_URL"


def test_it_compares_with_what_terraform_declares(
    doctor: Doctor, real: Real, tmp_path: Path
) -> None:
    outputs = {
        name: {"value": getattr(real.wiring, name)}
        for name in (
            "topic_arn",
            "subscription_arn",
            "queue_url",
            "queue_arn",
            "dlq_url",
            "dlq_arn",
            "subscription_dlq_url",
            "subscription_dlq_arn",
        )
    }
    state = tmp_path / "state.json"
    only = ("--terraform", str(state), "--only", "terraform")
    outputs["topic_arn"]["value"] += "-2"
    state.write_text(json.dumps({"values": {"outputs": outputs}}))
    found = doctor(*only)["terraform.declared"]
    assert found["status"] == "broken"
    assert "does not send to the queue" in found["findings"][0]["what"]
    outputs["topic_arn"]["value"] = real.wiring.topic_arn
    state.write_text(json.dumps({"values": {"outputs": outputs}}))
    assert doctor(*only)["terraform.declared"]["status"] == "ok"


# --- Mail to the simulator ----------------------------------------------------------------------


@contextmanager
def simulator(aws: LocalStack, real: Real, source: str) -> Iterator[None]:
    """SES's mailbox simulator: LocalStack accepts a mail to it, and publishes no event about it.

    As soon as LocalStack has a mail, its event goes to the topic as SES would publish it.
    """
    done = threading.Event()
    answered: set[str] = set()

    def answer() -> None:
        while not done.wait(0.1):
            with urllib.request.urlopen(f"{aws.endpoint}/_aws/ses?email={source}") as found:  # noqa: S310
                mails = json.load(found)["messages"]
            for mail in mails:
                (recipient,) = mail["Destination"]["ToAddresses"]
                if mail["Id"] not in answered and (scenario := scenario_of(recipient)):
                    answered.add(mail["Id"])
                    now = datetime.now(UTC)
                    about = Mail(mail["Id"], source, recipient, now)
                    *_, event = messages(scenario, about, now, "notification")
                    real.sns.publish(TopicArn=real.wiring.topic_arn, Message=json.dumps(event))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_mail_to_the_simulator_is_followed_from_ses_to_the_database(
    doctor: Doctor, real: Real, aws: LocalStack, tmp_path: Path
) -> None:
    (domain,) = real.wiring.identities
    source = f"me@{domain}"
    options = ("--only", "aws.credentials", "--roundtrip", "--timeout", "300")
    began = time.monotonic()
    # The environment names the queue and the database, see `doctor`.
    with Worker(dict(os.environ), tmp_path).running(), simulator(aws, real, source):
        results = doctor(*options, "--from", source)
    took = time.monotonic() - began
    del results["aws.credentials"]
    assert set(results) == statuses(results, "ok") == {"roundtrip.bounce", "roundtrip.complaint"}
    for kind in ("bounce", "complaint"):
        hops = re.fullmatch(
            rf"SES accepted the mail to {kind}@simulator\.amazonses\.com after (\S+) s, dates its "
            rf"{kind} (\S+) s, and the worker recorded it (\S+) s after the call",
            results[f"roundtrip.{kind}"]["title"],
        )
        assert hops
        accepted, _, recorded = map(float, hops.groups())
        assert 0 <= accepted <= recorded <= took


def test_a_sender_that_ses_does_not_know_is_named(doctor: Doctor) -> None:
    only = ("--only", "aws.credentials")
    results = doctor(*only, "--roundtrip", "--from", "me@unknown.example", "--timeout", "60")
    assert statuses(results, "broken") == {"roundtrip.bounce", "roundtrip.complaint"}
    (finding,) = results["roundtrip.bounce"]["findings"]
    assert finding["what"].startswith("SES rejects mail from me@unknown.example (MessageRejected")
