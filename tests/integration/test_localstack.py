"""A real LocalStack and a real Terraform, started, used and stopped as the scripts do it."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from scripts.local import localstack
from scripts.local.localstack import CHECKOUT, LocalStack
from scripts.local.localstack_process import Process
from scripts.local.localstack_shared import Files, wait
from scripts.terraform.env import terraform_env
from scripts.terraform.plan import Change
from scripts.terraform.stack import Stack, StackError

CONFIGURATION = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_metadata_api_check = true
  max_retries             = 3
}
variable "name" { type = string }
variable "tags" { type = map(string) }
resource "aws_sns_topic" "main" {
  name = var.name
  tags = var.tags
}
output "topic_arn" { value = aws_sns_topic.main.arn }
"""


@pytest.fixture(scope="module", autouse=True)
def no_endpoint_of_the_users() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(localstack.ENDPOINT_VARIABLE, raising=False)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout of its own that shares the installed package, which is large."""
    own = tmp_path_factory.mktemp("checkout")
    localstack.install()
    (own / ".local").mkdir()
    (own / ".local/localstack-venv").symlink_to(CHECKOUT / ".local/localstack-venv")
    yield own
    localstack.stop(own)


@pytest.fixture(scope="module")
def started(root: Path) -> LocalStack:
    return localstack.ensure(root)


@pytest.fixture
def session(started: LocalStack, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """Make a session that knows LocalStack from the environment alone."""
    before = dict(os.environ)
    for name in before:
        monkeypatch.delenv(name)
    for name, value in localstack.environment(started.endpoint, before).items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


def listening(pid: int) -> set[str]:
    """Return the local addresses that a process listens on, in the kernel's hexadecimal."""
    sockets = {
        link.readlink().name
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink() and link.readlink().name.startswith("socket:")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1])
    return found


def test_the_first_call_starts_one(started: LocalStack) -> None:
    assert started.started
    assert started.endpoint.startswith("http://127.0.0.1:")


def test_calls_at_the_same_time_use_the_same_one(root: Path, started: LocalStack) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: localstack.ensure(root), range(4)))
    assert found == [LocalStack(started.endpoint, started.kind, started=False)] * 4


def test_it_listens_on_the_loopback_alone(root: Path, started: LocalStack) -> None:
    server = localstack._load(Files(root))
    if not isinstance(server, Process):
        pytest.skip("the container's port is Docker's to publish")
    port = int(started.endpoint.rpartition(":")[2])
    assert listening(server.pid) == {f"0100007F:{port:04X}"}


def test_its_files_lie_in_the_checkout(root: Path, started: LocalStack) -> None:
    if started.kind != "process":
        pytest.skip("a container keeps its files")
    # Only there if LocalStack heeds its settings, which it does not wherever it runs.
    assert (Files(root).data / "var/lib/localstack/cache").is_dir()


def test_sns_delivers_to_sqs_and_every_url_is_on_the_loopback(
    started: LocalStack, session: boto3.Session
) -> None:
    sqs, sns = session.client("sqs"), session.client("sns")
    queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
    assert queue == f"{started.endpoint}/000000000000/mail"
    topic = sns.create_topic(Name="mail")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:mail"
    )
    sns.publish(TopicArn=topic, Message="hello")
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    envelope = json.loads(received["Messages"][0]["Body"])
    assert envelope["Message"] == "hello"
    assert envelope["UnsubscribeURL"].startswith(f"{started.endpoint}/")
    assert envelope["SigningCertURL"].startswith(f"{started.endpoint}/")
    with urllib.request.urlopen(envelope["SigningCertURL"]) as certificate:  # noqa: S310  # ours
        assert certificate.read().startswith(b"-----BEGIN CERTIFICATE-----")


@pytest.fixture(scope="module")
def make_stack(
    started: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Stack]:
    folder = tmp_path_factory.mktemp("stack")
    directory = folder / "configuration"
    directory.mkdir()
    (directory / "main.tf").write_text(CONFIGURATION)
    environment = terraform_env(localstack.environment(started.endpoint))

    def make(**variables: object) -> Stack:
        return Stack(
            directory,
            data_dir=folder / "data",
            state=folder / "state/terraform.tfstate",
            variables=variables,
            environment=environment,
        )

    return make


def test_a_stack_is_applied_changed_and_destroyed(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(name="feedback", tags={})
    with pytest.raises(StackError, match="Run init"):
        stack.plan()
    stack.init()
    assert Change("aws_sns_topic.main", ("create",)) in stack.plan().changes

    lines: list[str] = []
    stack.apply(lines.append)
    assert any("aws_sns_topic.main: Creation complete after" in line for line in lines)
    assert not any("Warning" in line for line in lines)
    assert stack.outputs() == {"topic_arn": "arn:aws:sns:us-east-1:000000000000:feedback"}
    assert stack.plan().empty

    changed = make_stack(name="feedback", tags={"stage": "test"})
    assert changed.plan().changes == (Change("aws_sns_topic.main", ("update",)),)
    changed.apply(lines.append)
    assert changed.plan().empty

    with pytest.raises(StackError, match=r"(?s)invalid topic name: no name!.*main\.tf line \d+"):
        make_stack(name="no name!", tags={}).apply(lines.append)

    changed.destroy(lines.append)
    assert changed.outputs() == {}
    written = sorted(path.name for path in stack.directory.iterdir())
    assert written == [".terraform.lock.hcl", "main.tf"]


def test_terraform_in_its_own_words_about_a_localstack_that_is_gone(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    known = make_stack(name="feedback", tags={})
    stack = Stack(
        known.directory,
        data_dir=known.data_dir,
        state=tmp_path / "terraform.tfstate",
        variables={"name": "feedback", "tags": {}},
        environment=terraform_env(localstack.environment("http://127.0.0.1:1")),
    )
    with pytest.raises(
        StackError, match=r"(?s)connection refused.*scripts\.local\.localstack status"
    ):
        stack.apply(print)


def is_gone(process_group: int) -> bool:
    try:
        os.killpg(process_group, 0)
    except ProcessLookupError:
        return True
    return False


def test_stop_leaves_nothing_behind(root: Path, started: LocalStack) -> None:
    files = Files(root)
    server = localstack._load(files)
    assert server
    assert localstack.stop(root)
    assert not server.alive()
    if isinstance(server, Process):
        # No other member of its process group either, once those that got the signal have ended.
        assert wait(lambda: is_gone(server.pid), 60)
    assert not files.run.exists()
    assert localstack.find(root) is None
    assert not localstack.stop(root)
    assert started.started
