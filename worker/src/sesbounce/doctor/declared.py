"""The wiring as Terraform has declared it, read from the outputs and the state."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sesbounce.errors import NothingDeployedError

# With one of these settings the worker rejects messages without an SNS envelope.
_NEED_ENVELOPE = {"SESBOUNCE_TOPIC_ARNS", "SESBOUNCE_VERIFY_SIGNATURES"}

# The outputs that name what reads the queue.
_READERS = ("task_role_arn", "consumer_user_arn")

Resources = Iterable[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Service:
    """The worker's service in ECS."""

    cluster: str
    name: str
    task_definition: str
    log_group: str


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """The wiring that Terraform declares.

    Attributes:
        identities: by identity, the notification types that SES publishes, such as `Bounce`.
        configuration_sets: by configuration set, the event types that SES publishes, as
            `event_type` spells them.
        raw: whether the queue receives messages without an SNS envelope.
        needs_envelope: whether the worker rejects those.
        service: None where the worker does not run in ECS.
        alarm_topic_arn: None without monitoring.
        alarm_names: the names of the alarms.
        kms_key_arn: the key that encrypts the queues; None where SQS manages the keys.
        readers: the ARNs of the roles and users that Terraform has created to read the queue.
        reader_policy: the policy that they have for it, in JSON.
        dlq_url, dlq_arn: None for a queue of the user's without a dead-letter queue.
        extra_topic_arns: topics of other regions or accounts that send to the queue.
    """

    topic_arn: str
    subscription_arn: str
    queue_url: str
    queue_arn: str
    subscription_dlq_url: str
    subscription_dlq_arn: str
    dlq_url: str | None = None
    dlq_arn: str | None = None
    extra_topic_arns: tuple[str, ...] = ()
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    configuration_sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    raw: bool = False
    needs_envelope: bool = False
    service: Service | None = None
    alarm_topic_arn: str | None = None
    alarm_names: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    readers: tuple[str, ...] = ()
    reader_policy: str | None = None

    @property
    def region(self) -> str:
        """The AWS region of the stack."""
        return self.topic_arn.split(":")[3]

    @property
    def account(self) -> str:
        """The number of the AWS account of the stack; the topic may be another account's."""
        return self.queue_arn.split(":")[4]

    def ses_arn(self, kind: str, name: str) -> str:
        """The ARN of an `identity` or a `configuration-set`, for which SES publishes."""
        partition = self.topic_arn.split(":")[1]
        return f"arn:{partition}:ses:{self.region}:{self.account}:{kind}/{name}"


def declared(outputs: Mapping[str, Any], resources: Resources) -> Wiring:
    """The wiring that a stack declares.

    Args:
        outputs: the outputs of the root module.
        resources: type and attributes of each resource in the state.

    Raises:
        NothingDeployedError: the stack is not deployed.
    """
    required = (
        "topic_arn",
        "subscription_arn",
        "queue_url",
        "queue_arn",
        "subscription_dlq_url",
        "subscription_dlq_arn",
    )
    if not all(outputs.get(name) for name in required):
        raise NothingDeployedError(NothingDeployedError.__doc__)
    by_type: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for kind, values in resources:
        by_type[kind].append(values)
    return Wiring(
        **{name: outputs[name] for name in required},
        dlq_url=outputs.get("dlq_url"),
        dlq_arn=outputs.get("dlq_arn"),
        extra_topic_arns=tuple(outputs.get("extra_topic_arns", ())),
        identities=_identities(by_type["aws_ses_identity_notification_topic"]),
        configuration_sets=_configuration_sets(
            by_type["aws_ses_event_destination"],
            by_type["aws_sesv2_configuration_set_event_destination"],
        ),
        raw=any(
            values["raw_message_delivery"]
            for values in by_type["aws_sns_topic_subscription"]
            if values["arn"] == outputs["subscription_arn"]
        ),
        needs_envelope=any(map(_needs_envelope, by_type["aws_ecs_task_definition"])),
        service=_service(outputs),
        alarm_topic_arn=outputs.get("alarm_topic_arn"),
        alarm_names=tuple(outputs.get("alarm_names") or ()),
        kms_key_arn=outputs.get("kms_key_arn"),
        readers=tuple(outputs[name] for name in _READERS if outputs.get(name)),
        reader_policy=outputs.get("consumer_policy"),
    )


def event_type(name: str) -> str:
    """One spelling for types that SES's two APIs spell `renderingFailure`, `RENDERING_FAILURE`."""
    return name.replace("_", "").upper()


def _identities(attachments: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for values in attachments:
        found[values["identity"]].add(values["notification_type"])
    return {name: frozenset(types) for name, types in sorted(found.items())}


def _configuration_sets(
    first: Iterable[Mapping[str, Any]], second: Iterable[Mapping[str, Any]]
) -> dict[str, frozenset[str]]:
    """The event types that each set publishes, out of the resources of SES's two APIs."""
    found: dict[str, set[str]] = defaultdict(set)
    for values in first:
        found[values["configuration_set_name"]].update(map(event_type, values["matching_types"]))
    for values in second:
        for destination in values["event_destination"]:
            types = map(event_type, destination["matching_event_types"])
            found[values["configuration_set_name"]].update(types)
    return {name: frozenset(types) for name, types in sorted(found.items())}


def _needs_envelope(task: Mapping[str, Any]) -> bool:
    (container, *_) = json.loads(task["container_definitions"])
    return bool(_NEED_ENVELOPE & {setting["name"] for setting in container["environment"]})


def _service(outputs: Mapping[str, Any]) -> Service | None:
    if not outputs.get("service_name"):
        return None
    return Service(
        outputs["cluster_name"],
        outputs["service_name"],
        outputs["task_definition_arn"],
        outputs["log_group_name"],
    )
