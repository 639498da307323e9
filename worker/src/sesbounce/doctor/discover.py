"""Finds the wiring in AWS, upstream from the queue: its policy, its subscriptions, and SES.

What Terraform declares is not needed for it, so it also finds wiring that somebody made by hand.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.queue_policy import redrive_target, statements, topics_of
from sesbounce.doctor.declared import Wiring, event_type
from sesbounce.doctor.examine import unread
from sesbounce.doctor.queues import attributes_of
from sesbounce.doctor.ses import batches, destinations
from sesbounce.errors import NotSubscribedError

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_sns.client import SNSClient

# Without one of these an address that must not be mailed stays unknown.
_KINDS = ("Bounce", "Complaint")
# An emulator's answers for an API that it does not have.
_NO_SUCH_API = {"InternalError", "InternalFailure", "UnknownOperationException", "404", "501"}


Found = TypeVar("Found")
Types = dict[str, frozenset[str]]


class _Subscription(NamedTuple):
    """The queue's subscription to a topic.

    Attributes:
        topic_arn: the topic.
        arn: the subscription; empty where it could not be read.
        attributes: what SNS answers about it.
        unread: why it could not be read.
    """

    topic_arn: str
    arn: str
    attributes: Mapping[str, str]
    unread: str = ""


class _Ses(NamedTuple):
    """What of SES publishes to a topic.

    Attributes:
        identities: the identities, with the notification types that the topic should get.
        configuration_sets: the configuration sets, with the event types that it should get.
        v1: whether SES has version 1 of its API alone, as an emulator may.
    """

    identities: Types
    configuration_sets: Types
    v1: bool


def discover(
    session: boto3.Session,
    queue_url: str,
    topic_arns: Sequence[str] = (),
    *,
    needs_envelope: bool = False,
    fills_suppression_list: bool = False,
) -> Wiring:
    """Find what sends to a queue.

    What these credentials may not read is left out; `unknown` says why.

    Args:
        session: of the region of the queue.
        queue_url: the queue.
        topic_arns: topics from which the worker expects messages; others are found as well.
        needs_envelope: see `Wiring`.
        fills_suppression_list: see `Wiring`.

    Raises:
        NotSubscribedError: no subscription of the queue can be found.
        ClientError, BotoCoreError: AWS rejects a call without which nothing can be found.
    """
    attributes = attributes_of(session, queue_url)
    queue_arn = attributes["QueueArn"]
    named = {*topic_arns, *_topics(attributes.get("Policy"))}
    first, *others = _all_subscriptions(session, queue_arn, named)
    readable = next((one for one in (first, *others) if not one.unread), first)
    dlq_arn = redrive_target(attributes.get("RedrivePolicy"))
    subscription_dlq = redrive_target(first.attributes.get("RedrivePolicy"))
    unknown: dict[str, str] = {}
    if first.unread:
        unknown |= dict.fromkeys(("subscription_arn", "subscription_dlq_url"), first.unread)
    elif subscription_dlq and not _url(queue_url, queue_arn, subscription_dlq):
        unknown["subscription_dlq_url"] = (
            f"the dead-letter queue {subscription_dlq} of the subscription is in another region: "
            "look in the AWS console of that region"
        )
    ses = _ses(session, first.topic_arn, unknown)
    return Wiring(
        topic_arn=first.topic_arn,
        subscription_arn=first.arn,
        queue_url=queue_url,
        queue_arn=queue_arn,
        dlq_arn=dlq_arn or None,
        dlq_url=_url(queue_url, queue_arn, dlq_arn) or None,
        subscription_dlq_arn=subscription_dlq,
        subscription_dlq_url=_url(queue_url, queue_arn, subscription_dlq),
        extra_topic_arns=tuple(other.topic_arn for other in others),
        raw=readable.attributes.get("RawMessageDelivery") == "true",
        identities=ses.identities,
        configuration_sets=ses.configuration_sets,
        kms_key_arn=attributes.get("KmsMasterKeyId"),
        needs_envelope=needs_envelope,
        fills_suppression_list=fills_suppression_list,
        ses_v1=ses.v1,
        unknown=unknown,
        declared=False,
    )


def _all_subscriptions(
    session: boto3.Session, queue_arn: str, topic_arns: Collection[str]
) -> list[_Subscription]:
    """The queue's subscriptions; one to a topic of its own region and account comes first.

    Args:
        session: of the region of the queue.
        queue_arn: the queue.
        topic_arns: the topics to look at; empty for all of the account and the region.

    Raises:
        NotSubscribedError: there is no subscription.
    """
    topics: Sequence[str | None] = sorted(topic_arns) or [None]
    found = [one for topic_arn in topics for one in _readable(session, queue_arn, topic_arn)]
    if not found:
        raise NotSubscribedError(
            f"the queue is not subscribed to {' or '.join(sorted(topic_arns))}"
            if topic_arns
            else "the queue is subscribed to no topic of its account and region"
        )
    home = queue_arn.split(":")[3:5]  # SES publishes to a topic there
    return sorted(found, key=lambda one: (one.topic_arn.split(":")[3:5] != home, one.unread))


def _ses(session: boto3.Session, topic_arn: str, unknown: dict[str, str]) -> _Ses:
    """What of SES publishes to the topic; `unknown` gets the reasons of what can't be read."""
    identities: Types = _read(
        unknown, "identities", lambda: dict(_identities(session, topic_arn)), {}
    )
    v1 = _read(unknown, "configuration_sets", lambda: not _has_version_2(session), False)
    sets: Types = _read(
        unknown,
        "configuration_sets",
        lambda: dict(_configuration_sets(session, topic_arn, v1=v1)),
        {},
    )
    return _Ses(identities, sets, v1)


def _read(unknown: dict[str, str], name: str, find: Callable[[], Found], instead: Found) -> Found:
    """What AWS answers; where it rejects the call, `unknown` gets the reason under the name."""
    try:
        return find()
    except (ClientError, BotoCoreError) as error:
        unknown[name] = unread(error)
        return instead


def _topics(policy: str | None) -> Iterator[str]:
    """The topics that any statement of a policy names, also one that denies."""
    return (topic for statement in statements(policy) for topic in topics_of(statement))


def _readable(
    session: boto3.Session, queue_arn: str, topic_arn: str | None
) -> Sequence[_Subscription]:
    """The queue's subscriptions to a topic, or why they can't be read.

    A topic of another account may not let these credentials list its subscriptions. Since the
    policy of the queue or the settings name it, it is a topic of the queue all the same.
    """
    try:
        return list(_subscriptions(session, queue_arn, topic_arn))
    except (ClientError, BotoCoreError) as error:
        if topic_arn is None:
            raise
        why = f"the subscriptions to {topic_arn} can't be read: {unread(error)}"
        return [_Subscription(topic_arn, "", {}, why)]


def _subscriptions(
    session: boto3.Session, queue_arn: str, topic_arn: str | None
) -> Iterator[_Subscription]:
    """The queue's subscriptions to a topic, or to any topic of the account and the region."""
    region = topic_arn.split(":")[3] if topic_arn else None
    client: SNSClient = session.client("sns", region_name=region or session.region_name)
    pages: Any = (
        client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        if topic_arn
        else client.get_paginator("list_subscriptions").paginate()
    )
    try:
        entries = [entry for page in pages for entry in page["Subscriptions"]]
    except ClientError as error:
        if error.response["Error"].get("Code") == "NotFound":
            return
        raise
    for entry in entries:
        # SNS lists one that is not confirmed, or was deleted a moment ago, without its ARN.
        if entry["Endpoint"] == queue_arn and entry["SubscriptionArn"].startswith("arn:"):
            arn = entry["SubscriptionArn"]
            answer = client.get_subscription_attributes(SubscriptionArn=arn)
            yield _Subscription(entry["TopicArn"], arn, answer["Attributes"])


def _url(queue_url: str, queue_arn: str, dlq_arn: str) -> str:
    """The URL of a dead-letter queue in the region of the queue; empty for any other.

    It is not asked for: SQS does not answer about a queue that somebody has deleted.
    """
    if not dlq_arn or dlq_arn.split(":")[3] != queue_arn.split(":")[3]:
        return ""
    endpoint, _, _ = queue_url.rsplit("/", 2)
    return "/".join((endpoint, *dlq_arn.split(":")[4:]))


def _identities(session: boto3.Session, topic_arn: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The identities that publish to the topic, with the notification types that it should get."""
    client: SESClient = session.client("ses")
    pages = client.get_paginator("list_identities").paginate()
    names = [name for page in pages for name in page["Identities"]]
    for some in batches(names):
        answer = client.get_identity_notification_attributes(Identities=some)
        for name, found in answer["NotificationAttributes"].items():
            topics = {
                "Bounce": found.get("BounceTopic"),
                "Complaint": found.get("ComplaintTopic"),
                "Delivery": found.get("DeliveryTopic"),
            }
            kinds = {kind for kind, topic in topics.items() if topic == topic_arn}
            if kinds:
                yield name, frozenset(kinds.union(_KINDS))


def _configuration_sets(
    session: boto3.Session, topic_arn: str, *, v1: bool
) -> Iterator[tuple[str, frozenset[str]]]:
    """The configuration sets that publish to the topic, with the event types it should get."""
    client: SESClient = session.client("ses")
    token: dict[str, Any] = {}
    while True:
        answer = client.list_configuration_sets(**token)
        for each in answer.get("ConfigurationSets", []):
            types = {
                event_type(type_)
                for topic, types in destinations(session, each["Name"], v1=v1)
                if topic == topic_arn
                for type_ in types
            }
            if types:
                yield each["Name"], frozenset(types.union(map(str.upper, _KINDS)))
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def _has_version_2(session: boto3.Session) -> bool:
    """Whether there is version 2 of SES's API: an emulator may have version 1 alone."""
    try:
        session.client("sesv2").list_configuration_sets(PageSize=1)
    except ClientError as error:
        if error.response["Error"].get("Code") in _NO_SUCH_API:
            return False
        raise
    return True
