"""The alarms: somebody hears them."""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.iam import Call, lets
from sesbounce.doctor.topic import PENDING


def alarms(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """CloudWatch may publish alarms, and somebody has said yes to hearing them."""
    arn = wiring.alarm_topic_arn
    if arn is None:
        return
    client = session.client("sns")
    policy = client.get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy")
    partition, name = arn.split(":")[1], arn.split(":")[5].removesuffix("-alarms")
    context = {
        "aws:SourceAccount": wiring.account,
        "aws:SourceArn": (
            f"arn:{partition}:cloudwatch:{wiring.region}:{wiring.account}:alarm:{name}-x"
        ),
        "aws:SecureTransport": "true",
    }
    if not lets(policy, Call("cloudwatch.amazonaws.com", "sns:Publish", arn, context)):
        yield broken(
            "the policy of the alarms' topic does not let CloudWatch publish",
            "no alarm is told",
            "Put it back: make deploy",
        )
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    everybody = [entry["SubscriptionArn"] for page in pages for entry in page["Subscriptions"]]
    waiting = everybody.count(PENDING)
    if not everybody:
        yield hint(
            "nobody has subscribed to the alarms",
            "they go unheard",
            "Name people in monitoring.alarm_emails, and make deploy",
        )
    if waiting:
        yield hint(
            f"{waiting} of {len(everybody)} who are to hear the alarms have not confirmed",
            "SNS tells them nothing",
            "Each has to open the link in SNS's mail, within three days",
        )
