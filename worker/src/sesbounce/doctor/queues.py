"""Checks the queues: the topic may send to them, none holds dead letters, and a worker reads."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.iam import Request, allows
from sesbounce.doctor.keys import key
from sesbounce.errors import NotCheckedError

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_sqs.client import SQSClient

_SNS = "sns.amazonaws.com"
_DLQ = "sesbounce dlq"
_ALLOW = (
    "Restore it: make deploy; to the policy of a queue of your own, add the statements of the "
    "output queue_statements"
)

# SQS counts visible, in-flight and delayed messages; all three names begin like this.
_COUNTS = "ApproximateNumberOfMessages"

_LOOKED_BACK = timedelta(minutes=15)
_OLD = timedelta(minutes=15)  # the default threshold of the alarm on the age of messages


def queue(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The topic may send to the queue, and SQS moves failed messages to the dead-letter queue."""
    attributes = attributes_of(session, wiring.queue_url)
    yield from written_by(
        wiring.topic_arn, wiring, session, wiring.queue_arn, attributes, "the queue"
    )
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    if not (wiring.dlq_arn or redrive):
        yield hint(
            "the queue has no dead-letter queue",
            "a message that the worker can't handle comes back until SQS deletes it",
            "Give the queue one, and name it in existing_queue.dlq_arn",
        )
    elif wiring.dlq_arn and redrive.get("deadLetterTargetArn") != wiring.dlq_arn:
        yield broken(
            "the queue does not have the declared dead-letter queue",
            "a message that the worker can't handle comes back until SQS deletes it",
            wiring.restore,
        )


def subscription_dlq(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SNS may send messages there that it could not deliver."""
    attributes = attributes_of(session, wiring.subscription_dlq_url)
    whose = "the subscription's dead-letter queue"
    dlq_arn = wiring.subscription_dlq_arn
    yield from written_by(wiring.topic_arn, wiring, session, dlq_arn, attributes, whose)


def dead_letters(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Both dead-letter queues are empty.

    Raises:
        NotCheckedError: the queue's own is empty, and that of the subscription is not known.
    """
    client: CloudWatchClient = session.client("cloudwatch")
    waiting = waiting_dead_letters(wiring, session)
    for url, count in waiting.items():
        name = url.rpartition("/")[2]
        age = _metric(client, name, "ApproximateAgeOfOldestMessage", "Maximum", _LOOKED_BACK)
        yield broken(
            f"{messages_wait(count)} in {name}{_since(age)}",
            "their events are in no database yet, and SQS deletes them after 14 days",
            how_to_redrive(wiring, url),
        )
    if not waiting and "subscription_dlq_url" in wiring.unknown:
        raise NotCheckedError(wiring.unknown["subscription_dlq_url"])


def backlog(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """A worker reads the queue."""
    attributes = attributes_of(session, wiring.queue_url)
    waiting = int(attributes["ApproximateNumberOfMessages"])
    if not waiting or int(attributes["ApproximateNumberOfMessagesNotVisible"]):
        return
    # Between two runs of a schedule messages wait, and one of them may come late.
    runs = timedelta(seconds=2 * wiring.schedule.interval_seconds if wiring.schedule else 0)
    since = _LOOKED_BACK + runs
    client: CloudWatchClient = session.client("cloudwatch")
    name = wiring.queue_arn.split(":")[5]
    if _metric(client, name, "NumberOfMessagesReceived", "Sum", since):
        return
    oldest = _metric(client, name, "ApproximateAgeOfOldestMessage", "Maximum", since)
    is_old = oldest > (_OLD + runs).total_seconds()
    if wiring.schedule and not is_old:
        return
    finding = broken if is_old else hint
    yield finding(
        f"{messages_wait(waiting)} in {wiring.queue_url.rpartition('/')[2]}, and none was received "
        f"in {since // timedelta(minutes=1)} minutes",
        "the sender keeps mailing addresses that bounce",
        "Read the worker's log; if no worker is deployed, start one: `sesbounce run`",
    )


def messages_wait(count: int) -> str:
    """Begin a sentence about the messages that a queue holds."""
    return "1 message waits" if count == 1 else f"{count} messages wait"


def waiting_dead_letters(wiring: Wiring, session: boto3.Session) -> dict[str, int]:
    """The number of messages in each dead-letter queue that is not empty, by the queue's URL.

    A queue that does not exist is left out.
    """
    return waiting_messages(session, filter(None, [wiring.dlq_url, wiring.subscription_dlq_url]))


def waiting_messages(session: boto3.Session, urls: Iterable[str]) -> dict[str, int]:
    """The number of messages in each of these queues that is not empty, by the queue's URL.

    Messages in flight and delayed ones count, too. A queue that does not exist is left out.
    """
    client: SQSClient = session.client("sqs")
    found = {}
    for url in urls:
        try:
            attributes = attributes_of(session, url)
        except client.exceptions.QueueDoesNotExist:
            continue
        counts = [n for name, n in attributes.items() if name.startswith(_COUNTS)]
        found[url] = sum(map(int, counts))
    return {url: waiting for url, waiting in found.items() if waiting}


def how_to_handle(wiring: Wiring, url: str) -> str:
    """What a person does with the messages that wait in a queue of the stack."""
    if url == wiring.queue_url:
        return "Let a worker handle them: `sesbounce run --until-empty`"
    return how_to_redrive(wiring, url)


def how_to_redrive(wiring: Wiring, url: str) -> str:
    """The commands that list dead letters, and that record them or return them to the worker."""
    options = {
        wiring.dlq_url: "",
        wiring.subscription_dlq_url: " --queue subscription",
    }.get(url, f" --queue-url {url}")
    list_, replay, redrive = (f"`{_DLQ} {name}{options}`" for name in ("list", "replay", "redrive"))
    return (
        f"Read what is wrong with them: {list_}; when the cause is removed, record them: {replay}; "
        f"or send them back to the queue: {redrive}"
    )


def written_by(
    topic_arn: str,
    wiring: Wiring,
    session: boto3.Session,
    arn: str,
    attributes: Mapping[str, str],
    whose: str,
) -> Iterator[Finding]:
    """A topic may send to a queue, and SNS may use the queue's key for it.

    Args:
        topic_arn: the topic, also one of another region or account.
        wiring: what Terraform declares.
        session: of the stack's region.
        arn: the queue.
        attributes: what SQS answers about the queue.
        whose: the queue, as a finding names it.
    """
    context = {
        "aws:SourceArn": topic_arn,
        "aws:SourceAccount": topic_arn.split(":")[4],
        "aws:SecureTransport": "true",
    }
    requests = [
        Request(action="sqs:SendMessage", resource=arn, principal=principal, context=context)
        for principal in _principals(topic_arn, arn)
    ]
    sender = "the topic" if topic_arn == wiring.topic_arn else topic_arn
    if not any(allows(attributes.get("Policy"), request) for request in requests):
        is_kept = topic_arn == wiring.topic_arn and arn == wiring.queue_arn
        yield broken(
            f"the policy of {whose} does not let {sender} send to it",
            "SNS can't deliver to it: each message waits in the subscription's dead-letter queue"
            if is_kept and wiring.subscription_dlq_arn
            else "SNS can't deliver to it, and each message is lost",
            _ALLOW,
        )
    key_id = attributes.get("KmsMasterKeyId")
    yield from key(session, key_id, whose, _SNS, [topic_arn])


def _principals(topic_arn: str, queue_arn: str) -> Iterator[tuple[str, str]]:
    """SNS, by each name that a policy may have for it.

    From and to a region that accounts opt in to, SNS has another name.
    https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html
    """
    yield "Service", _SNS
    regions = {topic_arn.split(":")[3], queue_arn.split(":")[3]}
    if len(regions) > 1:
        yield from (("Service", f"sns.{region}.amazonaws.com") for region in sorted(regions))


def attributes_of(session: boto3.Session, url: str) -> Mapping[str, str]:
    """All that SQS answers about a queue."""
    client: SQSClient = session.client("sqs")
    answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(name): value for name, value in answer["Attributes"].items()}


def _since(age_seconds: float) -> str:
    """How long the oldest message has waited, in words; empty where CloudWatch does not say."""
    hours = int(age_seconds // 3600)
    if not age_seconds:
        return ""
    days = hours // 24
    return f", the oldest for {f'{days} days' if days > 1 else f'{hours} hours'}"


def _metric(
    client: "CloudWatchClient", queue: str, name: str, statistic: str, since: timedelta
) -> float:
    """The greatest value of one of a queue's metrics in the time until now; 0 without any."""
    now = datetime.now(UTC)
    answer = client.get_metric_data(
        StartTime=now - since,
        EndTime=now,
        MetricDataQueries=[
            {
                "Id": "metric",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": name,
                        "Dimensions": [{"Name": "QueueName", "Value": queue}],
                    },
                    "Period": 60,
                    "Stat": statistic,
                },
            }
        ],
    )
    return max((v for result in answer["MetricDataResults"] for v in result["Values"]), default=0)
