"""The wiring's checks with AWS answers that no emulator gives; others run against LocalStack."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from sesbounce.doctor import alarms, checks, extra_topics, keys, queues, service, ses, topic
from sesbounce.doctor.declared import Service, Wiring, declared
from sesbounce.doctor.finding import Finding, Weight, broken
from sesbounce.errors import NothingDeployedError

ACCOUNT = "123456789012"


def arn(of: str, name: str) -> str:
    return f"arn:aws:{of}:eu-west-1:{ACCOUNT}:{name}"


TOPIC = arn("sns", "feedback")
EXTRA = f"arn:aws:sns:us-east-1:{ACCOUNT}:feedback"
OUTPUTS: dict[str, Any] = {
    "topic_arn": TOPIC,
    "subscription_arn": f"{TOPIC}:1",
    "queue_arn": arn("sqs", "feedback"),
    "queue_url": "https://sqs/feedback",
    "dlq_arn": arn("sqs", "feedback-dlq"),
    "dlq_url": "https://sqs/feedback-dlq",
    "subscription_dlq_arn": arn("sqs", "feedback-subscription-dlq"),
    "subscription_dlq_url": "https://sqs/feedback-subscription-dlq",
}
WIRING = Wiring(
    **OUTPUTS,
    identities={"example.com": frozenset({"Bounce", "Complaint"})},
    alarm_topic_arn=arn("sns", "operators"),
    alarm_names=("sesbounce-dlq", "sesbounce-failed"),
)


# One for all: botocore reads its descriptions of AWS, which are large, only once a session.
SESSION: Any = boto3.Session("test", "test", region_name="eu-west-1")


class Answers:
    """A session whose clients give the answers that a test has for them."""

    def __init__(self, stack: ExitStack) -> None:
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}
        self._stack = stack
        self.regions: list[str | None] = []

    def client(self, name: str, region_name: str | None = None) -> Any:
        self.regions.append(region_name)
        if name not in self._clients:
            self._clients[name] = SESSION.client(name)
            self._stubs[name] = self._stack.enter_context(Stubber(self._clients[name]))
        return self._clients[name]

    def to(self, name: str, method: str, answer: dict[str, Any]) -> None:
        self.client(name)
        self._stubs[name].add_response(method, answer)

    def refuses(self, name: str, method: str, code: str) -> None:
        self.client(name)
        self._stubs[name].add_client_error(method, code, "no", http_status_code=403)


@pytest.fixture
def answers() -> Iterator[Any]:
    with ExitStack() as stack:
        yield Answers(stack)


def texts(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(str(finding.weight), finding.what) for finding in findings]


# --- What is declared ---------------------------------------------------------------------------


def test_the_wiring_is_read_from_outputs_and_state() -> None:
    def attached(identity: str, kind: str) -> tuple[str, dict[str, Any]]:
        return (
            "aws_ses_identity_notification_topic",
            {"identity": identity, "notification_type": kind},
        )

    def destination(types: list[str]) -> dict[str, Any]:
        return {"configuration_set_name": "set", "matching_types": types}

    newer = {"matching_event_types": ["DELIVERY_DELAY"]}
    task = [{"environment": [{"name": "SESBOUNCE_TOPIC_ARNS", "value": TOPIC}]}]
    wired = declared(
        OUTPUTS
        | {
            "alarm_topic_arn": "alarms",
            "extra_topic_arns": [EXTRA],
            "cluster_name": "cluster",
            "service_name": "sesbounce",
            "task_definition_arn": "task:2",
            "log_group_name": "/ecs/sesbounce",
        },
        [
            attached("example.com", "Bounce"),
            attached("example.com", "Complaint"),
            attached("example.org", "Bounce"),
            ("aws_ses_event_destination", destination(["bounce", "renderingFailure"])),
            (
                "aws_sesv2_configuration_set_event_destination",
                {"configuration_set_name": "set", "event_destination": [newer]},
            ),
            ("aws_sns_topic_subscription", {"arn": f"{TOPIC}:2", "raw_message_delivery": False}),
            ("aws_sns_topic_subscription", {"arn": f"{TOPIC}:1", "raw_message_delivery": True}),
            ("aws_ecs_task_definition", {"container_definitions": json.dumps(task)}),
        ],
    )
    assert wired.identities == {
        "example.com": {"Bounce", "Complaint"},
        "example.org": {"Bounce"},
    }
    assert wired.configuration_sets == {"set": {"BOUNCE", "RENDERINGFAILURE", "DELIVERYDELAY"}}
    assert wired.extra_topic_arns == (EXTRA,)
    assert wired.raw
    assert wired.needs_envelope
    assert wired.service == Service("cluster", "sesbounce", "task:2", "/ecs/sesbounce")
    assert (wired.region, wired.account) == ("eu-west-1", ACCOUNT)
    assert wired.ses_arn("identity", "example.com") == arn("ses", "identity/example.com")


def test_topic_and_queue_may_exist_already() -> None:
    topic = "arn:aws:sns:eu-west-1:210987654321:SESBounce"
    without_dlq = {"topic_arn": topic, "dlq_arn": None, "dlq_url": None}
    wired = declared(OUTPUTS | without_dlq, [])
    assert (wired.region, wired.account) == ("eu-west-1", ACCOUNT)
    assert (wired.dlq_arn, wired.dlq_url) == (None, None)


def test_a_stack_may_be_but_a_queue() -> None:
    assert declared(OUTPUTS, []) == Wiring(**OUTPUTS)
    with pytest.raises(NothingDeployedError, match="deploy it first"):
        declared({}, [])


# --- SES ----------------------------------------------------------------------------------------


def notifications(topic_arn: str = TOPIC, **more: str) -> dict[str, Any]:
    """SES's answer about an identity that publishes bounces and complaints."""
    topics = {"BounceTopic": topic_arn, "ComplaintTopic": topic_arn, "DeliveryTopic": ""}
    return {"ForwardingEnabled": True} | topics | more


def identity(answers: Any, status: str | None, topics: dict[str, Any]) -> list[tuple[str, str]]:
    verified = {"example.com": {"VerificationStatus": status}} if status else {}
    answers.to("ses", "get_identity_verification_attributes", {"VerificationAttributes": verified})
    answers.to(
        "ses",
        "get_identity_notification_attributes",
        {"NotificationAttributes": {"example.com": topics}},
    )
    return texts(ses.identities(WIRING, answers))


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("Success", []),
        ("Pending", [("hint", "the identity example.com is not verified yet")]),
        ("Failed", [("broken", "the identity example.com is not verified (SES says: Failed)")]),
        (None, [("broken", "the identity example.com is not verified (SES says: NotStarted)")]),
    ],
)
def test_identities_are_verified(
    answers: Any, status: str | None, found: list[tuple[str, str]]
) -> None:
    assert identity(answers, status, notifications()) == found


@pytest.mark.parametrize(
    ("topics", "missing"),
    [
        (notifications(""), "Bounce, Complaint"),
        (notifications(f"{TOPIC}-2"), "Bounce, Complaint"),
        (notifications(ComplaintTopic=f"{TOPIC}-2"), "Complaint"),
    ],
)
def test_identities_publish_to_the_topic(
    answers: Any, topics: dict[str, Any], missing: str
) -> None:
    what = f"the identity example.com does not publish {missing} to the topic"
    assert identity(answers, "Success", topics) == [("broken", what)]


def test_an_address_identity_beside_its_domain_is_found(answers: Any) -> None:
    own = ["a@example.com", "b@example.com", "c@example.org"]
    answers.to("ses", "list_identities", {"Identities": own})
    topics = {"a@example.com": notifications(""), "b@example.com": notifications()}
    answers.to("ses", "get_identity_notification_attributes", {"NotificationAttributes": topics})
    what = "the address a@example.com is an identity beside its domain"
    assert texts(ses.address_identities(WIRING, answers)) == [("hint", what)]


def test_events_that_only_the_second_api_knows_are_asked_of_it(answers: Any) -> None:
    wired = replace(
        WIRING, configuration_sets={"set": frozenset({"BOUNCE", "DELIVERYDELAY", "SUBSCRIPTION"})}
    )
    first = {"Enabled": True, "Name": "a", "MatchingEventTypes": ["bounce"]}
    second = {"Enabled": True, "Name": "b", "MatchingEventTypes": ["DELIVERY_DELAY"]}
    answers.to(
        "ses",
        "describe_configuration_set",
        {"EventDestinations": [first | {"SNSDestination": {"TopicARN": TOPIC}}]},
    )
    answers.to(
        "sesv2",
        "get_configuration_set_event_destinations",
        {"EventDestinations": [second | {"SnsDestination": {"TopicArn": TOPIC}}]},
    )
    what = "the configuration set set does not publish SUBSCRIPTION to the topic"
    assert texts(ses.configuration_sets(wired, answers)) == [("broken", what)]


@pytest.mark.parametrize(
    ("account", "found"),
    [
        ({"ProductionAccessEnabled": True, "SendingEnabled": True}, []),
        ({"ProductionAccessEnabled": False}, [("hint", "the account is in SES's sandbox")]),
        ({"SendingEnabled": False}, [("broken", "SES has stopped sending")]),
        ({"EnforcementStatus": "PROBATION"}, [("hint", "SES has the account under review")]),
    ],
)
def test_the_account_may_send(
    answers: Any, account: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    answers.to("sesv2", "get_account", account)
    assert texts(ses.account(WIRING, answers)) == [
        (weight, f"{what} in eu-west-1") for weight, what in found
    ]


# --- Keys ---------------------------------------------------------------------------------------

KEY = arn("kms", "key/1")


def key_policy(*services: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key(answers: Any, policy: str, **more: Any) -> list[tuple[str, str]]:
    described = {"KeyId": "1", "Arn": KEY, "Enabled": True, "KeyManager": "CUSTOMER"} | more
    answers.to("kms", "describe_key", {"KeyMetadata": described})
    answers.to("kms", "get_key_policy", {"Policy": policy})
    return texts(keys.key(answers, KEY, "the queue", "sns.amazonaws.com", [TOPIC]))


def test_a_key_lets_the_service_encrypt(answers: Any) -> None:
    assert key(answers, key_policy("ses.amazonaws.com", "sns.amazonaws.com")) == []


def test_the_silent_failure_is_found(answers: Any) -> None:
    what = f"the policy of the key {KEY} does not let sns.amazonaws.com use it for {TOPIC}"
    assert key(answers, key_policy("ses.amazonaws.com")) == [("broken", what)]


def test_a_key_that_waits_for_its_deletion_is_found(answers: Any) -> None:
    policy = key_policy("sns.amazonaws.com")
    found = key(answers, policy, Enabled=False, KeyState="PendingDeletion")
    assert found == [("broken", f"the key {KEY} of the queue is PendingDeletion")]


def test_a_key_that_aws_manages_is_found(answers: Any) -> None:
    described = {"KeyId": "1", "Arn": KEY, "Enabled": True, "KeyManager": "AWS"}
    answers.to("kms", "describe_key", {"KeyMetadata": described})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"KmsMasterKeyId": "alias/aws/sns"}})
    *_, last = texts(topic.topic(WIRING, answers))
    what = "the topic is encrypted with alias/aws/sns, a key that AWS manages"
    assert last == ("broken", what)


# --- Topics, queues and readers -----------------------------------------------------------------


def test_unconfirmed_e_mail_subscriptions_are_counted(answers: Any) -> None:
    entries = [
        {"Protocol": "email", "SubscriptionArn": "PendingConfirmation"},
        {"Protocol": "email", "SubscriptionArn": f"{TOPIC}:2"},
        {"Protocol": "sqs", "SubscriptionArn": f"{TOPIC}:1"},
    ]
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    what = "1 e-mail subscriptions to the topic are not confirmed"
    assert texts(topic.people(WIRING, answers)) == [("hint", what)]


def sent_by(*topics: str, **more: str) -> dict[str, Any]:
    """SQS's answer about a queue that accepts these topics."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": WIRING.queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return {"Attributes": {"Policy": policy} | more}


@pytest.mark.parametrize(
    ("dlq_arn", "redrive", "found"),
    [
        (None, {}, [("hint", "the queue has no dead-letter queue")]),
        (None, {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}, []),
    ],
)
def test_a_queue_of_the_user_s_may_have_no_dead_letter_queue(
    answers: Any, dlq_arn: str | None, redrive: dict[str, str], found: list[tuple[str, str]]
) -> None:
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, **redrive))
    assert texts(queues.queue(replace(WIRING, dlq_arn=dlq_arn, dlq_url=None), answers)) == found


def extra(answers: Any, sent: dict[str, Any], entries: list[dict[str, str]]) -> Any:
    answers.to("sqs", "get_queue_attributes", sent)
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    return texts(extra_topics.extra_topics(replace(WIRING, extra_topic_arns=(EXTRA,)), answers))


SUBSCRIBED = {"SubscriptionArn": f"{EXTRA}:1", "Endpoint": WIRING.queue_arn}


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"RedrivePolicy": "{}"}, []),
        ({}, [("broken", f"the queue's subscription to {EXTRA} has no dead-letter queue")]),
        (
            {"RedrivePolicy": "{}", "RawMessageDelivery": "true"},
            [
                (
                    "broken",
                    f"raw message delivery of {EXTRA} is on, unlike that of the stack's topic",
                )
            ],
        ),
    ],
)
def test_an_extra_topic_is_asked_in_its_own_region(
    answers: Any, attributes: dict[str, str], found: list[tuple[str, str]]
) -> None:
    answers.client("sns")
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": [SUBSCRIBED]})
    answers.to("sns", "get_subscription_attributes", {"Attributes": attributes})
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    assert texts(extra_topics.extra_topics(wired, answers)) == found
    assert answers.regions[-1] == "us-east-1"


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], "missing"),
        ([SUBSCRIBED | {"Endpoint": "another"}], "missing"),
        ([SUBSCRIBED | {"SubscriptionArn": "PendingConfirmation"}], "not confirmed"),
    ],
)
def test_an_extra_topic_without_the_queue_is_found(
    answers: Any, entries: list[dict[str, str]], state: str
) -> None:
    what = f"the queue's subscription to {EXTRA} is {state}"
    assert extra(answers, sent_by(TOPIC, EXTRA), entries) == [("broken", what)]


def test_an_extra_topic_that_the_queue_does_not_accept_is_found(answers: Any) -> None:
    first, _ = extra(answers, sent_by(TOPIC), [])
    assert first == ("broken", f"the policy of the queue does not let {EXTRA} send to it")


def test_an_extra_topic_that_can_t_be_asked_is_a_hint(answers: Any) -> None:
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.refuses("sns", "list_subscriptions_by_topic", "AuthorizationError")
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    what = f"the subscriptions to {EXTRA} can't be read (AuthorizationError: no)"
    assert texts(extra_topics.extra_topics(wired, answers)) == [("hint", what)]


@pytest.mark.parametrize(
    ("received", "oldest", "found"),
    [
        ([3.0], [2000.0], []),
        ([0.0], [60.0], [("hint", "5 messages wait in feedback")]),
        ([], [60.0, 2000.0], [("broken", "5 messages wait in feedback")]),
    ],
)
def test_a_backlog_without_a_reader_breaks_when_it_is_old(
    answers: Any, received: list[float], oldest: list[float], found: list[tuple[str, str]]
) -> None:
    counts = {"ApproximateNumberOfMessages": "5", "ApproximateNumberOfMessagesNotVisible": "0"}
    answers.to("sqs", "get_queue_attributes", {"Attributes": counts})
    for values in (received, oldest):
        at = [datetime(2026, 11, 20, tzinfo=UTC)] * len(values)
        result = {"Id": "metric", "Values": values, "Timestamps": at}
        answers.to("cloudwatch", "get_metric_data", {"MetricDataResults": [result]})
    assert texts(queues.backlog(WIRING, answers)) == [
        (weight, f"{what}, and none was received in 15 minutes") for weight, what in found
    ]


@pytest.mark.parametrize(
    ("found", "weight", "what"),
    [
        ({}, None, ""),
        ({"runningCount": 0}, "broken", "none of 1 tasks of sesbounce runs"),
        ({"taskDefinition": "x/task:1"}, "hint", "sesbounce runs task:1, but task:2 is declared"),
        ({"status": "INACTIVE"}, "broken", "there is no service sesbounce"),
        ({"runningCount": 0, "desiredCount": 0}, None, ""),
    ],
)
def test_the_service_runs_what_is_declared(
    answers: Any, found: dict[str, Any], weight: str | None, what: str
) -> None:
    wired = replace(WIRING, service=Service("c", "sesbounce", "x/task:2", "/ecs/sesbounce"))
    running = {
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 1,
        "taskDefinition": "x/task:2",
    }
    answers.to("ecs", "describe_services", {"services": [running | found]})
    assert texts(service.service(wired, answers)) == ([(weight, what)] if weight else [])


def test_a_worker_outside_ecs_is_not_checked(answers: Any) -> None:
    assert texts(service.service(WIRING, answers)) == []


@pytest.mark.parametrize(
    ("subscriptions", "publisher", "found"),
    [
        (["x"], "cloudwatch.amazonaws.com", []),
        ([], "cloudwatch.amazonaws.com", [("hint", "nobody has subscribed to the alarms")]),
        (
            ["PendingConfirmation", "x"],
            "cloudwatch.amazonaws.com",
            [("hint", "1 of 2 subscriptions to the alarms are not confirmed")],
        ),
        (
            ["x"],
            "ses.amazonaws.com",
            [("broken", "the policy of the alarms' topic does not let CloudWatch publish")],
        ),
    ],
)
def test_alarms_are_received(
    answers: Any, subscriptions: list[str], publisher: str, found: list[tuple[str, str]]
) -> None:
    alarm = arn("cloudwatch", "alarm:sesbounce-*")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": publisher},
        "Action": "sns:Publish",
        "Resource": WIRING.alarm_topic_arn,
        "Condition": {"ArnLike": {"aws:SourceArn": alarm}},
    }
    has_alarm_topic(answers, statement)
    entries = [{"SubscriptionArn": subscription} for subscription in subscriptions]
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    assert texts(alarms.alarms(WIRING, answers)) == found


def has_alarm_topic(answers: Any, statement: dict[str, Any]) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"Policy": policy}})


@pytest.mark.parametrize(
    ("condition", "lets_all_publish"),
    [
        # The default policy of a topic, as SNS writes it.
        ({"StringEquals": {"AWS:SourceOwner": ACCOUNT}}, True),
        ({"StringEquals": {"AWS:SourceOwner": "999999999999"}}, False),
        # One of two alarms.
        ({"ArnLike": {"aws:SourceArn": arn("cloudwatch", "alarm:sesbounce-dlq")}}, False),
    ],
)
def test_a_topic_of_the_user_lets_each_alarm_publish(
    answers: Any, condition: dict[str, Any], *, lets_all_publish: bool
) -> None:
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": WIRING.alarm_topic_arn,
        "Condition": condition,
    }
    has_alarm_topic(answers, statement)
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": [{"SubscriptionArn": "x"}]})
    found = list(alarms.alarms(WIRING, answers))
    assert [finding.what for finding in found] == (
        []
        if lets_all_publish
        else ["the policy of the alarms' topic does not let CloudWatch publish"]
    )
    assert all("alarm_topic_statement" in finding.remedy for finding in found)


# --- All of it ----------------------------------------------------------------------------------


def only(monkeypatch: pytest.MonkeyPatch, **chosen: Any) -> None:
    monkeypatch.setattr(checks, "CHECKS", {n.replace("_", " "): c for n, c in chosen.items()})


def test_a_check_that_can_t_read_does_not_stop_the_others(
    answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(
        monkeypatch,
        the_account=ses.account,
        the_topic=topic.topic,
        rest=lambda *_: [broken("a", "b", "c")],
    )
    answers.refuses("sesv2", "get_account", "AccessDeniedException")
    answers.refuses("sns", "get_topic_attributes", "NotFound")
    first, second, third = checks.check(WIRING, answers)
    assert str(first) == (
        "hint: the account can't be read (AccessDeniedException: no): that part of the wiring is "
        "not checked. Allow these credentials to call GetAccount, or look in the AWS console."
    )
    # A declared resource that does not exist is a fault.
    assert second.weight is Weight.BROKEN
    assert second.what == "the topic: AWS finds no such resource (NotFound: no)"
    assert third.what == "a"


def test_a_policy_that_can_t_be_evaluated_is_a_hint(
    answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, the_topic=topic.topic)
    policy = json.dumps({"Statement": [{"Effect": "Allow", "NotAction": "sns:Subscribe"}]})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"Policy": policy}})
    (finding,) = checks.check(WIRING, answers)
    assert (finding.weight, finding.what) == (Weight.HINT, "the topic can't be checked")
    assert "NotAction" in finding.why
