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

from sesbounce.doctor import (
    alarms,
    checks,
    extra_topics,
    function,
    keys,
    queues,
    recommendations,
    schedule,
    service,
    ses,
    ses_account,
    topic,
)
from sesbounce.doctor.declared import Function, Schedule, Service, Wiring, declared
from sesbounce.doctor.examine import Check, Group, examine
from sesbounce.doctor.finding import Finding, Result, Status, Weight
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
    settings = {"SESBOUNCE_TOPIC_ARNS": TOPIC, "SESBOUNCE_SES_SUPPRESSION_LIST": "true"}
    task = [{"environment": [{"name": name, "value": settings[name]} for name in settings]}]
    of_api = [{"environment": [{"name": "SESBOUNCE_SES_SUPPRESSION_LIST", "value": "false"}]}]
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
            *(
                ("aws_ecs_task_definition", {"arn": arn, "container_definitions": json.dumps(made)})
                for arn, made in (("task:2", task), ("api:1", of_api))
            ),
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
    assert wired.fills_suppression_list
    assert not wired.ses_v1
    assert wired.service == Service("cluster", "sesbounce", "task:2", "/ecs/sesbounce")
    assert (wired.region, wired.account) == ("eu-west-1", ACCOUNT)
    assert wired.ses_arn("identity", "example.com") == arn("ses", "identity/example.com")


def test_a_stack_may_have_version_1_of_ses_s_api_alone() -> None:
    destination = {"configuration_set_name": "set", "matching_types": ["bounce"]}
    assert declared(OUTPUTS, [("aws_ses_event_destination", destination)]).ses_v1


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


SET = replace(
    WIRING, configuration_sets={"set": frozenset({"BOUNCE", "DELIVERYDELAY", "SUBSCRIPTION"})}
)
NOT_PUBLISHED = "the configuration set set does not publish {} to the topic"


def test_version_2_of_the_api_tells_all_events(answers: Any) -> None:
    def destination(topic_arn: str, *types: str, enabled: bool = True) -> dict[str, Any]:
        settings = {"Enabled": enabled, "Name": "a", "MatchingEventTypes": list(types)}
        return settings | {"SnsDestination": {"TopicArn": topic_arn}}

    found = [
        destination(TOPIC, "BOUNCE", "DELIVERY_DELAY"),
        destination(f"{TOPIC}-2", "SUBSCRIPTION"),
        destination(TOPIC, "SUBSCRIPTION", enabled=False),
        {"Enabled": True, "Name": "b", "MatchingEventTypes": ["SUBSCRIPTION"]},
    ]
    answers.to("sesv2", "get_configuration_set_event_destinations", {"EventDestinations": found})
    what = NOT_PUBLISHED.format("SUBSCRIPTION")
    assert texts(ses.configuration_sets(SET, answers)) == [("broken", what)]


def test_a_stack_with_version_1_alone_asks_version_1(answers: Any) -> None:
    destination = {"Enabled": True, "Name": "a", "MatchingEventTypes": ["bounce"]}
    answers.to(
        "ses",
        "describe_configuration_set",
        {"EventDestinations": [destination | {"SNSDestination": {"TopicARN": TOPIC}}]},
    )
    what = NOT_PUBLISHED.format("DELIVERYDELAY, SUBSCRIPTION")
    assert texts(ses.configuration_sets(replace(SET, ses_v1=True), answers)) == [("broken", what)]


SIGNED = {"DkimEnabled": True, "DkimVerificationStatus": "Success"}
PLAIN_FROM = {
    "BehaviorOnMXFailure": "UseDefaultValue",
    "MailFromDomain": "",
    "MailFromDomainStatus": "",
}
OWN_FROM = PLAIN_FROM | {"MailFromDomain": "bounce.example.com", "MailFromDomainStatus": "Success"}


def authentication(
    answers: Any, dkim: dict[str, Any] = SIGNED, mail_from: dict[str, Any] = PLAIN_FROM
) -> list[Finding]:
    wired = replace(WIRING, identities={"example.com": frozenset(), "me@example.org": frozenset()})
    keys = {"DkimAttributes": {"example.com": dkim}}
    answers.to("ses", "get_identity_dkim_attributes", keys)
    from_ = {"MailFromDomainAttributes": {"example.com": mail_from}}
    answers.to("ses", "get_identity_mail_from_domain_attributes", from_)
    return [*ses.dkim(wired, answers), *ses.mail_from(wired, answers)]


def test_signed_mail_needs_no_mail_from_domain(answers: Any) -> None:
    assert authentication(answers) == []
    assert authentication(answers, mail_from=OWN_FROM) == []


@pytest.mark.parametrize(
    ("dkim", "what", "remedy"),
    [
        ({"DkimEnabled": False}, "with DKIM", "Switch Easy DKIM on"),
        ({"DkimVerificationStatus": "NotStarted"}, "with DKIM", "Switch Easy DKIM on"),
        (
            {"DkimVerificationStatus": "Pending"},
            "with DKIM yet (SES says: Pending)",
            "Add the three CNAME records to its DNS: the output dns_records",
        ),
        (
            {"DkimVerificationStatus": "Failed"},
            "with DKIM yet (SES says: Failed)",
            "Add the three CNAME records to its DNS: the output dns_records",
        ),
    ],
)
def test_mail_without_dkim_is_a_hint(
    answers: Any, dkim: dict[str, Any], what: str, remedy: str
) -> None:
    (found,) = authentication(answers, SIGNED | dkim)
    assert (found.weight, found.what) == (
        Weight.HINT,
        f"SES does not sign the mail of example.com {what}",
    )
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("behaviour", "weight", "why"),
    [
        ("UseDefaultValue", Weight.HINT, "SES uses amazonses.com in its place"),
        ("RejectMessage", Weight.BROKEN, "SES rejects all mail from example.com"),
    ],
)
def test_a_mail_from_domain_that_ses_does_not_find_is_found(
    answers: Any, behaviour: str, weight: Weight, why: str
) -> None:
    failed = OWN_FROM | {"MailFromDomainStatus": "Failed", "BehaviorOnMXFailure": behaviour}
    (found,) = authentication(answers, mail_from=failed)
    assert found.weight is weight
    assert found.what == (
        "SES does not use the MAIL FROM domain bounce.example.com of example.com (SES says: Failed)"
    )
    assert found.why.startswith(why)


BOTH = {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}}
LIST_ON = (
    "setting",
    "SES's suppression list of the account in eu-west-1: bounces on, complaints on",
)


def test_what_ses_recommends_for_the_identities_is_shown(answers: Any) -> None:
    def recommends(type_: str, impact: str, domain: str = "example.com") -> dict[str, str]:
        return {
            "ResourceArn": arn("ses", f"identity/{domain}"),
            "Type": type_,
            "Description": "Publish a record.",
            "Impact": impact,
        }

    first = [recommends("DMARC", "HIGH"), recommends("DKIM", "HIGH", "example.org")]
    answers.to("sesv2", "list_recommendations", {"Recommendations": first, "NextToken": "2"})
    second = [recommends("BIMI", "LOW")]
    answers.to("sesv2", "list_recommendations", {"Recommendations": second})
    hinted, said = recommendations.recommendations(WIRING, answers)
    assert (hinted.weight, hinted.what) == (
        Weight.HINT,
        "SES recommends DMARC for example.com",
    )
    assert hinted.why == "Publish a record"
    assert (said.weight, said.what) == (Weight.SETTING, "SES recommends BIMI for example.com")
    # Who has followed them all gets an empty answer.
    answers.to("sesv2", "list_recommendations", {"Recommendations": []})
    assert list(recommendations.recommendations(WIRING, answers)) == []


@pytest.mark.parametrize(
    ("account", "found"),
    [
        ({"ProductionAccessEnabled": True, "SendingEnabled": True}, []),
        ({"ProductionAccessEnabled": False}, [("hint", "the account is in SES's sandbox")]),
        ({"SendingEnabled": False}, [("broken", "SES has stopped sending")]),
        ({"EnforcementStatus": "SHUTDOWN"}, [("broken", "SES has stopped sending")]),
        ({"EnforcementStatus": "PROBATION"}, [("hint", "SES has the account under review")]),
    ],
)
def test_the_account_may_send(
    answers: Any, account: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    answers.to("sesv2", "get_account", account | BOTH)
    assert texts(ses_account.account(WIRING, answers)) == [
        *((weight, f"{what} in eu-west-1") for weight, what in found),
        LIST_ON,
    ]


@pytest.mark.parametrize(
    ("reasons", "found"),
    [
        (["BOUNCE", "COMPLAINT"], LIST_ON),
        (["COMPLAINT"], (LIST_ON[0], LIST_ON[1].replace("bounces on", "bounces off"))),
        ([], ("hint", "SES's suppression list of the account is off in eu-west-1")),
    ],
)
def test_the_account_s_suppression_list_is_shown(
    answers: Any, reasons: list[str], found: tuple[str, str]
) -> None:
    answers.to("sesv2", "get_account", {"SuppressionAttributes": {"SuppressedReasons": reasons}})
    assert texts(ses_account.account(WIRING, answers)) == [found]


def test_the_setting_says_what_it_means_beside_sesbounce(answers: Any) -> None:
    answers.to("sesv2", "get_account", BOTH)
    (found,) = ses_account.account(WIRING, answers)
    assert str(found) == (
        f"setting: {LIST_ON[1]}: SES sends no mail to an address on its list, and answers with a "
        "bounce of the subtype OnAccountSuppressionList, which sesbounce records as not attempted. "
        "Change it: aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE "
        "COMPLAINT."
    )


@pytest.mark.parametrize(
    ("reasons", "off"),
    [([], "bounces and complaints"), (["BOUNCE"], "complaints"), (["BOUNCE", "COMPLAINT"], None)],
)
def test_a_list_that_the_worker_fills_in_vain_is_found(
    answers: Any, reasons: list[str], off: str | None
) -> None:
    answers.to("sesv2", "get_account", {"SuppressionAttributes": {"SuppressedReasons": reasons}})
    filling = replace(WIRING, fills_suppression_list=True)
    _, *found = texts(ses_account.account(filling, answers))
    what = f"the worker adds addresses to SES's suppression list, where {off} are off"
    assert found == ([("hint", what)] if off else [])


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"SendingOptions": {"SendingEnabled": True}, "SuppressionOptions": {}}, []),
        (
            {"SendingOptions": {"SendingEnabled": False}},
            [("broken", "the configuration set set is switched off")],
        ),
        (
            {"SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"]}},
            [
                (
                    "setting",
                    "SES's suppression list for the configuration set set: "
                    "bounces off, complaints on",
                )
            ],
        ),
    ],
)
def test_a_configuration_set_may_have_its_own_settings(
    answers: Any, settings: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    answers.to("sesv2", "get_configuration_set", settings)
    assert texts(ses_account.configuration_set_settings(SET, answers)) == found


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
    ("seconds", "age"),
    [([], ""), ([7200.0], ", the oldest for 2 hours"), ([260000.0], ", the oldest for 3 days")],
)
def test_dead_letters_are_counted_with_the_age_of_the_oldest(
    answers: Any, seconds: list[float], age: str
) -> None:
    for count in ("3", "0"):
        attributes = {"Attributes": {"ApproximateNumberOfMessages": count}}
        answers.to("sqs", "get_queue_attributes", attributes)
    results = {"MetricDataResults": [{"Values": seconds}]}
    answers.to("cloudwatch", "get_metric_data", results)
    (found,) = queues.dead_letters(WIRING, answers)
    assert (found.weight, found.what) == (
        Weight.BROKEN,
        f"3 messages wait in feedback-dlq{age}",
    )


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
        (
            {"RedrivePolicy": "{}", "FilterPolicy": '{"notificationType": ["Bounce"]}'},
            [("broken", f"the queue's subscription to {EXTRA} has a filter")],
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
        ([SUBSCRIBED | {"SubscriptionArn": "Deleted"}], "missing"),
    ],
)
def test_an_extra_topic_without_the_queue_is_found(
    answers: Any, entries: list[dict[str, str]], state: str
) -> None:
    what = f"the queue's subscription to {EXTRA} is {state}"
    assert extra(answers, sent_by(TOPIC, EXTRA), entries) == [("broken", what)]


def test_a_second_subscription_that_waits_changes_nothing(answers: Any) -> None:
    entries = [SUBSCRIBED | {"SubscriptionArn": "PendingConfirmation"}, SUBSCRIBED]
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": entries})
    answers.to("sns", "get_subscription_attributes", {"Attributes": {"RedrivePolicy": "{}"}})
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    assert texts(extra_topics.extra_topics(wired, answers)) == []


def test_an_extra_topic_that_is_gone_is_broken_and_hides_no_other(answers: Any) -> None:
    another = f"{EXTRA}-2"
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA, another))
    answers.refuses("sns", "list_subscriptions_by_topic", "NotFound")
    answers.to("sns", "list_subscriptions_by_topic", {"Subscriptions": []})
    wired = replace(WIRING, extra_topic_arns=(EXTRA, another))
    assert texts(extra_topics.extra_topics(wired, answers)) == [
        ("broken", f"AWS finds no topic {EXTRA}"),
        ("broken", f"the queue's subscription to {another} is missing"),
    ]


def test_an_extra_topic_that_the_queue_does_not_accept_is_found(answers: Any) -> None:
    first, _ = extra(answers, sent_by(TOPIC), [])
    assert first == ("broken", f"the policy of the queue does not let {EXTRA} send to it")


def test_an_extra_topic_that_can_t_be_asked_is_a_hint(answers: Any) -> None:
    answers.to("sqs", "get_queue_attributes", sent_by(TOPIC, EXTRA))
    answers.refuses("sns", "list_subscriptions_by_topic", "AuthorizationError")
    wired = replace(WIRING, extra_topic_arns=(EXTRA,))
    what = f"the subscriptions to {EXTRA} can't be read (AuthorizationError: no)"
    assert texts(extra_topics.extra_topics(wired, answers)) == [("hint", what)]


def answer_of_the_metrics(answers: Any, received: list[float], oldest: list[float]) -> None:
    counts = {"ApproximateNumberOfMessages": "5", "ApproximateNumberOfMessagesNotVisible": "0"}
    answers.to("sqs", "get_queue_attributes", {"Attributes": counts})
    for values in (received, oldest):
        at = [datetime(2026, 11, 20, tzinfo=UTC)] * len(values)
        result = {"Id": "metric", "Values": values, "Timestamps": at}
        answers.to("cloudwatch", "get_metric_data", {"MetricDataResults": [result]})


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
    answer_of_the_metrics(answers, received, oldest)
    assert texts(queues.backlog(WIRING, answers)) == [
        (weight, f"{what}, and none was received in 15 minutes") for weight, what in found
    ]


@pytest.mark.parametrize(
    ("received", "oldest", "found"),
    [
        ([3.0], [9000.0], []),
        ([], [3500.0], []),  # before the first run
        ([], [8101.0], [("broken", "5 messages wait in feedback")]),
    ],
)
def test_between_two_runs_messages_may_wait(
    answers: Any, received: list[float], oldest: list[float], found: list[tuple[str, str]]
) -> None:
    answer_of_the_metrics(answers, received, oldest)
    wired = declared(OUTPUTS | SCHEDULED | {"run_interval_seconds": 3600}, [])
    assert texts(queues.backlog(wired, answers)) == [
        (weight, f"{what}, and none was received in 135 minutes") for weight, what in found
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


def test_the_service_of_the_api_is_checked_as_well(answers: Any) -> None:
    names = {"cluster_name": "c", "log_group_name": "/ecs/sesbounce"}
    api = {"api_service_name": "sesbounce-api", "api_task_definition_arn": "x/task:7"}
    wired = declared(OUTPUTS | names | api, [])
    assert wired.service is None
    assert wired.services == [Service("c", "sesbounce-api", "x/task:7", "/ecs/sesbounce")]
    answers.to("ecs", "describe_services", {"services": []})
    (found,) = service.api(wired, answers)
    assert found.what == "there is no service sesbounce-api"
    assert found.why == "no program gets an answer from the HTTP API"


SCHEDULED: dict[str, Any] = {
    "cluster_name": "cluster",
    "schedule_arn": arn("scheduler", "schedule/acme/sesbounce"),
    "task_definition_arn": arn("ecs", "task-definition/sesbounce:2"),
    "log_group_name": "/ecs/sesbounce",
    "run_interval_seconds": 900,
}


def test_a_schedule_is_read_from_the_outputs() -> None:
    wired = declared(OUTPUTS | SCHEDULED, [])
    definition = SCHEDULED["task_definition_arn"]
    assert wired.service is None
    assert wired.schedule == Schedule(
        "cluster", "sesbounce", definition, "/ecs/sesbounce", "acme", 900
    )


@pytest.mark.parametrize(
    ("state", "definition", "status", "cluster", "found"),
    [
        ("ENABLED", 2, "ACTIVE", ["ACTIVE"], []),
        ("DISABLED", 2, "ACTIVE", ["ACTIVE"], [("broken", "the schedule sesbounce is disabled")]),
        (
            "ENABLED",
            1,
            "ACTIVE",
            ["ACTIVE"],
            [("hint", "the schedule sesbounce starts sesbounce:1, but sesbounce:2 is declared")],
        ),
        (
            "ENABLED",
            2,
            "INACTIVE",
            ["ACTIVE"],
            [("broken", "the task definition sesbounce:2 is not active")],
        ),
        ("ENABLED", 2, "ACTIVE", ["INACTIVE"], [("broken", "there is no cluster acme")]),
        ("ENABLED", 2, "ACTIVE", [], [("broken", "there is no cluster acme")]),
    ],
)
def test_the_schedule_starts_what_is_declared(
    answers: Any,
    state: str,
    definition: int,
    status: str,
    cluster: list[str],
    found: list[tuple[str, str]],
) -> None:
    answer_of_the_schedule(answers, state, definition)
    clusters = [{"status": each} for each in cluster]
    answers.to("ecs", "describe_clusters", {"clusters": clusters})
    answers.to("ecs", "describe_task_definition", {"taskDefinition": {"status": status}})
    role = {
        "Path": "/",
        "RoleName": "acme-schedule",
        "RoleId": "A" * 16,
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/acme-schedule",
        "CreateDate": datetime(2026, 11, 20, tzinfo=UTC),
    }
    answers.to("iam", "get_role", {"Role": role})
    wired = declared(OUTPUTS | SCHEDULED, [])
    assert texts(schedule.schedule(wired, answers)) == found


def answer_of_the_schedule(answers: Any, state: str = "ENABLED", definition: int = 2) -> None:
    task_definition = arn("ecs", f"task-definition/sesbounce:{definition}")
    target = {
        "Arn": arn("ecs", "cluster/acme"),
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/acme-schedule",
        "EcsParameters": {"TaskDefinitionArn": task_definition},
    }
    answers.to("scheduler", "get_schedule", {"State": state, "Target": target})


def test_a_schedule_without_its_role_is_broken(answers: Any) -> None:
    answer_of_the_schedule(answers)
    answers.to("ecs", "describe_clusters", {"clusters": [{"status": "ACTIVE"}]})
    answers.to("ecs", "describe_task_definition", {"taskDefinition": {"status": "ACTIVE"}})
    answers.refuses("iam", "get_role", "NoSuchEntity")
    found = result(schedule.schedule, declared(OUTPUTS | SCHEDULED, []), answers)
    assert found.status is Status.BROKEN
    assert found.findings[0].what == "AWS finds no such resource (NoSuchEntity: no)"


def test_a_schedule_that_somebody_has_deleted_is_broken(answers: Any) -> None:
    answers.refuses("scheduler", "get_schedule", "ResourceNotFoundException")
    found = result(schedule.schedule, declared(OUTPUTS | SCHEDULED, []), answers)
    assert found.status is Status.BROKEN


FUNCTION: dict[str, Any] = {
    "function_name": "acme",
    "event_source_mapping_id": "14e0db71-5d35-4eb5-b481-8945cf9d10c2",
    "sweep_arn": arn("scheduler", "schedule/acme-sweep/acme-sweep"),
}
FUNCTION_ARN = arn("lambda", "function:acme")


def test_a_function_is_read_from_the_outputs() -> None:
    variables = [{"variables": {"SESBOUNCE_TOPIC_ARNS": TOPIC}}]
    state = [("aws_lambda_function", {"environment": variables})]
    wired = declared(OUTPUTS | FUNCTION, state)
    assert wired.function == Function(*FUNCTION.values())
    assert wired.needs_envelope
    assert not declared(OUTPUTS | FUNCTION, []).needs_envelope


@pytest.mark.parametrize(
    ("configuration", "mapping", "found"),
    [
        ({}, {}, []),
        ({"State": "Inactive", "StateReason": "idle"}, {"State": "Updating"}, []),
        (
            {"State": "Failed", "StateReason": "the role is gone"},
            {},
            [("broken", "the function acme is Failed: the role is gone")],
        ),
        (
            {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no space"},
            {},
            [("broken", "the last update of acme has failed: no space")],
        ),
        (
            {},
            {"State": "Disabled", "StateTransitionReason": "USER_INITIATED"},
            [("broken", "the event source mapping of the queue is Disabled: USER_INITIATED")],
        ),
        (
            {},
            {"FunctionResponseTypes": []},
            [("broken", "the event source mapping lacks ReportBatchItemFailures")],
        ),
        (
            {},
            {"EventSourceArn": arn("sqs", "other")},
            [("broken", "the event source mapping joins another queue or another function")],
        ),
        (
            {"Timeout": 61},
            {},
            [
                (
                    "hint",
                    "the queue's visibility timeout is 360 seconds, less than six times the "
                    "function's timeout",
                )
            ],
        ),
    ],
)
def test_the_function_is_active_and_the_queue_calls_it(
    answers: Any,
    configuration: dict[str, Any],
    mapping: dict[str, Any],
    found: list[tuple[str, str]],
) -> None:
    healthy = {
        "FunctionArn": FUNCTION_ARN,
        "LastUpdateStatus": "Successful",
        "State": "Active",
        "Timeout": 60,
    }
    enabled = {
        "State": "Enabled",
        "EventSourceArn": OUTPUTS["queue_arn"],
        "FunctionArn": FUNCTION_ARN,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    answers.to("lambda", "get_function_configuration", healthy | configuration)
    answers.to("lambda", "get_event_source_mapping", enabled | mapping)
    answers.to("sqs", "get_queue_attributes", {"Attributes": {"VisibilityTimeout": "360"}})
    wired = declared(OUTPUTS | FUNCTION, [])
    assert texts(function.function(wired, answers)) == found


@pytest.mark.parametrize(
    ("state", "found"),
    [("ENABLED", []), ("DISABLED", [("broken", "the schedule acme-sweep is disabled")])],
)
def test_the_schedule_of_the_sweeps_is_enabled(
    answers: Any, state: str, found: list[tuple[str, str]]
) -> None:
    answers.to("scheduler", "get_schedule", {"State": state})
    assert texts(function.sweep(declared(OUTPUTS | FUNCTION, []), answers)) == found


def test_a_function_that_somebody_has_deleted_is_broken(answers: Any) -> None:
    answers.refuses("lambda", "get_function_configuration", "ResourceNotFoundException")
    found = result(function.function, declared(OUTPUTS | FUNCTION, []), answers)
    assert found.status is Status.BROKEN


def test_a_worker_outside_ecs_is_not_checked(answers: Any) -> None:
    assert texts(service.service(WIRING, answers)) == []
    assert texts(schedule.schedule(WIRING, answers)) == []
    assert texts(function.function(WIRING, answers)) == []
    assert texts(function.sweep(WIRING, answers)) == []


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


def result(run: Any, wired: Wiring, answers: Any) -> Result:
    """The result of one check, whatever stops it."""
    (found,) = examine([Group([Check("a.b", "it is right", run)], lambda: (wired, answers))])
    return found


def test_a_check_that_can_t_read_is_skipped(answers: Any) -> None:
    answers.refuses("sesv2", "get_account", "AccessDeniedException")
    found = result(ses_account.account, WIRING, answers)
    assert (found.status, found.findings) == (Status.SKIPPED, ())
    assert found.reason == (
        "GetAccount failed (AccessDeniedException: no): allow these credentials to call it, or "
        "look in the AWS console"
    )


def test_a_declared_resource_that_does_not_exist_is_broken(answers: Any) -> None:
    answers.refuses("sns", "get_topic_attributes", "NotFound")
    found = result(topic.topic, WIRING, answers)
    assert found.status is Status.BROKEN
    assert found.findings[0].what == "AWS finds no such resource (NotFound: no)"


def test_a_policy_that_can_t_be_evaluated_is_skipped(answers: Any) -> None:
    policy = json.dumps({"Statement": [{"Effect": "Allow", "NotAction": "sns:Subscribe"}]})
    answers.to("sns", "get_topic_attributes", {"Attributes": {"Policy": policy}})
    found = result(topic.topic, WIRING, answers)
    assert found.status is Status.SKIPPED
    assert "NotAction" in found.reason


def test_what_the_wiring_does_not_have_is_skipped() -> None:
    (group,) = [checks.group(lambda: (WIRING, SESSION))]
    parts = {"ecs.service", "ecs.api", "ecs.schedule", "lambda.function", "lambda.sweep"}
    reasons = {r.id: r.reason for r in examine([group], parts.__contains__)}
    assert reasons == {
        "ecs.service": "there is no service of the worker",
        "ecs.api": "there is no service of the HTTP API",
        "ecs.schedule": "there is no schedule of the worker",
        "lambda.function": "there is no function of the worker",
        "lambda.sweep": "there is no function of the worker",
    }
