"""A stack and a repository that only record the calls of deploy."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.deploy.adoption import Existing
from scripts.image.container_engine import Credentials
from scripts.terraform.plan import Change, Plan
from sesbounce.doctor.finding import Finding
from sesbounce.doctor.rights import Rights

ACCOUNT = "123456789012"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/sesbounce"
OLD, NEW, OTHER = (f"{REPOSITORY}@sha256:{digit * 64}" for digit in "123")
TAG = "sha-0123456789ab"


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:eu-west-1:{ACCOUNT}:{name}"


WIRED = {
    "topic_arn": arn("sns", "feedback"),
    "subscription_arn": arn("sns", "feedback:1"),
    "queue_arn": arn("sqs", "feedback"),
    "queue_url": "https://sqs/feedback",
    "dlq_arn": arn("sqs", "feedback-dlq"),
    "dlq_url": "https://sqs/feedback-dlq",
    "subscription_dlq_arn": arn("sqs", "feedback-subscription-dlq"),
    "subscription_dlq_url": "https://sqs/feedback-subscription-dlq",
    "consumer_policy_arn": f"arn:aws:iam::{ACCOUNT}:policy/acme-consumer",
}
SCHEDULE = arn("scheduler", "schedule/acme/sesbounce")
QUEUE = "module.feedback_queue.aws_sqs_queue.this"
SERVICE = "module.worker_service[0].aws_ecs_service.this[0]"


def deleted(address: str, kind: str, *more: str, **before: Any) -> Change:
    return Change(address, ("delete", *more), kind, before)


def queues_deleted() -> list[Change]:
    return [
        deleted(f"queue.{name}", "aws_sqs_queue", url=WIRED[name])
        for name in ("queue_url", "dlq_url", "subscription_dlq_url")
    ]


@dataclass
class World:
    """The stack, the repository, the engine and ECS, and what was done to them, in order."""

    worker: bool = True
    repository: bool = True  # whether the stack has one at all
    state: dict[str, Any] = field(default_factory=dict)  # the outputs, once there is a stack
    scheduled: bool = False  # whether a schedule starts the worker, in place of a service
    function: bool = False  # whether AWS Lambda runs it
    api: bool = False  # whether there is a service of the HTTP API
    pending: bool = False  # whether something but the image differs
    region: str = "eu-west-1"
    account: str = ACCOUNT
    images: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rights: list[Rights] = field(default_factory=list)
    protected: bool = False
    lost: list[Change] = field(default_factory=list)  # what a plan deletes
    existing: list[Existing] = field(default_factory=list)  # what a plan would take over
    waiting: dict[str, int] = field(default_factory=dict)  # messages by queue
    failed: str | None = None  # the deployment that ECS has given up
    name: str | None = None  # the default of the stack's name
    did: list[str] = field(default_factory=list)

    def deploy(self, image: str | None, package: str | None = None) -> None:
        """As it is after an apply."""
        service = self.worker and image and not self.function
        self.state = WIRED | {
            "repository_url": REPOSITORY if self.on_ecs and self.repository else None,
            "worker_image": image if service else None,
            "worker_platform": "linux/arm64" if self.on_ecs else None,
            "function_name": "sesbounce" if package else None,
            "event_source_mapping_id": "14e0db71" if package else None,
            "sweep_arn": SCHEDULE if package else None,
            "function_architecture": "arm64" if self.function else None,
            "service_name": "sesbounce" if service and not self.scheduled else None,
            "api_service_name": "sesbounce-api" if service and self.api else None,
            "api_task_definition_arn": "task:7",
            "schedule_arn": SCHEDULE if service and self.scheduled else None,
            "run_interval_seconds": 900 if self.scheduled else None,
            "cluster_name": "sesbounce",
            "task_definition_arn": "task:1",
            "log_group_name": "/ecs/sesbounce",
        }

    @property
    def on_ecs(self) -> bool:
        return self.worker and not self.function

    def planned(self, wanted: str | None) -> Plan:
        has_repository = self.on_ecs and self.repository
        known = bool(self.state) and self.state["repository_url"] is not None
        outputs: dict[str, Any] = {"worker_platform": "linux/arm64" if self.on_ecs else None}
        outputs["function_architecture"] = "arm64" if self.function else None
        if not has_repository:
            outputs["repository_url"] = None
        elif known:
            outputs["repository_url"] = REPOSITORY
        changes = []
        if not self.state or self.pending:
            changes.append(Change("module.feedback_queue", ("create",)))
        if self.state.get("worker_image") != (wanted if self.on_ecs else None):
            changes.append(Change("module.worker_service", ("update",)))
        changes += self.lost
        return Plan(tuple(changes), outputs, {"region": self.region, "worker": {}}, Path("saved"))


class FakeStack:
    """In place of `Stack`."""

    world: World

    def __init__(self, directory: Path, **_: object) -> None:
        self.directory = directory
        self._wanted: str | None = None
        self._package: str | None = None
        self._destroys = False

    def init(self, _: Path | None = None) -> None: ...

    def set_default(self, variable: str, value: str) -> None:
        assert variable == "name"
        self.world.name = value

    def outputs(self, *, sensitive: bool = True) -> dict[str, Any]:
        return dict(self.world.state)

    def resources(self) -> list[tuple[str, dict[str, Any]]]:
        return []

    @contextlib.contextmanager
    def planned(
        self, variables: Mapping[str, Any] | None = None, *, destroy: bool = False
    ) -> Iterator[Plan]:
        self._wanted = (variables or {}).get("worker_image")
        self._package = (variables or {}).get("worker_package")
        self._destroys = destroy
        plan = self.world.planned(self._wanted)
        if destroy:
            database = {"identifier": "acme", "deletion_protection": self.world.protected}
            gone = [deleted("database", "aws_db_instance", **database), *queues_deleted()]
            plan = Plan(tuple(gone), plan.outputs, plan.variables, plan.saved)
        yield plan

    def text(self, _: Plan) -> str:
        return "Terraform will perform the following actions"

    def apply(self, progress: Callable[[str], None] = print, plan: Plan | None = None) -> None:
        assert plan is not None, "only what was shown may be applied"
        if self._destroys:
            self.world.did.append("destroy")
            self.world.state = {}
        else:
            self.world.did.append(f"apply {self._package or short(self._wanted)}")
            self.world.deploy(self._wanted, self._package)
            self.world.pending = False
            self.world.lost = []


class FakeRepository:
    url = REPOSITORY

    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, tag: str) -> str | None:
        return self._world.images.get(tag)

    def credentials(self) -> Credentials:
        return Credentials("AWS", "hush")


def short(image: str | None) -> str:
    return {None: "nothing", OLD: "old", NEW: "new", OTHER: "other"}[image]


Run = Callable[..., int]
