"""The topic: SES may publish to it, and it sends to the queue and to people."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.iam import Call, lets
from sesbounce.doctor.keys import key

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient

PENDING = "PendingConfirmation"
_SES = "ses.amazonaws.com"
_REDO = "Put it back: make deploy"


def topic(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES may publish to the topic for whoever sends, and use its key."""
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
        if not lets(attributes.get("Policy"), Call(_SES, "sns:Publish", wiring.topic_arn, context)):
            yield broken(
                f"the policy of the topic does not let SES publish for {source}",
                "SES drops what it has to tell",
                _REDO,
            )
    key_id = attributes.get("KmsMasterKeyId")
    yield from key(wiring, session, key_id, "the topic", _SES, sources)


def subscription(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The queue gets everything, as declared, and what can't be delivered is kept."""
    client: SNSClient = session.client("sns")
    answer = client.get_subscription_attributes(SubscriptionArn=wiring.subscription_arn)
    attributes = answer["Attributes"]
    if attributes.get(PENDING) == "true":
        yield broken(
            "the queue's subscription is not confirmed", "the topic sends nothing to it", _REDO
        )
    if attributes.get("Endpoint") != wiring.queue_arn:
        yield broken(
            f"the subscription sends to {attributes.get('Endpoint')}",
            "nothing reaches the queue that the worker reads",
            _REDO,
        )
    if attributes.get("FilterPolicy", "{}") not in ("", "{}"):
        yield broken(
            "the queue's subscription has a filter",
            "what does not pass it never reaches the worker",
            "Take it away in the SNS console",
        )
    yield from _envelope(wiring, raw=attributes.get("RawMessageDelivery") == "true")
    if _target(attributes.get("RedrivePolicy")) != wiring.subscription_dlq_arn:
        yield broken(
            "the queue's subscription has not the dead-letter queue that is declared",
            "what SNS can't deliver is gone",
            _REDO,
        )


def people(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Whoever is to get each bounce by e-mail has said yes."""
    if waiting := pending(wiring.topic_arn, session):
        yield hint(
            f"{waiting} of the people who are to get each bounce have not confirmed",
            "SNS sends them nothing",
            "Each has to open the link in SNS's mail, within three days; then make deploy again",
        )


def pending(topic_arn: str, session: boto3.Session) -> int:
    """How many e-mail subscriptions wait for a yes."""
    client: SNSClient = session.client("sns")
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return sum(
        entry["Protocol"].startswith("email") and entry["SubscriptionArn"] == PENDING
        for page in pages
        for entry in page["Subscriptions"]
    )


def _envelope(wiring: Wiring, *, raw: bool) -> Iterator[Finding]:
    if raw != wiring.raw:
        yield broken(
            f"raw message delivery is {'on' if raw else 'off'}, but declared "
            f"{'on' if wiring.raw else 'off'}",
            "messages come in another form than their readers expect",
            _REDO,
        )
    if raw and wiring.needs_envelope:
        yield broken(
            "raw message delivery is on, but the worker believes certain topics only",
            "without the envelope no message names its topic: all go to the dead-letter queue",
            "Set raw_message_delivery = false, or have the worker without SESBOUNCE_TOPIC_ARNS and "
            "SESBOUNCE_VERIFY_SIGNATURES",
        )


def _target(redrive_policy: str | None) -> str | None:
    return json.loads(redrive_policy).get("deadLetterTargetArn") if redrive_policy else None
