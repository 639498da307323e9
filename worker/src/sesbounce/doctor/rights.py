"""Asks IAM's policy simulator what the identity that reads the queue may do.

The simulator evaluates the identity's policies, its permissions boundary and the organization's
service control policies (SCPs). It does not know the policies of the queues and of the key, the
organization's resource control policies, session policies and VPC endpoints: for roles, AWS
simulates no resource's policy at all.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.iam import Request, allows
from sesbounce.errors import UnknownPolicyError

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient
    from types_boto3_iam.type_defs import ContextEntryTypeDef

# What the worker calls; without one of them it can't read the queue.
_READ = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
)

# What nobody needs to read a queue. The declared policy may allow some of it, such as a redrive.
_OF_THE_QUEUE = ("sqs:SendMessage", "sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes")
_OF_THE_ACCOUNT = (
    "iam:CreateUser",
    "iam:PassRole",
    "secretsmanager:GetSecretValue",
    "ses:PutSuppressedDestination",
    "ses:SendEmail",
    "sts:AssumeRole",
)
_SUFFIXES = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}
_CALL = "iam:SimulatePrincipalPolicy"
_OWN_RIGHTS = {
    "role": ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
    "user": ("iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:CreateAccessKey"),
}


@dataclass(frozen=True)
class Row:
    """One answer of the simulator.

    Attributes:
        action: such as `sqs:ReceiveMessage`.
        resource: the ARN of the resource, or `*`.
        allowed: whether the identity may do it.
        expected: whether it should.
        because: what denies it, where it is not the identity's own policies.
        missing: the condition keys on which the answer depends, and which nobody can foresee.
    """

    action: str
    resource: str
    allowed: bool
    expected: bool
    because: str = ""
    missing: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the identity may do what it should, and no more."""
        return self.allowed is self.expected


@dataclass(frozen=True)
class Rights:
    """What one identity may do.

    Attributes:
        identity: the ARN of a role or a user.
        declared: whether Terraform has created the identity for the worker; otherwise it is that
            of these credentials.
        rows: the simulator's answers; none where it was not asked.
        skipped: why the simulator was not asked, or did not answer.
        gone: whether there is no such identity.
    """

    identity: str
    declared: bool = True
    rows: tuple[Row, ...] = ()
    skipped: str = ""
    gone: bool = False


def rights(wiring: Wiring, session: boto3.Session) -> list[Rights]:
    """Ask what each identity that reads the queue may do.

    Without a declared one, the worker runs elsewhere, perhaps with these credentials.
    """
    if not wiring.readers:
        return [_of_the_caller(wiring, session)]
    return [_simulated(wiring, session, reader, declared=True) for reader in wiring.readers]


# --- The questions ------------------------------------------------------------------------------


def _questions(wiring: Wiring, identity: str) -> dict[str, tuple[str, ...]]:
    """The actions to ask about, by resource.

    One call asks about one resource: AWS combines each action with each resource.
    """
    kind = identity.split(":")[5].partition("/")[0]
    questions = {
        wiring.queue_arn: _READ + _OF_THE_QUEUE,
        f"{wiring.queue_arn}-another": _READ,
        wiring.topic_arn: ("sns:Publish",),
        identity: _OWN_RIGHTS[kind],
        "*": _OF_THE_ACCOUNT,
    }
    if wiring.kms_key_arn:
        questions[wiring.kms_key_arn] = ("kms:Decrypt", "kms:ScheduleKeyDeletion")
    return questions


def _expected(wiring: Wiring, action: str, resource: str) -> bool:
    if resource == wiring.queue_arn and action in _READ:
        return True
    return allows(wiring.reader_policy, Request(action=action, resource=resource))


def _context(wiring: Wiring) -> "list[ContextEntryTypeDef]":
    """What is known of the worker's calls: policies and SCPs may ask for it."""
    # A topic of the user's may be in another region.
    _, partition, _, region, *_ = wiring.queue_arn.split(":")
    suffix = _SUFFIXES.get(partition, "amazonaws.com")
    keys = {
        "aws:RequestedRegion": ("string", region),
        "aws:SecureTransport": ("boolean", "true"),
        "kms:ViaService": ("string", f"sqs.{region}.{suffix}"),
    }
    return [
        {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": [value]}  # type: ignore[typeddict-item]
        for name, (kind, value) in keys.items()
    ]


# --- The identities -----------------------------------------------------------------------------


def _of_the_caller(wiring: Wiring, session: boto3.Session) -> Rights:
    arn = str(session.client("sts").get_caller_identity()["Arn"])
    kind, _, name = arn.split(":")[5].partition("/")
    if kind == "user":
        return _simulated(wiring, session, arn, declared=False)
    if kind != "assumed-role":
        return Rights(
            arn, declared=False, skipped="the simulator knows users, groups and roles only"
        )
    role = name.partition("/")[0]
    client: IAMClient = session.client("iam")
    try:
        # The ARN of the session lacks the role's path.
        arn = client.get_role(RoleName=role)["Role"]["Arn"]
    except ClientError as error:
        return Rights(arn, declared=False, skipped=f"iam:GetRole: {error_text(error)}")
    return _simulated(wiring, session, arn, declared=False)


def _simulated(wiring: Wiring, session: boto3.Session, identity: str, *, declared: bool) -> Rights:
    client: IAMClient = session.client("iam")
    rows: list[Row] = []
    try:
        for resource, actions in _questions(wiring, identity).items():
            rows += _asked(client, wiring, identity, resource, actions)
    except client.exceptions.NoSuchEntityException as error:
        return Rights(identity, declared, skipped=error_text(error), gone=True)
    except ClientError as error:
        # The right to simulate shows the rights of others: many who deploy do not have it.
        why = f"{_CALL}: {error_text(error)}"
        return Rights(identity, declared, skipped=why)
    except BotoCoreError as error:
        return Rights(identity, declared, skipped=f"{_CALL}: {error}")
    except UnknownPolicyError as error:
        return Rights(identity, declared, skipped=f"the declared policy: {error}")
    except ResponseParserError:
        # A proxy, or an emulator that does not know the call or an action.
        return Rights(identity, declared, skipped=f"{_CALL}: the answer is not one of IAM's")
    return Rights(identity, declared, tuple(rows))


def _asked(
    client: "IAMClient", wiring: Wiring, identity: str, resource: str, actions: Sequence[str]
) -> Iterator[Row]:
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=identity,
        ActionNames=list(actions),
        ResourceArns=[resource],
        ContextEntries=_context(wiring),
    )
    results = {
        result["EvalActionName"]: result for page in pages for result in page["EvaluationResults"]
    }
    if not results.keys() >= set(actions):
        raise ResponseParserError("the answer lacks an action")
    for action in actions:
        result = results[action]
        yield Row(
            action,
            resource,
            allowed=result["EvalDecision"] == "allowed",
            expected=_expected(wiring, action, resource),
            because=_because(result),
            missing=tuple(_missing(result)),
        )


def _because(result: Any) -> str:
    """What denies an action besides the identity's own policies."""
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        return "SCP"
    boundary = result.get("PermissionsBoundaryDecisionDetail", {})
    if boundary.get("AllowedByPermissionsBoundary") is False:
        return "boundary"
    return ""


def _missing(result: Any) -> list[str]:
    """The condition keys that the simulator was not given.

    AWS names them with the resource, of which there is one, or with the action.
    """
    keys = set(result.get("MissingContextValues", ()))
    for specific in result.get("ResourceSpecificResults", ()):
        keys.update(specific.get("MissingContextValues", ()))
    return sorted(keys)
