"""The stack whose worker is a function, made in moto, which calls no function.

moto does not tell where a function logs (LoggingConfig), so each further plan would set that. The
module's own tests show it.
"""

import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.terraform.env import terraform_env
from scripts.terraform.stack import Stack
from sesbounce.doctor.declared import declared
from sesbounce.doctor.function import function
from tests.provider import running_provider
from tests.terraform.conftest import Terraform
from tests.terraform.moto import Moto, running_moto

URL = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mail-url-AbCdEf"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running_moto(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(
    terraform: Terraform, moto: Moto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("function")
    package = folder / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("nothing.py", "")
    with running_provider(terraform.provider, terraform_env(moto.environment)) as attached:
        stack = Stack(
            terraform.root / "terraform",
            data_dir=folder / "data",
            state=folder / "terraform.tfstate",
            variables={
                "identities": {"example.com": {"create": True, "notifications": False}},
                "worker": {"mode": "lambda"},
                "worker_package": str(package),
                "database_url_secret_arn": URL,
                "monitoring": None,
            },
            environment=attached,
        )
        stack.init()
        stack.apply()
        yield stack


def test_the_queue_calls_the_function_and_the_schedule_sweeps(stack: Stack, moto: Moto) -> None:
    outputs = stack.outputs()
    made = moto.client("lambda").get_function_configuration(FunctionName="sesbounce")
    assert (made["Runtime"], made["Timeout"], made["MemorySize"]) == ("python3.13", 60, 256)
    variables = made["Environment"]["Variables"]
    assert json.loads(variables["SESBOUNCE_SECRETS"]) == {"SESBOUNCE_DATABASE_URL": URL}
    assert variables["SESBOUNCE_TOPIC_ARNS"] == outputs["topic_arn"]
    attributes = moto.client("sqs").get_queue_attributes(
        QueueUrl=outputs["queue_url"], AttributeNames=["VisibilityTimeout"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "365"
    sweep = moto.client("scheduler").get_schedule(
        GroupName="sesbounce-sweep", Name="sesbounce-sweep"
    )
    assert (sweep["State"], sweep["ScheduleExpression"]) == ("ENABLED", "rate(1 hour)")
    assert sweep["Target"]["Arn"] == made["FunctionArn"]
    assert json.loads(sweep["Target"]["Input"]) == {"sesbounce": "sweep"}
    session: Any = moto  # of a session, the check asks for clients alone
    assert list(function(declared(outputs, stack.resources()), session)) == []


def test_a_second_plan_changes_nothing_but_what_moto_does_not_tell(stack: Stack) -> None:
    plan = stack.plan()
    assert [(change.kind, change.creates, change.deletes) for change in plan.changes] == [
        ("aws_lambda_function", False, False)
    ]
    (change,) = plan.changes
    differing = {key for key, value in change.after.items() if change.before.get(key) != value}
    assert differing == {"logging_config"}


def test_there_is_nothing_in_ecs(stack: Stack, moto: Moto) -> None:
    assert stack.outputs()["function_name"] == "sesbounce"
    assert moto.client("ecs").list_clusters()["clusterArns"] == []
    assert moto.client("ecr").describe_repositories()["repositories"] == []
