"""The wiring as Terraform has declared it, read from the outputs and the state."""

import json
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sesbounce.errors import NothingDeployedError

# With one of these settings the worker rejects messages without an SNS envelope.
_NEED_ENVELOPE = {"SESBOUNCE_TOPIC_ARNS", "SESBOUNCE_VERIFY_SIGNATURES"}

# The outputs that name what reads the queue.
_READERS = ("task_role_arn", "consumer_user_arn")

Resources = Iterable[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Tasks:
    """What starts the worker's tasks in ECS, by its name, and the tasks themselves."""

    cluster: str
    name: str
    task_definition: str
    log_group: str


class Service(Tasks):
    """A service, the worker's or that of the HTTP API, which keeps tasks running."""


@dataclass(frozen=True)
class Schedule(Tasks):
    """The worker's schedule, which starts tasks that end.

    Attributes:
        group: the name of the group that it is in.
        interval_seconds: the seconds between two runs.
    """

    group: str
    interval_seconds: int


@dataclass(frozen=True)
class Function:
    """The worker's function in AWS Lambda.

    Attributes:
        name: its name.
        event_source_mapping: the id of what gives it the messages of the queue.
        sweep: the ARN of the schedule by which it sweeps.
    """

    name: str
    event_source_mapping: str
    sweep: str


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """The wiring that Terraform declares.

    Attributes:
        identities: by identity, the notification types that SES publishes, such as `Bounce`.
        configuration_sets: by configuration set, the event types that SES publishes, as
            `event_type` spells them.
        raw: whether the queue receives messages without an SNS envelope.
        needs_envelope: whether the worker rejects those.
        ses_v1: whether configuration sets publish by version 1 of SES's API alone.
        fills_suppression_list: whether the worker adds addresses to SES's suppression list.
        service: None where no service keeps the worker running.
        api: the service of the HTTP API; None without one.
        schedule: None where no schedule starts the worker.
        function: None where the worker is no function.
        alarm_topic_arn: None without monitoring.
        alarm_names: the names of the alarms.
        kms_key_arn: the key that encrypts the queues; None where SQS manages the keys.
        readers: the ARNs of the roles and users that Terraform has created to read the queue.
        reader_policy: the policy that they have for it, in JSON.
        dlq_url, dlq_arn: None for a queue of the user's without a dead-letter queue.
        extra_topic_arns: topics of other regions or accounts that send to the queue.
        subscription_dlq_url, subscription_dlq_arn: empty for a subscription without one.
        unknown: by the names of attributes, why their values could not be read in AWS.
        declared: whether Terraform declares it. Otherwise it was found in AWS, where somebody
            made it in a way that is not known.
    """

    topic_arn: str
    subscription_arn: str
    queue_url: str
    queue_arn: str
    subscription_dlq_url: str = ""
    subscription_dlq_arn: str = ""
    dlq_url: str | None = None
    dlq_arn: str | None = None
    extra_topic_arns: tuple[str, ...] = ()
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    configuration_sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    raw: bool = False
    needs_envelope: bool = False
    ses_v1: bool = False
    fills_suppression_list: bool = False
    service: Service | None = None
    api: Service | None = None
    schedule: Schedule | None = None
    function: Function | None = None
    alarm_topic_arn: str | None = None
    alarm_names: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    readers: tuple[str, ...] = ()
    reader_policy: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    declared: bool = True

    @property
    def restore(self) -> str:
        """What a person does about a part that is not as it should be."""
        if self.declared:
            return "Restore it: make deploy"
        return "Correct it in the AWS console, or in the Terraform that made it"

    @property
    def services(self) -> list[Service]:
        """The services that keep tasks running, the worker's first: it makes the tables."""
        return [service for service in (self.service, self.api) if service]

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
    # The HTTP API has a task definition, too.
    own = outputs.get("task_definition_arn")
    tasks = [task for task in by_type["aws_ecs_task_definition"] if task["arn"] == own]
    settings = _settings(tasks, by_type["aws_lambda_function"])
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
        needs_envelope=bool(_NEED_ENVELOPE & settings.keys()),
        ses_v1=bool(by_type["aws_ses_event_destination"])
        and not by_type["aws_sesv2_configuration_set_event_destination"],
        fills_suppression_list=settings.get("SESBOUNCE_SES_SUPPRESSION_LIST") == "true",
        service=_service(outputs),
        api=_service(outputs, "api_"),
        schedule=_schedule(outputs),
        function=_function(outputs),
        alarm_topic_arn=outputs.get("alarm_topic_arn"),
        alarm_names=tuple(outputs.get("alarm_names") or ()),
        kms_key_arn=outputs.get("kms_key_arn"),
        readers=tuple(outputs[name] for name in _READERS if outputs.get(name)),
        reader_policy=outputs.get("consumer_policy"),
    )


def declared_in(shown: Mapping[str, Any]) -> Wiring:
    """The wiring of a state as `terraform show -json` prints it.

    Raises:
        NothingDeployedError: the stack is not deployed.
    """
    values = shown.get("values", {})
    outputs = {name: output["value"] for name, output in values.get("outputs", {}).items()}
    return declared(outputs, resources(values.get("root_module", {})))


def resources(module: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and attributes of the managed resources of a module and of those within it.

    https://developer.hashicorp.com/terraform/internals/json-format#values-representation
    """
    for resource in module.get("resources", ()):
        if resource["mode"] == "managed":
            yield resource["type"], resource["values"]
    for child in module.get("child_modules", ()):
        yield from resources(child)


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


def _settings(
    tasks: Iterable[Mapping[str, Any]], functions: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """The settings of the worker that are no secrets."""
    of_tasks = {
        setting["name"]: setting["value"]
        for task in tasks
        for setting in json.loads(task["container_definitions"])[0]["environment"]
    }
    of_functions = [each["variables"] for made in functions for each in made["environment"]]
    return of_tasks | dict(ChainMap(*of_functions))


def _service(outputs: Mapping[str, Any], prefix: str = "") -> Service | None:
    if not outputs.get(f"{prefix}service_name"):
        return None
    return Service(
        outputs["cluster_name"],
        outputs[f"{prefix}service_name"],
        outputs[f"{prefix}task_definition_arn"],
        outputs["log_group_name"],
    )


def _schedule(outputs: Mapping[str, Any]) -> Schedule | None:
    if not outputs.get("schedule_arn"):
        return None
    _, group, name = outputs["schedule_arn"].split("/")
    return Schedule(
        outputs["cluster_name"],
        name,
        outputs["task_definition_arn"],
        outputs["log_group_name"],
        group,
        outputs["run_interval_seconds"],
    )


def _function(outputs: Mapping[str, Any]) -> Function | None:
    if not outputs.get("function_name"):
        return None
    return Function(
        outputs["function_name"], outputs["event_source_mapping_id"], outputs["sweep_arn"]
    )
