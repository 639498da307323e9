"""Checks the topic: SES may publish to it, and SNS delivers to the queue and to people."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import boto3

from sesbounce.aws.queue_policy import redrive_target
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.iam import Request, allows
from sesbounce.doctor.keys import key

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient

PENDING = "PendingConfirmation"
_SES = "ses.amazonaws.com"


def topic(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES may publish to the topic for each identity and configuration set, and use its key."""
    client: SNSClient = session.client("sns")
    attributes = client.get_topic_attributes(TopicArn=wiring.topic_arn)["Attributes"]
    sources = [
        *(wiring.ses_arn("identity", name) for name in wiring.identities),
        *(wiring.ses_arn("configuration-set", name) for name in wiring.configuration_sets),
    ]
    for source in sources:
        context = {
            "aws:SourceAccount": wiring.account,
            "aws:SourceArn": source,
            "aws:SecureTransport": "true",
        }
        request = Request(
            action="sns:Publish",
            resource=wiring.topic_arn,
            principal=("Service", _SES),
            context=context,
        )
        if not allows(attributes.get("Policy"), request):
            yield broken(
                f"the policy of the topic does not let SES publish for {source}",
                "SES drops each of its events",
                "Restore it: make deploy; to the policy of a topic of your own, add the statements "
                "of the output topic_statements",
            )
    key_id = attributes.get("KmsMasterKeyId")
    yield from key(session, key_id, "the topic", _SES, sources)


def subscription(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The queue receives every message in the declared form; SNS keeps what it can't deliver."""
    client: SNSClient = session.client("sns")
    answer = client.get_subscription_attributes(SubscriptionArn=wiring.subscription_arn)
    attributes = answer["Attributes"]
    if attributes.get(PENDING) == "true":
        yield broken(
            "the queue's subscription is not confirmed",
            "SNS sends nothing to the queue",
            wiring.restore,
        )
    if attributes.get("Endpoint") != wiring.queue_arn:
        yield broken(
            f"the queue's subscription sends to {attributes.get('Endpoint')} instead",
            "no message reaches the queue that the worker reads",
            wiring.restore,
        )
    if is_filtered(attributes):
        yield broken(
            "the queue's subscription has a filter",
            "messages that do not match it never reach the worker",
            "Remove it in the SNS console",
        )
    yield from _envelope(wiring, raw=attributes.get("RawMessageDelivery") == "true")
    dlq = redrive_target(attributes.get("RedrivePolicy"))
    if dlq != wiring.subscription_dlq_arn:
        yield broken(
            "the queue's subscription does not have the declared dead-letter queue",
            "messages that SNS can't deliver are lost",
            wiring.restore,
        )
    elif not dlq:
        yield hint(
            "the queue's subscription has no dead-letter queue",
            "messages that SNS can't deliver are lost",
            "Give the subscription one (RedrivePolicy)",
        )


def people(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Every subscriber by e-mail has confirmed."""
    if waiting := pending(wiring.topic_arn, session):
        yield hint(
            f"{waiting} e-mail subscriptions to the topic are not confirmed",
            "SNS sends nothing to their addresses",
            "Each subscriber has to open the link in SNS's mail within three days; "
            "run make deploy afterwards",
        )


def pending(topic_arn: str, session: boto3.Session) -> int:
    """The number of e-mail subscriptions to a topic that are not confirmed."""
    client: SNSClient = session.client("sns")
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return sum(
        entry["Protocol"].startswith("email") and entry["SubscriptionArn"] == PENDING
        for page in pages
        for entry in page["Subscriptions"]
    )


def is_filtered(attributes: Mapping[str, str]) -> bool:
    """Whether a subscription with these attributes gets only some of the messages."""
    return attributes.get("FilterPolicy", "{}") not in ("", "{}")


def _envelope(wiring: Wiring, *, raw: bool) -> Iterator[Finding]:
    if raw != wiring.raw:
        yield broken(
            f"raw message delivery is {'on' if raw else 'off'}, but declared "
            f"{'on' if wiring.raw else 'off'}",
            "messages arrive in another form than their readers expect",
            wiring.restore,
        )
    if raw and wiring.needs_envelope:
        yield broken(
            "raw message delivery is on, but the worker accepts messages of certain topics only",
            "a message without envelope names no topic, so each goes to the dead-letter queue",
            "Set raw_message_delivery = false, or remove SESBOUNCE_TOPIC_ARNS and "
            "SESBOUNCE_VERIFY_SIGNATURES from the worker's settings",
        )
