"""What Terraform has made in LocalStack, looked at from outside."""

import configparser
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local import localstack
from scripts.local.localstack import CHECKOUT, LocalStack
from scripts.terraform.env import terraform_binary
from scripts.terraform.stack import Stack
from sesbounce.doctor import rights, rights_report
from sesbounce.doctor.declared import declared
from sesbounce.doctor.iam import Request, allows
from tests.integration.conftest import NAME, SENDER, Applied

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# LocalStack accepts the topic of an identity and does not read it back.
NOT_READ_BACK = "aws_ses_identity_notification_topic"


def test_a_second_plan_changes_nothing(applied: Applied) -> None:
    changes = applied.stack().plan().changes
    unexpected = [c for c in changes if NOT_READ_BACK not in c.address]
    assert unexpected == []
    assert {c.actions for c in changes} <= {("update",)}


def test_the_queue_is_as_declared(sqs: "SQSClient", outputs: dict[str, Any]) -> None:
    answer = sqs.get_queue_attributes(QueueUrl=outputs["queue_url"], AttributeNames=["All"])
    attributes: dict[str, str] = answer["Attributes"]  # type: ignore[assignment]
    assert attributes["ReceiveMessageWaitTimeSeconds"] == "20"
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": outputs["dlq_arn"],
        "maxReceiveCount": 2,
    }
    assert json.loads(attributes["Policy"]) == json.loads(outputs["queue_policy"])


def test_the_subscription_keeps_what_it_can_t_deliver(
    session: Any, outputs: dict[str, Any]
) -> None:
    answer = session.boto3.client("sns").get_subscription_attributes(
        SubscriptionArn=outputs["subscription_arn"]
    )
    attributes = answer["Attributes"]
    assert attributes["Endpoint"] == outputs["queue_arn"]
    assert attributes["Protocol"] == "sqs"
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": outputs["subscription_dlq_arn"]
    }


def test_people_may_watch(session: Any, outputs: dict[str, Any]) -> None:
    found = session.boto3.client("sns").list_subscriptions_by_topic(TopicArn=outputs["topic_arn"])
    assert {(s["Protocol"], s["Endpoint"]) for s in found["Subscriptions"]} == {
        ("sqs", outputs["queue_arn"]),
        ("email", "watcher@example.com"),
    }


def test_ses_publishes_events_to_the_topic(session: Any, outputs: dict[str, Any]) -> None:
    described = session.boto3.client("ses").describe_configuration_set(
        ConfigurationSetName=NAME, ConfigurationSetAttributeNames=["eventDestinations"]
    )
    (destination,) = described["EventDestinations"]
    assert destination["SNSDestination"]["TopicARN"] == outputs["topic_arn"]
    assert set(destination["MatchingEventTypes"]) == {"bounce", "complaint", "delivery"}
    assert SENDER in session.boto3.client("ses").list_identities()["Identities"]


def test_the_consumer_s_user_has_the_one_policy(session: Any, outputs: dict[str, Any]) -> None:
    iam = session.boto3.client("iam")
    name = outputs["consumer_user_name"]
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    assert [p["PolicyArn"] for p in attached] == [outputs["consumer_policy_arn"]]
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == []
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"] == []
    policy = iam.get_policy(PolicyArn=outputs["consumer_policy_arn"])["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    assert version["PolicyVersion"]["Document"] == json.loads(outputs["consumer_policy"])


def test_the_consumer_s_user_may_read_the_queue_and_nothing_else(
    applied: Applied, session: Any
) -> None:
    """By LocalStack's simulator of IAM, which knows the policies of a user, and no conditions."""
    wired = declared(applied.outputs, ())
    (found,) = rights.rights(wired, session.boto3)
    assert found.identity == applied.outputs["consumer_user_arn"]
    assert found.rows
    assert [row for row in found.rows if not row.sound] == []
    assert sum(row.allowed for row in found.rows) == 4
    assert "sqs:ReceiveMessage" in rights_report.table(found)


def test_the_example_for_localstack_applies(
    aws: LocalStack, session: Any, terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    example = Stack(
        CHECKOUT / "terraform/examples/localstack",
        data_dir=tmp_path / "data",
        state=tmp_path / "terraform.tfstate",
        variables={"endpoint": aws.endpoint},
        environment=terraform_environment,
    )
    example.init()
    example.apply()
    try:
        queue = example.outputs()["queue_url"]
        answer = session.boto3.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=["QueueArn"]
        )
        assert answer["Attributes"]["QueueArn"].endswith(":example-feedback")
        users = session.boto3.client("iam").list_users()["Users"]
        assert "example-consumer" in {user["UserName"] for user in users}
    finally:
        if localstack.ENDPOINT_VARIABLE in os.environ:
            example.destroy()


# --- A queue that somebody has clicked together -------------------------------------------------

IDENTITY = "clicked.example.com"
DOCUMENT = (CHECKOUT / "docs/adopt.md").read_text("utf-8")
README = (CHECKOUT / "terraform/examples/classic/README.md").read_text("utf-8")


@dataclass(frozen=True)
class Clicked:
    """What the recipes from 2016 leave: topic, queue, subscription, notifications, user."""

    topic: str
    queue: str
    subscription: str

    @classmethod
    def together(cls, boto3: Any) -> "Clicked":
        sns, sqs, ses, iam = (boto3.client(name) for name in ("sns", "sqs", "ses", "iam"))
        topic = sns.create_topic(Name="SESBounce")["TopicArn"]
        queue = sqs.create_queue(QueueName="SESBounceSQS")["QueueUrl"]
        arn = topic.replace(":sns:", ":sqs:").replace("SESBounce", "SESBounceSQS")
        sends = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "SQS:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [sends]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        ses.verify_domain_identity(Domain=IDENTITY)
        for kind in ("Bounce", "Complaint"):
            ses.set_identity_notification_topic(
                Identity=IDENTITY, NotificationType=kind, SnsTopic=topic
            )
        iam.create_user(UserName="SQSAPI")
        return cls(topic, queue, subscription)

    def imports(self, *blocks: int) -> str:
        """Blocks of docs/adopt.md, with the IDs of these resources in place of its examples."""
        code = re.findall(r"```hcl\n(import \{.*?)```", DOCUMENT, re.DOTALL)
        text = "\n".join(code[block] for block in blocks)
        topic = "arn:aws:sns:eu-west-1:123456789012:SESBounce"
        for written, real in (
            (f"{topic}:11111111-2222-3333-4444-555555555555", self.subscription),
            (topic, self.topic),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/SESBounceSQS", self.queue),
            ("example.com", IDENTITY),
        ):
            assert written in text
            text = text.replace(written, real)
        return text


@pytest.fixture
def clicked(session: Any) -> Clicked:
    return Clicked.together(session.boto3)


def test_what_was_clicked_together_is_taken_over(
    clicked: Clicked, session: Any, terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    leave = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "environments")
    copy = shutil.copytree(CHECKOUT / "terraform", tmp_path / "terraform", ignore=leave)
    sqs = session.boto3.client("sqs")
    sqs.send_message(QueueUrl=clicked.queue, MessageBody="from before")

    def stack(folder: str, **variables: object) -> Stack:
        made = Stack(
            copy / folder,
            data_dir=tmp_path / folder / "data",
            state=tmp_path / folder / "terraform.tfstate",
            variables=variables,
            environment=terraform_environment,
        )
        made.init()
        return made

    # The stack would take it over as well.
    (copy / "imports.tf").write_text(clicked.imports(0))
    whole = stack(
        ".",
        topic_name="SESBounce",
        queue_name="SESBounceSQS",
        identities={IDENTITY: {}},
        worker=None,
        monitoring=None,
    )
    assert str(whole.plan()).endswith(": 6 imported, none deleted or replaced.")

    (copy / "examples/classic/imports.tf").write_text(clicked.imports(0, 1))
    example = stack("examples/classic", region="us-east-1", identities=[IDENTITY])
    with example.planned() as plan:
        assert str(plan).endswith(": 7 imported, none deleted or replaced.")
        assert sorted(change.kind for change in plan.changes if change.creates and change.kind) == [
            "aws_iam_access_key",
            "aws_iam_policy",
            "aws_iam_user_policy_attachment",
            "aws_sqs_queue",
            "aws_sqs_queue",
        ]
        example.apply(plan=plan)
    try:
        _it_is_as_the_recipes_name_it(example.outputs(), clicked, session)
        assert {c.kind for c in example.plan().changes} <= {NOT_READ_BACK}
        _the_key_is_in_a_file_of_its_owner(tmp_path, example)
        (message,) = sqs.receive_message(QueueUrl=clicked.queue)["Messages"]
        assert message["Body"] == "from before"
    finally:
        if localstack.ENDPOINT_VARIABLE in os.environ:
            example.destroy()


def _it_is_as_the_recipes_name_it(
    outputs: Mapping[str, Any], clicked: Clicked, session: Any
) -> None:
    assert (outputs["topic_arn"], outputs["queue_url"]) == (clicked.topic, clicked.queue)
    answer = session.boto3.client("sqs").get_queue_attributes(
        QueueUrl=clicked.queue, AttributeNames=["All"]
    )
    attributes = answer["Attributes"]
    assert attributes["VisibilityTimeout"] == "30"
    assert attributes["ReceiveMessageWaitTimeSeconds"] == "0"
    assert attributes["MessageRetentionPeriod"] == str(4 * 24 * 3600)
    assert "SESBounceSQS-dlq" in attributes["RedrivePolicy"]
    # The user's rights: this queue, and nothing else.
    (attached,) = session.boto3.client("iam").list_attached_user_policies(UserName="SQSAPI")[
        "AttachedPolicies"
    ]
    assert attached["PolicyName"] == "SQSAPI"
    queue = outputs["queue_arn"]
    for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"):
        for resource, allowed in ((queue, True), (f"{queue}-dlq", False), (f"{queue}2", False)):
            asked = Request(action=f"sqs:{action}", resource=resource)
            assert allows(outputs["user_policy"], asked) is allowed
    for action in ("sqs:SendMessage", "sqs:PurgeQueue", "sqs:DeleteQueue", "sns:Publish"):
        assert not allows(outputs["user_policy"], Request(action=action, resource=queue))


def _the_key_is_in_a_file_of_its_owner(folder: Path, example: Stack) -> None:
    """Run the README's command, which must not replace a file, and read the file with boto3."""
    (command,) = re.findall(r"^\(umask .*\)$", README, re.MULTILINE)
    command = command.replace(
        "terraform output", f"{terraform_binary()} output -state={example.state}"
    )
    first, second = (
        subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False)
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert second.returncode != 0
    file = folder / "SQSAPI.credentials"
    assert file.stat().st_mode & 0o777 == 0o600
    read = configparser.ConfigParser()
    read.read_string(file.read_text())
    assert read["default"]["aws_access_key_id"] == example.outputs()["access_key_id"]
    assert len(read["default"]["aws_secret_access_key"]) >= 40
