"""The doctor's checks of what LocalStack does not have, on moto: broken in turn, named, mended."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ses.models import ConfigurationSet, SESBackend

from sesbounce.doctor import checks
from sesbounce.doctor.declared import Function, Schedule, Service, Wiring
from sesbounce.doctor.discover import discover
from sesbounce.doctor.examine import examine
from sesbounce.doctor.finding import Result, Status

ACCOUNT, REGION, OTHER_REGION = "123456789012", "us-east-1", "eu-west-1"
TYPES = frozenset({"Bounce", "Complaint"})
EVENTS = ("BOUNCE", "COMPLAINT")
NOT_IN_MOTO = ("ses.account", "ses.recommendations")


def policy(service: str, action: str, resource: str, **equal: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": equal["sources"]}} if equal else {},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def arn(service: str, name: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{name}"


def code() -> bytes:
    """A zip file with a function that nobody calls."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("main.py", "def main(event, context): ...")
    return file.getvalue()


class Session(boto3.Session):
    """Makes each client once: that takes longer than all answers of moto."""

    @cache  # noqa: B019  there is one session
    def client(self, *names: Any, **options: Any) -> Any:
        return super().client(*names, **options)


class Stack:
    """A stack with all that the doctor checks, without the modules of Terraform that make it.

    Attributes:
        wiring: the stack as Terraform would declare it.
        topic, extra, alarms: the ARNs of the topics.
        operator: the subscription to the alarms.
        task, role, mapping: the names that AWS has given to parts of the worker.
    """

    wiring: Wiring
    operator: str
    task: str
    role: str
    mapping: str

    def __init__(self) -> None:
        self.session = Session(region_name=REGION)
        self.topic, self.extra, self.alarms = (
            self("sns", region).create_topic(Name=name)["TopicArn"]
            for name, region in (("feedback", REGION), ("feedback", OTHER_REGION), ("a", REGION))
        )
        ses = policy("ses", "sns:Publish", self.topic, sources=[arn("ses", "*")])
        self.set_topic(self.topic, Policy=ses)
        names = ("feedback", "feedback-dlq", "feedback-sdlq")
        queue, dlq, subscription_dlq = (arn("sqs", name) for name in names)
        redrive = json.dumps({"deadLetterTargetArn": dlq, "maxReceiveCount": 5})
        dlq_url, subscription_dlq_url = (self.queue(name) for name in names[1:])
        self.wiring = Wiring(
            topic_arn=self.topic,
            subscription_arn=self.subscribe(self.topic, queue),
            queue_url=self.queue(names[0], RedrivePolicy=redrive),
            queue_arn=queue,
            dlq_url=dlq_url,
            dlq_arn=dlq,
            subscription_dlq_url=subscription_dlq_url,
            subscription_dlq_arn=subscription_dlq,
            extra_topic_arns=(self.extra,),
            identities={"example.com": TYPES},
            configuration_sets={"news": frozenset({"BOUNCE"})},
            ses_v1=True,  # moto has no event destinations in version 2
            service=self.service(),
            schedule=Schedule("mail", "run", self.task, "log", "default", 900),
            function=self.function(queue),
            alarm_topic_arn=self.alarms,
            alarm_names=("sesbounce-dlq",),
        )
        self.subscribe(self.extra, queue)
        self("ses").verify_domain_identity(Domain="example.com")
        for kind in sorted(TYPES):
            self.publish(kind)
        self.configuration_set()
        self("ses").create_configuration_set_event_destination(
            ConfigurationSetName="news",
            EventDestination={
                "Name": "sns",
                "Enabled": True,
                "MatchingEventTypes": ["bounce"],
                "SNSDestination": {"TopicARN": self.topic},
            },
        )
        alarm = [arn("cloudwatch", "alarm:*")]
        self.set_topic(
            self.alarms, Policy=policy("cloudwatch", "sns:Publish", self.alarms, sources=alarm)
        )
        self.operator = self.subscribe(self.alarms, "ops@example.com", "email")

    def __call__(self, service: str, region: str = REGION) -> Any:
        return self.session.client(service, region_name=region)

    def queue(self, name: str, **attributes: str) -> str:
        topics = [self.topic, self.extra]
        allowed = policy("sns", "sqs:SendMessage", arn("sqs", name), sources=topics)
        url: str = self("sqs").create_queue(
            QueueName=name,
            Attributes={"Policy": allowed, "VisibilityTimeout": "60", **attributes},
        )["QueueUrl"]
        return url

    def subscribe(self, topic: str, endpoint: str, protocol: str = "sqs") -> str:
        region = topic.split(":")[3]
        redrive = json.dumps({"deadLetterTargetArn": arn("sqs", "feedback-sdlq", region)})
        attributes = {"RedrivePolicy": redrive} if protocol == "sqs" else {}
        found: str = self("sns", region).subscribe(
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return found

    def unsubscribe_extra(self) -> None:
        sns = self("sns", OTHER_REGION)
        (entry,) = sns.list_subscriptions_by_topic(TopicArn=self.extra)["Subscriptions"]
        sns.unsubscribe(SubscriptionArn=entry["SubscriptionArn"])

    def set_topic(self, topic: str, **attributes: str) -> None:
        for name, value in attributes.items():
            self("sns").set_topic_attributes(
                TopicArn=topic, AttributeName=name, AttributeValue=value
            )

    def publish(self, kind: str, topic: str | None = "") -> None:
        """Have the identity publish notifications to the topic, or to none."""
        to = {} if topic is None else {"SnsTopic": topic or self.topic}
        self("ses").set_identity_notification_topic(
            Identity="example.com", NotificationType=kind, **to
        )

    def configuration_set(self, *, sends: bool = True) -> None:
        self("sesv2").create_configuration_set(
            ConfigurationSetName="news", SendingOptions={"SendingEnabled": sends}
        )

    def switch(self, *, sends: bool) -> None:
        """moto has no call that switches a configuration set on or off."""
        self("sesv2").delete_configuration_set(ConfigurationSetName="news")
        self.configuration_set(sends=sends)

    def service(self) -> Service:
        self("ecs").create_cluster(clusterName="mail")
        self.task = self("ecs").register_task_definition(
            family="sesbounce",
            containerDefinitions=[{"name": "worker", "image": "x", "memory": 256}],
        )["taskDefinition"]["taskDefinitionArn"]
        self.start_service()
        trusted = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.role = self("iam").create_role(RoleName="run", AssumeRolePolicyDocument=trusted)[
            "Role"
        ]["Arn"]
        for name in ("run", "sweep"):
            self.set_schedule("create", name)
        return Service("mail", "sesbounce", self.task, "log")

    def start_service(self) -> None:
        self("ecs").create_service(
            cluster="mail", serviceName="sesbounce", taskDefinition=self.task, desiredCount=1
        )

    def set_schedule(self, verb: str, name: str, state: str = "ENABLED") -> None:
        target = {
            "Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/mail",
            "RoleArn": self.role,
            "EcsParameters": {"TaskDefinitionArn": self.task},
        }
        getattr(self("scheduler"), f"{verb}_schedule")(
            Name=name,
            ScheduleExpression="rate(15 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target=target,
        )

    def function(self, queue: str) -> Function:
        made = self("lambda").create_function(
            FunctionName="sesbounce",
            Runtime="python3.13",
            Role=self.role,
            Handler="main.main",
            Code={"ZipFile": code()},
            Timeout=10,
        )
        self.mapping = self("lambda").create_event_source_mapping(
            EventSourceArn=queue,
            FunctionName=made["FunctionArn"],
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )["UUID"]
        return Function("sesbounce", self.mapping, f"{arn('scheduler', 'schedule')}/default/sweep")

    def results(self, wiring: Wiring | None = None) -> dict[str, Result]:
        subject = (wiring or self.wiring, self.session)
        found = examine([checks.group(lambda: subject)], lambda id_: id_ not in NOT_IN_MOTO)
        return {each.id: each for each in found}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests: each leaves it as it has found it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_ECS_SERVICE_RUNNING", "1")
        patch.setattr(SESBackend, "get_identity_notification_attributes", notification_attributes)
        patch.setattr(ConfigurationSet, "to_dict_v2", configuration_set)
        with mock_aws(config={"lambda": {"use_docker": False}}):
            yield Stack()


def notification_attributes(
    backend: SESBackend, identities: list[str]
) -> dict[str, dict[str, object]]:
    """moto keeps the topics of an identity, and does not return them."""
    kept = backend.sns_topics
    return {
        name: {f"{kind}Topic": topic for kind, topic in kept.get(name, {}).items()}
        | {"ForwardingEnabled": True}
        for name in identities
    }


def configuration_set(found: ConfigurationSet) -> dict[str, object]:
    """moto returns `{"SendingEnabled": {"SendingEnabled": true}}`."""
    return {
        "ConfigurationSetName": found.configuration_set_name,
        "SendingOptions": found.enabled,
    }


def having(found: dict[str, Result], *statuses: Status) -> set[str]:
    return {name for name, each in found.items() if each.status in statuses}


def test_a_sound_stack_is_ok(stack: Stack) -> None:
    found = stack.results()
    without = found.pop("ecs.api")
    assert without.reason == "there is no service of the HTTP API"
    assert {name: each for name, each in found.items() if each.findings or each.reason} == {}


Step = Callable[[Stack], object]

LINKS: dict[str, tuple[Step, Step]] = {
    "ses.identities": (
        lambda stack: stack.publish("Complaint", None),
        lambda stack: stack.publish("Complaint"),
    ),
    "ses.addresses": (
        lambda stack: stack("ses").verify_email_identity(EmailAddress="me@example.com"),
        lambda stack: stack("ses").delete_identity(Identity="me@example.com"),
    ),
    "ses.configuration-set-settings": (
        lambda stack: stack.switch(sends=False),
        lambda stack: stack.switch(sends=True),
    ),
    "sns.extra-topics": (
        lambda stack: stack.unsubscribe_extra(),
        lambda stack: stack.subscribe(stack.extra, stack.wiring.queue_arn),
    ),
    "ecs.service": (
        lambda stack: stack("ecs").delete_service(cluster="mail", service="sesbounce", force=True),
        lambda stack: stack.start_service(),
    ),
    "ecs.schedule": (
        lambda stack: stack.set_schedule("update", "run", "DISABLED"),
        lambda stack: stack.set_schedule("update", "run"),
    ),
    "lambda.function": (
        lambda stack: stack("lambda").update_event_source_mapping(
            UUID=stack.mapping, Enabled=False
        ),
        lambda stack: stack("lambda").update_event_source_mapping(UUID=stack.mapping, Enabled=True),
    ),
    "lambda.sweep": (
        lambda stack: stack.set_schedule("update", "sweep", "DISABLED"),
        lambda stack: stack.set_schedule("update", "sweep"),
    ),
    "cloudwatch.alarms": (
        lambda stack: stack("sns").unsubscribe(SubscriptionArn=stack.operator),
        lambda stack: stack.subscribe(stack.alarms, "ops@example.com", "email"),
    ),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_broken_link_is_named_and_its_remedy_mends_it(stack: Stack, link: str) -> None:
    break_it, mend = LINKS[link]
    break_it(stack)
    found = stack.results()
    assert having(found, Status.BROKEN, Status.HINT) == {link}
    assert all(finding.remedy for finding in found[link].findings)
    mend(stack)
    assert having(stack.results(), Status.BROKEN, Status.HINT) == set()


# --- What credentials may not read --------------------------------------------------------------


Denied = dict[str, str]


@pytest.fixture
def denied(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Denied:
    """The codes by the calls that AWS rejects, each alone or with its topic: `GetX arn:…`."""
    rejected: Denied = {}
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def answered(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        topic = parameters.get("TopicArn") or parameters.get("SubscriptionArn", "")
        for each, code in rejected.items():
            if f"{operation} {topic}".startswith(each):
                raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        if operation == "GetConfigurationSetEventDestinations":  # moto does not have it
            to = {"SnsDestination": {"TopicArn": stack.topic}, "MatchingEventTypes": list(EVENTS)}
            return {"EventDestinations": [{"Enabled": True, **to}]}
        return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", answered)
    return rejected


def found_in_aws(stack: Stack) -> dict[str, Result]:
    """The results for what is found from the queue on, by the check's name."""
    found = stack.results(discover(stack.session, stack.wiring.queue_url))
    return {name: each for name, each in found.items() if name.startswith(("ses.", "sns.", "sqs."))}


@pytest.mark.usefixtures("denied")
def test_all_is_found_from_the_queue_on(stack: Stack) -> None:
    found = found_in_aws(stack)
    assert having(found, Status.OK) == set(found)


def test_a_topic_that_can_t_be_read_leaves_the_others_to_be_checked(
    stack: Stack, denied: Denied
) -> None:
    denied[f"ListSubscriptionsByTopic {stack.extra}"] = "AuthorizationError"
    found = found_in_aws(stack)
    assert having(found, Status.OK) == set(found) - {"sns.extra-topics"}
    (finding,) = found["sns.extra-topics"].findings
    assert finding.what == (
        f"the subscriptions to {stack.extra} can't be read (AuthorizationError: no)"
    )
    assert "sns:ListSubscriptionsByTopic" in finding.remedy


@pytest.mark.parametrize("call", ["ListSubscriptionsByTopic", "GetSubscriptionAttributes"])
def test_what_needs_the_topic_s_subscription_is_skipped_alone(
    stack: Stack, denied: Denied, call: str
) -> None:
    denied[f"{call} {stack.topic}"] = "AuthorizationError"
    found = found_in_aws(stack)
    needing = {"sns.subscription", "sqs.subscription-dlq", "sqs.dead-letters"}
    lists = {"sns.people"} if call == "ListSubscriptionsByTopic" else set()
    assert having(found, Status.OK) == set(found) - needing - lists
    assert having(found, Status.SKIPPED) == needing | lists
    assert {found[name].reason for name in needing} == {
        f"the subscriptions to {stack.topic} can't be read: {call} failed (AuthorizationError: "
        "no): allow these credentials to call it, or look in the AWS console"
    }


def test_one_topic_that_can_t_be_read_is_enough_to_check_ses(stack: Stack, denied: Denied) -> None:
    denied["ListSubscriptionsByTopic"] = "AuthorizationError"
    found = found_in_aws(stack)
    assert having(found, Status.HINT) == {"sns.extra-topics"}
    assert having(found, Status.SKIPPED) == {
        "sns.people",
        "sns.subscription",
        "sqs.subscription-dlq",
        "sqs.dead-letters",
    }
    # A dead letter in the other queue is named all the same.
    url = stack.wiring.dlq_url
    stack("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert found_in_aws(stack)["sqs.dead-letters"].status is Status.BROKEN
    stack("sqs").purge_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("call", "skipped"),
    [
        (
            "ListIdentities",
            {"ses.identities", "ses.dkim", "ses.mail-from", "ses.addresses", "sns.topic"},
        ),
        (
            "ListConfigurationSets",
            {"ses.configuration-sets", "ses.configuration-set-settings", "sns.topic"},
        ),
    ],
)
def test_what_ses_does_not_say_leaves_the_rest_to_be_checked(
    stack: Stack, denied: Denied, call: str, skipped: set[str]
) -> None:
    denied[call] = "AuthorizationError"
    found = found_in_aws(stack)
    assert having(found, Status.SKIPPED) == skipped
    assert {found[name].reason.partition(":")[0] for name in skipped} == {
        f"{call} failed (AuthorizationError"
    }
    assert having(found, Status.OK) == set(found) - skipped


def test_a_dead_letter_queue_of_another_region_is_not_taken_for_a_deleted_one(
    stack: Stack, denied: Denied
) -> None:
    denied[f"ListSubscriptionsByTopic {stack.topic}"] = "NotFound"  # there is but the other topic
    found = found_in_aws(stack)
    assert "feedback-sdlq of the subscription is in another region" in (
        found["sqs.subscription-dlq"].reason
    )
    assert {"sqs.subscription-dlq", "sqs.dead-letters"} <= having(found, Status.SKIPPED)
