"""One LocalStack and one applied stack for all the tests here: Terraform takes a minute."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_localstack.session import RunningSession

from scripts.local import localstack
from scripts.local.localstack import CHECKOUT, LocalStack
from scripts.terraform.env import terraform_env
from scripts.terraform.stack import Stack
from tests.provider import ATTACH_VARIABLE, install_provider, running_provider

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# LocalStack loads each service when it is first called: on a busy machine, slowly.
_READY_SECONDS = 600
SENDER = "sender@example.com"
NAME = "sesbounce-test"
VARIABLES: dict[str, object] = {
    "name": NAME,
    "identities": {SENDER: {"create": True}},
    "configuration_sets": {NAME: {"create": True}},
    "feedback_types": ["Bounce", "Complaint", "Delivery"],
    "ses_api": "v1",  # LocalStack without a licence has no other
    "notification_emails": ["watcher@example.com"],
    "max_receive_count": 2,
    "create_consumer_user": True,
    # LocalStack without a licence has neither ECS, ECR nor RDS.
    "worker": None,
    "monitoring": None,
}


@pytest.fixture(scope="session")
def aws(run_folder: Path) -> LocalStack:
    """A LocalStack that starts empty; or the user's, where LOCALSTACK_ENDPOINT names one.

    The processes of a run share it. It has the installed package, which is large, from the
    checkout; tests/conftest.py stops it.
    """
    if localstack.ENDPOINT_VARIABLE not in os.environ:
        localstack.install()
    installed, own = (root / ".local/localstack-venv" for root in (CHECKOUT, run_folder))
    # It is made in the checkout even if the container fails and the package is to replace it.
    for folder in (installed, own.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        own.symlink_to(installed)
    return localstack.ensure(run_folder)


@pytest.fixture(scope="session")
def session(aws: LocalStack) -> Iterator[Any]:
    """pytest-localstack attached to it: `session.boto3.client("sqs")`."""
    host, _, port = aws.endpoint.removeprefix("http://").partition(":")
    services = dict.fromkeys(("ses", "sns", "sqs", "iam", "sts"), int(port))
    running = RunningSession(host, services=services, region_name="us-east-1")
    running.start(_READY_SECONDS)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def environment(aws: LocalStack) -> Mapping[str, str]:
    """A process's whole environment, in which AWS is LocalStack."""
    return localstack.environment(aws.endpoint)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of Terraform's provider."""
    return install_provider(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="session")
def terraform_environment(environment: Mapping[str, str], provider: Path) -> Iterator[Any]:
    """Terraform's environment, in which AWS is LocalStack and a provider runs."""
    with running_provider(provider, terraform_env(environment)) as attached:
        yield attached


@pytest.fixture
def attached(terraform_environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform that this process starts attaches to the provider for LocalStack."""
    monkeypatch.setenv(ATTACH_VARIABLE, terraform_environment[ATTACH_VARIABLE])


@dataclass(frozen=True)
class Applied:
    """The root stack as it stands in LocalStack.

    Attributes:
        folder: holds the state.
        environment: Terraform's.
    """

    folder: Path
    environment: Mapping[str, str]

    def stack(self, **variables: object) -> Stack:
        return Stack(
            CHECKOUT / "terraform",
            data_dir=self.folder / "data",
            state=self.folder / "terraform.tfstate",
            variables=VARIABLES | variables,
            environment=self.environment,
        )

    @property
    def outputs(self) -> dict[str, Any]:
        return self.stack().outputs()


@pytest.fixture(scope="session")
def applied(
    terraform_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Applied]:
    stack = Applied(tmp_path_factory.mktemp("stack"), terraform_environment)
    stack.stack().init()
    stack.stack().apply()
    yield stack
    if localstack.ENDPOINT_VARIABLE in os.environ:
        stack.stack().destroy()


@pytest.fixture(scope="session")
def outputs(applied: Applied) -> dict[str, Any]:
    return applied.outputs


@pytest.fixture
def sqs(session: Any, outputs: dict[str, Any]) -> "SQSClient":
    """SQS, with the stack's queues empty."""
    client: SQSClient = session.boto3.client("sqs")
    for name in ("queue_url", "dlq_url", "subscription_dlq_url"):
        client.purge_queue(QueueUrl=outputs[name])
    return client
