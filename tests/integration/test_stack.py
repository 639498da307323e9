"""What Terraform has made in LocalStack, looked at from outside."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local import localstack
from scripts.local.localstack import CHECKOUT, LocalStack
from scripts.terraform.env import terraform_env
from scripts.terraform.stack import Stack
from sesbounce.doctor import rights
from sesbounce.doctor.declared import declared
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
    assert "sqs:ReceiveMessage" in rights.table(found)


def test_the_example_for_localstack_applies(
    aws: LocalStack, session: Any, environment: Mapping[str, str], tmp_path: Path
) -> None:
    example = Stack(
        CHECKOUT / "terraform/examples/localstack",
        data_dir=tmp_path / "data",
        state=tmp_path / "terraform.tfstate",
        variables={"endpoint": aws.endpoint},
        environment=terraform_env(environment),
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
