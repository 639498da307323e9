"""`make plan`, `deploy`, `check-wiring`, `destroy` for real: Terraform, LocalStack, a state in S3.

The worker's part, which LocalStack has no services for, is in `test_deploy_aws.py`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.deploy import deploy
from scripts.local.localstack import CHECKOUT

NAME = "deployed"
BUCKET = "sesbounce-states"

VARIABLES = f"""\
name               = "{NAME}"
configuration_sets = {{ {NAME} = {{ create = true }} }}
ses_api            = "v1"
worker             = null
monitoring         = null
"""
BACKEND = 'terraform {\n  backend "s3" {}\n}\n'
BACKEND_CONFIG = f"""\
bucket         = "{BUCKET}"
key            = "staging.tfstate"
region         = "us-east-1"
use_lockfile   = true
use_path_style = true
"""

EVERYTHING = ("--yes", "--allow-loss", "all")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def account(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Makes clients; the process's own environment leads to LocalStack, too."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    session: Any = boto3.Session(region_name="us-east-1")
    clients: Callable[[str], Any] = session.client
    return clients


@pytest.fixture
def directory(tmp_path: Path, account: Callable[[str], Any]) -> Path:
    """A copy of the configuration with two environments, whose states are in a bucket."""
    copy = tmp_path / "terraform"
    leave = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "tests", "environments")
    shutil.copytree(CHECKOUT / "terraform", copy, ignore=leave)
    account("s3").create_bucket(Bucket=BUCKET)
    (copy / "backend.tf").write_text(BACKEND)
    (copy / "environments").mkdir()
    for name in ("staging", "production"):
        (copy / f"environments/{name}.tfvars").write_text(VARIABLES)
        (copy / f"environments/{name}.s3.tfbackend").write_text(
            BACKEND_CONFIG.replace("staging", name)
        )
    return copy


@pytest.fixture
def run(directory: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(command: str, *arguments: str, answer: str = "", env: str = "staging") -> Any:
        code = deploy.main([command, "--env", env, *arguments], directory, lambda _: answer)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.usefixtures("attached")
def test_one_environment_from_plan_to_destroy(
    run: Run, directory: Path, account: Callable[[str], Any]
) -> None:
    def queues() -> list[str]:
        found = account("sqs").list_queues(QueueNamePrefix=f"{NAME}-").get("QueueUrls", [])
        return [url.rpartition("/")[2] for url in found]

    code, out, _ = run("plan")
    assert code == 0
    assert "+ create  module.feedback_queue.module.topic.aws_sns_topic.this[0]\n" in out
    assert run("apply", answer="no")[0] == 4
    assert queues() == []
    code, out, err = run("apply", answer="yes")
    assert (code, err) == (0, "")
    assert f"topic_arn = arn:aws:sns:us-east-1:000000000000:{NAME}-feedback" in out
    assert "Wiring: nothing broken" in out
    outputs = json.loads(run("output", "--json")[1])
    assert outputs["configuration_set_names"] == [NAME]

    # The state is in the bucket alone, and no other environment sees it.
    stored = account("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [entry["Key"] for entry in stored] == ["staging.tfstate"]
    assert not list(directory.rglob("environments/*.tfstate*"))
    assert json.loads(run("output", "--json", env="production")[1]) == {}
    code, _, err = run("check", env="production")
    assert code == 1
    assert "There is no stack" in err

    # Whoever takes the policy away is found out, and Terraform puts it back.
    account("sqs").set_queue_attributes(QueueUrl=outputs["queue_url"], Attributes={"Policy": ""})
    code, out, _ = run("check")
    assert code == 1
    assert "broken   sqs.queue: the policy of the queue does not let the topic send to it: " in out
    code, out, _ = run("apply", "--yes")
    assert code == 0
    assert out.startswith("  ~ update  module.feedback_queue.aws_sqs_queue.this[0]\n1 change.\n")
    assert run("check")[0] == 0

    # SES has sent a message when it was connected to the topic.
    account("sqs").purge_queue(QueueUrl=outputs["queue_url"])
    _harm_is_refused(run, directory, outputs)
    _messages_stop_destroy(run, account("sqs"), outputs)
    assert run("destroy", answer="")[0] == 4
    code, _, err = run("destroy", "--yes")
    assert code == 1
    assert "--allow-loss all" in err
    assert len(queues()) == 3
    code, out, _ = run("destroy", *EVERYTHING)
    assert code == 0
    assert "- destroy module.feedback_queue.module.topic.aws_sns_topic.this[0]\n" in out
    assert queues() == []


def _harm_is_refused(run: Run, directory: Path, outputs: Mapping[str, str]) -> None:
    # A renamed queue; a plan without the variables of the stack would have one, too.
    variables = directory / "environments/staging.tfvars"
    variables.write_text(f'{VARIABLES}queue_name = "renamed"\n')
    code, _, err = run("apply", "--yes")
    assert code == 1
    assert "± replace module.feedback_queue.aws_sqs_queue.this[0]: its messages" in err
    assert "--allow-loss aws_sns_topic_subscription --allow-loss aws_sqs_queue." in err
    variables.write_text(VARIABLES)

    # Another state would take over what this one has.
    code, _, err = run("apply", "--yes", env="production")
    assert code == 1
    assert f"  aws_sns_topic {outputs['topic_arn']}\n" in err
    assert f"  aws_sqs_queue {outputs['queue_url']}\n" in err


def _messages_stop_destroy(run: Run, sqs: Any, outputs: Mapping[str, str]) -> None:
    for name in ("dlq_url", "queue_url"):
        url = outputs[name]
        sqs.send_message(QueueUrl=url, MessageBody="x")
        code, _, err = run("destroy", *EVERYTHING)
        assert code == 1
        assert f"1 message waits in {url.rpartition('/')[2]}." in err
        sqs.purge_queue(QueueUrl=url)


def test_without_environments_all_is_where_terraform_has_it(run: Run, directory: Path) -> None:
    (directory / "backend.tf").unlink()
    (directory / "terraform.tfvars").write_text(VARIABLES.replace(NAME, "theonly"))
    code, out, _ = run("plan", "--detailed", env="")
    assert code == 0
    assert '+ resource "aws_sns_topic" "this" {' in out
    assert '"theonly-feedback"' in out
    assert (directory / ".terraform/providers").exists()
    code, _, err = run("plan")
    assert code == 1
    assert "what belongs to another stack" in err


def test_a_backend_that_the_configuration_lacks_is_not_replaced_by_the_disk(
    run: Run, directory: Path
) -> None:
    (directory / "backend.tf").unlink()
    code, _, err = run("plan")
    assert code == 1
    assert "so that it would be kept on this disk" in err


@pytest.mark.usefixtures("attached")
def test_a_state_that_moves_is_not_begun_anew(run: Run, directory: Path) -> None:
    assert run("plan")[0] == 0
    (directory / "environments/staging.s3.tfbackend").write_text(
        BACKEND_CONFIG.replace("staging", "elsewhere")
    )
    code, _, err = run("plan")
    assert code == 1
    assert "Backend configuration changed" in err
    assert "move it there yourself, once, by `terraform init -migrate-state`" in err


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "There are no AWS credentials"),
        (("AWS_REGION", "AWS_DEFAULT_REGION"), "Put right the variable region, or AWS_REGION"),
    ],
)
def test_who_is_not_let_in_is_told_before_anything_happens(
    run: Run,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    told: str,
) -> None:
    for name in names:
        monkeypatch.delenv(name)
    code, _, err = run("apply", "--yes")
    assert code == 1
    assert told in err


def test_an_address_that_nobody_answers_at_is_told(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, _, err = run("plan")
    assert code == 1
    assert "Can't read the account from AWS" in err


def test_help_tells_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        deploy.main(["--help"])
    said = capsys.readouterr().out
    for command in ("plan", "apply", "check", "destroy", "restart", "cli", "output"):
        assert f"\n    {command} " in said
