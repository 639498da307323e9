"""Customer KMS keys: SES and SNS may use them, or they lose messages without a word."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken
from sesbounce.doctor.iam import Call, lets

if TYPE_CHECKING:
    from types_boto3_kms.client import KMSClient

# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def key(
    wiring: Wiring,
    session: boto3.Session,
    key_id: str | None,
    whose: str,
    service: str,
    sources: Sequence[str],
) -> Iterator[Finding]:
    """The key of `whose`, if there is one, lets a service encrypt for these sources."""
    if not key_id:
        return
    client: KMSClient = session.client("kms")
    described = client.describe_key(KeyId=key_id)["KeyMetadata"]
    loses = f"{service} loses every message to it, and tells nobody"
    if described.get("KeyManager") == "AWS":
        yield broken(
            f"{whose} is encrypted with {key_id}, a key that AWS manages",
            loses,
            "Use a customer key (create_kms_key = true), or none, and make deploy",
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
        context = {"aws:SourceAccount": wiring.account, "aws:SourceArn": source}
        calls = [Call(service, action, described["Arn"], context) for action in _ACTIONS]
        if not all(lets(policy, call) for call in calls):
            yield broken(
                f"the policy of the key {key_id} does not let {service} use it for {source}",
                loses,
                "Add what the output kms_key_statements holds to the policy",
            )
