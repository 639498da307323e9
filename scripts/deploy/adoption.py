"""Finds what a plan would take over: resources of the planned names that exist already.

SNS, SQS, ECS and version 1 of SES answer a request to create what exists as if they had created it.
A second stack of the same name would so share the first one's queue, and later destroy it. Version
2 of SES refuses such a request, but only when half of the plan is applied.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from scripts import ScriptError
from scripts.deploy.aws import AwsError
from scripts.terraform.plan import Change, Plan
from sesbounce.aws.clients import error_text

if TYPE_CHECKING:
    from types_boto3_ecs.client import ECSClient
    from types_boto3_iam.client import IAMClient
    from types_boto3_ses.client import SESClient
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_sns.client import SNSClient
    from types_boto3_sqs.client import SQSClient


@dataclass(frozen=True)
class Existing:
    """A resource that the plan would create, although it exists.

    Attributes:
        address: where the configuration declares it.
        kind: the type of the resource, such as `aws_sqs_queue`.
        id: by which `import` knows it.
    """

    address: str
    kind: str
    id: str


class AdoptionError(ScriptError):
    """The account holds resources of the planned names that are not this stack's."""

    def __init__(self, existing: Iterable[Existing]) -> None:
        found = list(existing)
        blocks = (
            f'  import {{\n    to = {each.address}\n    id = "{each.id}"\n  }}' for each in found
        )
        what = (
            "Terraform would create these resources, but the account has them already, from "
            "another stack, another state or by hand:"
        )
        remedy = (
            "If they are of another stack, choose another name: the variable name, or ENV. If "
            "this stack is to take them over (docs/adopt.md has more blocks, for what belongs to "
            "them), or an apply was killed before it saved its state, write this into "
            "terraform/imports.tf and run the same command:"
        )
        lines = [what, *(f"  {each.kind} {each.id}" for each in found), remedy, *blocks]
        super().__init__("\n".join(lines))


def existing(plan: Plan, session: boto3.Session, account: str) -> list[Existing]:
    """The resources that a plan would create although the account has them.

    Args:
        plan: what an apply would do.
        session: a session in the region of the stack.
        account: the number of the account.

    Raises:
        AwsError: AWS rejects a question.
    """
    here = _Here(session, account)
    found = []
    for change in plan.changes:
        name = _new_name(change)
        if name is None:
            continue
        try:
            id_ = _FIND[change.kind](here, name)
        except ClientError as error:
            raise AwsError(
                f"Can't find out whether {name} exists before Terraform creates {change.address}: "
                f"{error.operation_name}: {error_text(error)}. This needs the right to that call."
            ) from error
        if id_ is not None:
            found.append(Existing(change.address, change.kind, id_))
    return found


def _new_name(change: Change) -> str | None:
    """The name under which a change creates a resource, if there is none of that name yet."""
    if not change.creates or change.kind not in _FIND:
        return None
    name = _name(change.kind, change.after)
    return None if name == _name(change.kind, change.before) else name


def _name(kind: str, values: Mapping[str, Any]) -> str | None:
    """The name of a resource; `import` knows what is in another one by both names."""
    parts = [values.get(attribute) for attribute in _NAMED_BY.get(kind, ("name",))]
    return "|".join(map(str, parts)) if all(parts) else None


@dataclass(frozen=True)
class _Here:
    """The account and the region of the stack."""

    session: boto3.Session
    account: str

    def topic(self, name: str) -> str | None:
        region = self.session.region_name
        partition = self.session.get_partition_for_region(region)
        arn = f"arn:{partition}:sns:{region}:{self.account}:{name}"
        client: SNSClient = self.session.client("sns")
        try:
            client.get_topic_attributes(TopicArn=arn)
        except client.exceptions.NotFoundException:
            return None
        return arn

    def queue(self, name: str) -> str | None:
        client: SQSClient = self.session.client("sqs")
        try:
            return client.get_queue_url(QueueName=name)["QueueUrl"]
        except client.exceptions.QueueDoesNotExist:
            return None

    def role(self, name: str) -> str | None:
        client: IAMClient = self.session.client("iam")
        try:
            return client.get_role(RoleName=name)["Role"]["RoleName"]
        except client.exceptions.NoSuchEntityException:
            return None

    def cluster(self, name: str) -> str | None:
        client: ECSClient = self.session.client("ecs")
        clusters = client.describe_clusters(clusters=[name])["clusters"]
        return name if any(cluster["status"] == "ACTIVE" for cluster in clusters) else None

    def identity(self, name: str) -> str | None:
        client: SESClient = self.session.client("ses")
        answer = client.get_identity_verification_attributes(Identities=[name])
        return name if answer["VerificationAttributes"] else None

    def configuration_set(self, name: str) -> str | None:
        client: SESV2Client = self.session.client("sesv2")
        try:
            return client.get_configuration_set(ConfigurationSetName=name)["ConfigurationSetName"]
        except client.exceptions.NotFoundException:
            return None

    def event_destination(self, name: str) -> str | None:
        configuration_set, _, destination = name.partition("|")
        client: SESV2Client = self.session.client("sesv2")
        try:
            answer = client.get_configuration_set_event_destinations(
                ConfigurationSetName=configuration_set
            )
        except client.exceptions.NotFoundException:
            return None
        names = [found["Name"] for found in answer.get("EventDestinations", [])]
        return name if destination in names else None


# The attributes that name a resource, where it is not `name`.
_NAMED_BY = {
    "aws_ses_domain_identity": ("domain",),
    "aws_ses_email_identity": ("email",),
    "aws_sesv2_configuration_set": ("configuration_set_name",),
    "aws_sesv2_configuration_set_event_destination": (
        "configuration_set_name",
        "event_destination_name",
    ),
    "aws_sesv2_email_identity": ("email_identity",),
}

_FIND: dict[str, Callable[[_Here, str], str | None]] = {
    "aws_ecs_cluster": _Here.cluster,
    "aws_iam_role": _Here.role,
    "aws_ses_domain_identity": _Here.identity,
    "aws_ses_email_identity": _Here.identity,
    "aws_sesv2_configuration_set": _Here.configuration_set,
    "aws_sesv2_configuration_set_event_destination": _Here.event_destination,
    "aws_sesv2_email_identity": _Here.identity,
    "aws_sns_topic": _Here.topic,
    "aws_sqs_queue": _Here.queue,
}
