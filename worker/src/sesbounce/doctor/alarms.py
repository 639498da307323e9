"""Checks the alarms: CloudWatch may publish them, and somebody receives them."""

from collections.abc import Iterator

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.iam import Request, allows
from sesbounce.doctor.topic import PENDING

_CLOUDWATCH = ("Service", "cloudwatch.amazonaws.com")


def alarms(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """CloudWatch may publish alarms, and every subscriber has confirmed."""
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
    request = Request(action="sns:Publish", resource=arn, principal=_CLOUDWATCH, context=context)
    if not allows(policy, request):
        yield broken(
            "the policy of the alarms' topic does not let CloudWatch publish",
            "no alarm reaches its subscribers",
            "Restore it: make deploy",
        )
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    subscribed = [entry["SubscriptionArn"] for page in pages for entry in page["Subscriptions"]]
    waiting = subscribed.count(PENDING)
    if not subscribed:
        yield hint(
            "nobody has subscribed to the alarms",
            "nobody receives them",
            "Add addresses to monitoring.alarm_emails, and run make deploy",
        )
    if waiting:
        yield hint(
            f"{waiting} of {len(subscribed)} subscriptions to the alarms are not confirmed",
            "SNS sends them no alarm",
            "Each subscriber has to open the link in SNS's mail within three days",
        )
