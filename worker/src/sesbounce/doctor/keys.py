"""Checks KMS keys: SES and SNS lose messages silently where a key does not let them use it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.finding import Finding, broken
from sesbounce.doctor.iam import Request, allows

if TYPE_CHECKING:
    from types_boto3_kms.client import KMSClient

# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def key(
    session: boto3.Session,
    key_id: str | None,
    whose: str,
    service: str,
    sources: Sequence[str],
) -> Iterator[Finding]:
    """The key of a topic or a queue lets a service use it for each of the sources.

    Args:
        session: of the stack's region.
        key_id: the key; nothing is checked without one.
        whose: the topic or queue, as a finding names it.
        service: what sends there, such as `sns.amazonaws.com`.
        sources: the ARNs of the resources for which the service sends.
    """
    if not key_id:
        return
    client: KMSClient = session.client("kms")
    described = client.describe_key(KeyId=key_id)["KeyMetadata"]
    loses = f"{service} loses every message to it, and reports no error"
    if described.get("KeyManager") == "AWS":
        yield broken(
            f"{whose} is encrypted with {key_id}, a key that AWS manages",
            loses,
            "Use a customer key (create_kms_key = true) or none, and run make deploy",
        )
        return
    if not described.get("Enabled"):
        yield broken(
            f"the key {key_id} of {whose} is {described.get('KeyState', 'disabled')}",
            loses,
            "Enable it (aws kms enable-key), or cancel its deletion (aws kms cancel-key-deletion)",
        )
    policy = client.get_key_policy(KeyId=described["KeyId"], PolicyName="default")["Policy"]
    for source in sources:
        context = {"aws:SourceAccount": source.split(":")[4], "aws:SourceArn": source}
        requests = [
            Request(
                action=action,
                resource=described["Arn"],
                principal=("Service", service),
                context=context,
            )
            for action in _ACTIONS
        ]
        if not all(allows(policy, request) for request in requests):
            yield broken(
                f"the policy of the key {key_id} does not let {service} use it for {source}",
                loses,
                "Add the statements of the output kms_key_statements to that policy",
            )
