"""Which resources of a plan exist already; tests/terraform/whole_stack asks a whole one."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from scripts.deploy.adoption import AdoptionError, Existing, existing
from scripts.deploy.aws import AwsError
from scripts.terraform.plan import Change, Plan

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:feedback"
URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/feedback"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.Session(region_name="eu-west-1")


def creation(kind: str, *actions: str, before: dict[str, Any] | None = None, **after: Any) -> Plan:
    change = Change(f"{kind}.this", actions or ("create",), kind, before or {}, after)
    return Plan((change,))


KINDS = [
    ("aws_sns_topic", {"name": "feedback"}, TOPIC),
    ("aws_sqs_queue", {"name": "feedback"}, URL),
    ("aws_iam_role", {"name": "feedback"}, "feedback"),
    ("aws_ecs_cluster", {"name": "feedback"}, "feedback"),
    ("aws_ses_domain_identity", {"domain": "example.com"}, "example.com"),
    ("aws_ses_email_identity", {"email": "me@example.com"}, "me@example.com"),
    ("aws_sesv2_email_identity", {"email_identity": "example.com"}, "example.com"),
    ("aws_sesv2_configuration_set", {"configuration_set_name": "news"}, "news"),
]


@pytest.fixture
def occupied(session: boto3.Session) -> boto3.Session:
    """An account that has one of each."""
    session.client("sns").create_topic(Name="feedback")
    session.client("sqs").create_queue(QueueName="feedback")
    session.client("iam").create_role(RoleName="feedback", AssumeRolePolicyDocument="{}")
    session.client("ecs").create_cluster(clusterName="feedback")
    session.client("ses").verify_domain_identity(Domain="example.com")
    session.client("sesv2").create_configuration_set(ConfigurationSetName="news")
    session.client("ses").verify_email_identity(EmailAddress="me@example.com")
    return session


@pytest.mark.parametrize(("kind", "after", "id_"), KINDS)
def test_what_exists_is_found(
    occupied: boto3.Session, kind: str, after: dict[str, Any], id_: str
) -> None:
    found = existing(creation(kind, **after), occupied, ACCOUNT)
    assert found == [Existing(f"{kind}.this", kind, id_)]


@pytest.mark.parametrize(("kind", "after", "id_"), KINDS)
def test_an_empty_account_has_nothing(
    session: boto3.Session, kind: str, after: dict[str, Any], id_: str
) -> None:
    assert existing(creation(kind, **after), session, ACCOUNT) == []


@pytest.mark.parametrize(
    ("name", "id_"), [("feedback", "news|feedback"), ("other", None), (None, None)]
)
def test_an_event_destination_is_found_in_its_set(name: str | None, id_: str | None) -> None:
    """moto has none of version 2."""
    session: Any = boto3.Session("test", "test", region_name="eu-west-1")
    client = session.client("sesv2")
    session.client = lambda _: client
    kind = "aws_sesv2_configuration_set_event_destination"
    plan = creation(kind, configuration_set_name="news", event_destination_name="feedback")
    with Stubber(client) as stub:
        method = "get_configuration_set_event_destinations"
        if name is None:
            stub.add_client_error(method, "NotFoundException")
        else:
            found = {"Name": name, "MatchingEventTypes": ["BOUNCE"]}
            stub.add_response(method, {"EventDestinations": [found]})
        assert [each.id for each in existing(plan, session, ACCOUNT)] == ([id_] if id_ else [])


def test_a_deleted_cluster_is_none(occupied: boto3.Session) -> None:
    occupied.client("ecs").delete_cluster(cluster="feedback")
    assert existing(creation("aws_ecs_cluster", name="feedback"), occupied, ACCOUNT) == []


def test_what_the_stack_has_itself_is_not_taken_over(occupied: boto3.Session) -> None:
    same = {"before": {"name": "feedback"}, "name": "feedback"}
    renamed = {"before": {"name": "old"}, "name": "feedback"}

    def found(*actions: str, **change: Any) -> list[Existing]:
        return existing(creation("aws_sqs_queue", *actions, **change), occupied, ACCOUNT)

    assert found("update", **same) == found("delete", "create", **same) == found("import") == []
    assert [each.id for each in found("delete", "create", **renamed)] == [URL]


def test_a_name_that_only_the_apply_can_tell_is_not_looked_for(session: boto3.Session) -> None:
    assert existing(creation("aws_sqs_queue"), session, ACCOUNT) == []
    assert existing(creation("aws_security_group", name="feedback"), session, ACCOUNT) == []


def test_a_missing_right_is_named(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = session.client("sqs")

    class Refusing:
        exceptions = sqs.exceptions

        def get_queue_url(self, **_: str) -> None:
            raise ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetQueueUrl"
            )

    monkeypatch.setattr(session, "client", lambda _: Refusing())
    with pytest.raises(AwsError, match=r"this_queue exists .*GetQueueUrl: AccessDenied: not you"):
        existing(creation("aws_sqs_queue", name="this_queue"), session, ACCOUNT)


def test_the_error_shows_blocks_that_terraform_reads() -> None:
    found = [Existing("module.feedback_queue.aws_sqs_queue.this", "aws_sqs_queue", URL)]
    said = str(AdoptionError(found))
    assert f"\n  aws_sqs_queue {URL}\n" in said
    block = "  import {\n    to = module.feedback_queue.aws_sqs_queue.this\n"
    assert said.endswith(f'{block}    id = "{URL}"\n  }}')
    assert "choose another name: the variable name, or ENV" in said
