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
    requests = (_publish(wiring, arn, alarm) for alarm in wiring.alarm_names)
    if not all(allows(policy, request) for request in requests):
        yield broken(
            "the policy of the alarms' topic does not let CloudWatch publish",
            "no alarm reaches its subscribers",
            "Restore it with make deploy; to the policy of a topic of your own, add the statement "
            "of the output alarm_topic_statement",
        )
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    subscribed = [entry["SubscriptionArn"] for page in pages for entry in page["Subscriptions"]]
    waiting = subscribed.count(PENDING)
    if not subscribed:
        yield hint(
            "nobody has subscribed to the alarms",
            "nobody receives them",
            "Add addresses to monitoring.alarm_emails, and run make deploy; or subscribe to the "
            f"topic {arn}",
        )
    if waiting:
        yield hint(
            f"{waiting} of {len(subscribed)} subscriptions to the alarms are not confirmed",
            "SNS sends them no alarm",
            "Each subscriber has to open the link in SNS's mail within three days",
        )


def _publish(wiring: Wiring, topic_arn: str, alarm: str) -> Request:
    """What CloudWatch asks of SNS when an alarm changes its state."""
    partition = topic_arn.split(":")[1]
    source = f"arn:{partition}:cloudwatch:{wiring.region}:{wiring.account}:alarm:{alarm}"
    context = {
        "aws:SourceAccount": wiring.account,
        "aws:SourceArn": source,
        # By this key SNS's default policy lets the topic's account publish, and so its alarms.
        "aws:SourceOwner": wiring.account,
        "aws:SecureTransport": "true",
    }
    return Request(action="sns:Publish", resource=topic_arn, principal=_CLOUDWATCH, context=context)
