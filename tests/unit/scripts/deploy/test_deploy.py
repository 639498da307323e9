"""What deploy does and in which order, with a stack that only records its calls."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy import (
    adoption,
    applying,
    aws,
    deploy,
    ecr,
    function,
    release,
    rollout,
    run_task,
    runs,
)
from scripts.deploy.adoption import Existing
from scripts.deploy.function import FunctionError
from scripts.deploy.run_task import Placement
from scripts.deploy.runs import RunError
from scripts.image import container_engine
from scripts.image.build import Image
from scripts.image.container_engine import Credentials, EngineError
from scripts.package.build import Package
from scripts.terraform.plan import Change, Plan
from sesbounce.doctor import checks, rights
from sesbounce.doctor.examine import Check
from sesbounce.doctor.finding import Finding, broken, hint, setting
from sesbounce.doctor.rights import Rights, Row

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


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def build(*arguments: object, **_: object) -> Image:
        world.did.append("build")
        engine = container_engine.Engine("docker", "docker")
        return Image(f"sesbounce:{TAG}", "sha256:0", "100 MB", engine)

    def push(_: Image, repository: str, credentials: Credentials) -> str:
        assert (repository, credentials.password) == (REPOSITORY, "hush")
        world.did.append("push")
        world.images[TAG] = NEW
        return NEW

    def pack(_: str) -> Package:
        world.did.append("pack")
        return Package(Path(__file__), TAG)

    class Stack(FakeStack): ...

    Stack.world = world
    monkeypatch.setattr(deploy, "Stack", Stack)
    monkeypatch.setattr(aws, "account", lambda _: world.account)
    monkeypatch.setattr(release, "content_tag", lambda *_: TAG)
    monkeypatch.setattr(release, "pinned", lambda base, _: base)
    monkeypatch.setattr(release, "build", build)
    monkeypatch.setattr(release, "push", push)
    monkeypatch.setattr(applying, "find_engine", lambda: world.did.append("engine"))
    monkeypatch.setattr(ecr.Repository, "at", lambda _: FakeRepository(world))
    monkeypatch.setattr(rollout, "await_stable", lambda *_: world.did.append("wait"))
    monkeypatch.setattr(rollout, "restart", lambda *_: world.did.append("restart"))
    monkeypatch.setattr(rollout, "failed_deployment", lambda *_: world.failed)
    monkeypatch.setattr(rollout, "is_given_up", lambda *_: False)
    monkeypatch.setattr(rollout, "placement", lambda *_: Placement("beside the service"))
    monkeypatch.setattr(
        runs, "run_now", lambda _, schedule, __: world.did.append(f"run {schedule.name}")
    )
    monkeypatch.setattr(function, "build", pack)
    monkeypatch.setattr(function, "sweep_now", lambda *_: world.did.append("sweep"))
    monkeypatch.setattr(function, "restart", lambda *_: world.did.append("restart function"))
    monkeypatch.setattr(runs, "beside", lambda *_: Placement("beside the schedule"))
    monkeypatch.setattr(adoption, "existing", lambda *_: world.existing)
    check = Check("sqs.queue", "the topic may send to the queue", lambda *_: world.findings)
    monkeypatch.setattr(checks, "CHECKS", (check,))
    monkeypatch.setattr(rights, "rights", lambda *_: world.rights)
    monkeypatch.setattr(
        "scripts.deploy.destroy_guard.waiting_messages",
        lambda _, urls: {url: count for url, count in world.waiting.items() if url in urls},
    )
    return world


@pytest.fixture
def run(world: World, tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "terraform.tfvars").touch()

    def run(*arguments: str, answers: str = "") -> int:
        left = iter(answers)
        code = deploy.main(arguments, tmp_path, lambda _: next(left))
        assert next(left, None) is None, "fewer questions than expected"
        return code

    return run


Run = Callable[..., int]


# --- apply --------------------------------------------------------------------------------------


def test_the_first_time_the_repository_comes_before_the_image(world: World, run: Run) -> None:
    assert run("apply", answers="yy") == 0
    assert world.did == ["engine", "build", "apply nothing", "push", "apply new", "wait"]


def test_a_no_at_first_builds_nothing(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply", answers="n") == 4
    assert world.did == ["engine"]
    assert "You declined: this plan is not applied." in capsys.readouterr().err


def test_a_later_no_leaves_the_service_as_it_is(world: World, run: Run) -> None:
    world.deploy(OLD)
    assert run("apply", answers="n") == 4
    assert world.did == ["build", "push"]
    assert world.state["worker_image"] == OLD


def test_without_an_engine_nothing_is_changed(
    world: World,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none() -> None:
        raise EngineError("No container engine answers.")

    monkeypatch.setattr(applying, "find_engine", none)
    assert run("apply", "--yes") == 1
    assert world.did == []
    assert capsys.readouterr().err == "deploy: No container engine answers.\n"


def test_a_build_that_fails_changes_nothing(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise EngineError("no")

    monkeypatch.setattr(release, "build", fails)
    assert run("apply", "--yes") == 1
    assert world.did == ["engine"]


def test_new_sources_roll_the_service(world: World, run: Run) -> None:
    world.deploy(OLD)
    assert run("apply", "--yes") == 0
    assert world.did == ["build", "push", "apply new", "wait"]


def test_an_image_in_the_repository_is_not_rebuilt(world: World, run: Run) -> None:
    world.deploy(OLD)
    world.images[TAG] = NEW
    assert run("apply", "--yes") == 0
    assert world.did == ["apply new", "wait"]


def test_nothing_new_changes_nothing_and_asks_nothing(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    assert run("apply") == 0
    assert world.did == ["wait"]
    assert capsys.readouterr().out.startswith("No changes.\n")


def test_other_changes_keep_the_image(world: World, run: Run) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.pending = True
    assert run("apply", answers="y") == 0
    assert world.did == ["apply old", "wait"]


def test_a_chosen_image_is_neither_built_nor_looked_for(world: World, run: Run) -> None:
    assert run("apply", "--image", OTHER, "--yes") == 0
    assert world.did == ["apply other", "wait"]


def test_an_image_by_its_tag_is_refused(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply", "--image", "ghcr.io/acme/sesbounce:latest", "--yes") == 1
    assert world.did == []
    assert "Use NAME@sha256:…" in capsys.readouterr().err


def test_without_an_image_the_worker_goes(world: World, run: Run) -> None:
    world.deploy(OLD)
    assert run("apply", "--no-image", "--yes") == 0
    assert world.did == ["apply nothing"]


def test_a_stack_without_a_worker_needs_no_image(world: World, run: Run) -> None:
    world.worker = False
    assert run("apply", "--yes") == 0
    assert world.did == ["apply nothing"]


def test_without_a_repository_an_image_has_to_be_chosen(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.repository = False
    assert run("apply", "--yes") == 1
    assert "choose an image with --image" in capsys.readouterr().err
    assert run("apply", "--image", OTHER, "--yes") == 0
    world.did.clear()
    assert run("apply", "--yes") == 0
    assert world.did == ["wait"]


def test_nobody_to_answer(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    assert deploy.main(["apply"], tmp_path, nobody) == 4
    assert "--yes answers every question" in capsys.readouterr().err


def test_an_interrupt_is_reported(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rollout, "await_stable", interrupt)
    assert run("apply", "--yes") == 130
    assert "run the same command to continue" in capsys.readouterr().err


# --- plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deployed", "in_repository", "line"),
    [
        (None, None, "deploy would create the repository, then build and push the image sha-"),
        (OLD, None, "deploy would build and push the image sha-"),
        (OLD, NEW, f"deploy would roll the worker to the image {TAG}, {NEW}."),
        (OLD, OLD, f"The worker runs the image of these sources: {TAG}."),
    ],
)
def test_a_plan_keeps_the_running_image_and_forecasts_the_next(
    world: World,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    deployed: str | None,
    in_repository: str | None,
    line: str,
) -> None:
    if deployed:
        world.deploy(deployed)
    if in_repository:
        world.images[TAG] = in_repository
    assert run("plan") == 0
    out = capsys.readouterr().out
    assert line in out.splitlines()[-1]
    assert "worker_service" not in out
    assert world.did == []


def test_a_plan_can_be_printed_in_full(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", "--detailed") == 0
    assert "Terraform will perform" in capsys.readouterr().out


def test_a_plan_with_a_chosen_image_shows_what_that_changes(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    assert run("plan", "--image", OTHER) == 0
    assert "~ update  module.worker_service\n1 change.\n" in capsys.readouterr().out


# --- where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["plan", "apply", "destroy"])
def test_another_account_or_region_is_refused(
    world: World, run: Run, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    world.deploy(OLD)
    world.region = "us-east-1"
    assert run(command) == 1
    assert "The stack is in eu-west-1, but the region is us-east-1" in capsys.readouterr().err
    world.account = "999999999999"
    assert run(command) == 1
    assert f"The stack is in account {ACCOUNT}" in capsys.readouterr().err
    assert world.did == []


def test_dns_records_are_printed_for_a_zone_file(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    record = {"name": "_dmarc.example.com", "type": "TXT", "ttl": 1800, "value": "v=DMARC1"}
    record |= {"purpose": "DMARC", "created": False}
    world.state["dns_records"] = {"example.com": [record]}
    line = '\n_dmarc.example.com. 1800 IN TXT "v=DMARC1" ; DMARC\n'
    assert run("output") == 0
    assert line in capsys.readouterr().out
    assert run("output", "--json") == 0
    assert json.loads(capsys.readouterr().out)["dns_records"] == world.state["dns_records"]


@pytest.mark.usefixtures("world")
def test_outputs_of_what_is_not_deployed_say_so(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("output") == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Nothing is deployed yet: `make deploy` creates the stack.\n")


def test_a_command_in_a_task_names_the_variable_of_make(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("cli")
    assert "the following arguments are required: ARGS" in capsys.readouterr().err


def test_outputs_need_no_credentials(
    world: World,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: str | None) -> None:
        raise aws.AwsError("There are no AWS credentials")

    monkeypatch.setattr(aws, "account", refuse)
    world.deploy(OLD)
    assert run("output") == 0
    assert f"worker_image = {OLD}\n" in capsys.readouterr().out
    assert run("apply") == 1
    assert "no AWS credentials" in capsys.readouterr().err


# --- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "asked"), [('region = "cn-north-1"\n', "cn-north-1"), ("", "eu-central-1")]
)
def test_the_account_is_read_in_the_stack_s_partition(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: str, asked: str
) -> None:
    regions: list[str | None] = []

    def account(region: str | None) -> str:
        regions.append(region)
        return ACCOUNT

    monkeypatch.setattr(aws, "account", account)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    (tmp_path / "terraform.tfvars").write_text(variables)
    run("check")
    assert regions == [asked]


@pytest.mark.parametrize("command", ["check", "apply"])
def test_only_what_is_broken_fails(
    world: World, run: Run, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.findings = [hint("a", "b", "Do c"), setting("d", "e", "Change f")]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "hint     sqs.queue: a: b. Do c.\nsetting  sqs.queue: d: e. Change f.\n" in said
    assert said.endswith("Wiring: nothing broken, 1 hint, 1 ok.\n")
    world.findings = [broken("x", "y", "Do z"), *world.findings]
    assert run(command) == 1
    assert "broken   sqs.queue: x: y. Do z.\n" in capsys.readouterr().out


def test_rights_are_shown_by_check_and_what_is_not_checked_by_all(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    row = Row("sns:Publish", "*", allowed=True, expected=False)
    world.rights = [Rights("role", rows=(row,)), Rights("user", skipped="AccessDenied")]
    assert run("apply") == 0
    said = capsys.readouterr().out
    assert "What role may do, by IAM's policy simulator:" not in said
    assert "What user may do is not checked: AccessDenied\n" in said
    assert "hint     iam.rights: role may also call sns:Publish on *: " in said
    assert run("check") == 0
    said = capsys.readouterr().out
    assert "What role may do, by IAM's policy simulator:\n" in said
    assert "What user may do is not checked: AccessDenied\n" in said


def test_nothing_to_check(world: World, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 1
    assert "There is no stack" in capsys.readouterr().err


def test_destroy_asks_once_and_names_what_is_lost(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    assert run("destroy", answers="n") == 4
    assert world.did == []
    assert "- destroy database: the addresses and events in it\n" in capsys.readouterr().out
    assert run("destroy", answers="y") == 0
    assert world.did == ["destroy"]


def test_destroy_in_ci_needs_a_word_more(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    assert run("destroy", "--yes") == 1
    assert "by its kind: --allow-loss all." in capsys.readouterr().err
    assert run("destroy", "--yes", "--allow-loss", "aws_sqs_queue") == 1
    assert world.did == []
    assert run("destroy", "--yes", "--allow-loss", "all") == 0
    assert world.did == ["destroy"]


def test_messages_stop_destroy(world: World, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    world.deploy(OLD)
    world.waiting = {
        WIRED["queue_url"]: 2,
        WIRED["dlq_url"]: 3,
        WIRED["subscription_dlq_url"]: 1,
    }
    assert run("destroy", "--yes", "--allow-loss", "all") == 1
    err = capsys.readouterr().err
    assert "2 messages wait in feedback. Let a worker handle them: sesbounce run --until" in err
    read = "Read what is wrong with them: sesbounce dlq list"
    assert f"3 messages wait in feedback-dlq. {read};" in err
    assert "or send them back to the queue: sesbounce dlq redrive." in err
    assert f"1 message waits in feedback-subscription-dlq. {read} --queue subscription;" in err
    assert "sesbounce dlq redrive --queue subscription." in err
    # Messages in the main queue are not dead letters.
    assert run("destroy", "--yes", "--allow-loss", "all", "--even-with-dead-letters") == 1
    assert "feedback-dlq" not in capsys.readouterr().err
    assert world.did == []
    assert run("destroy", "--yes", "--allow-loss", "all", "--allow-loss", "messages") == 0
    assert world.did == ["destroy"]


def test_dead_letters_alone_may_be_lost(world: World, run: Run) -> None:
    world.deploy(OLD)
    world.waiting = {WIRED["dlq_url"]: 3}
    assert run("destroy", "--yes", "--allow-loss", "all", "--even-with-dead-letters") == 0
    assert world.did == ["destroy"]


@pytest.mark.parametrize("command", ["destroy", "apply"])
def test_a_protected_database_stops_what_would_delete_it(
    world: World, run: Run, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    world.deploy(OLD)
    world.protected = True
    world.lost = [
        deleted("database", "aws_db_instance", identifier="acme", deletion_protection=True)
    ]
    assert run(command, "--yes", "--allow-loss", "aws_db_instance") == 1
    assert "set database = { deletion_protection = false }" in capsys.readouterr().err
    assert "destroy" not in world.did
    assert "apply new" not in world.did


# --- what a plan loses, or takes over ------------------------------------------------------------


def test_what_an_apply_loses_is_asked_about(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.lost = [deleted(QUEUE, "aws_sqs_queue", "create", url=WIRED["queue_url"])]
    assert run("apply", answers="n") == 4
    assert f"± replace {QUEUE}: its messages, and what" in capsys.readouterr().out
    assert world.did == []
    assert run("apply", answers="yy") == 0
    assert world.did == ["apply old", "wait"]


@pytest.mark.parametrize("allowed", ["aws_sqs_queue", QUEUE])
def test_what_an_apply_loses_is_refused_in_ci_unless_it_is_named(
    world: World, run: Run, capsys: pytest.CaptureFixture[str], allowed: str
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.lost = [deleted(QUEUE, "aws_sqs_queue", url=WIRED["queue_url"])]
    for options in ([], ["--allow-loss", "aws_sns_topic"], ["--allow-loss", "all"]):
        assert run("apply", "--yes", *options) == 1
        assert "--allow-loss aws_sqs_queue. If you don't" in capsys.readouterr().err
    assert world.did == []
    assert run("apply", "--yes", "--allow-loss", allowed) == 0
    assert world.did == ["apply old", "wait"]


def test_a_queue_with_messages_is_not_replaced(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.lost = [deleted(QUEUE, "aws_sqs_queue", "create", url=WIRED["queue_url"])]
    world.waiting = {WIRED["queue_url"]: 1, WIRED["dlq_url"]: 1}
    assert run("apply", "--yes", "--allow-loss", "aws_sqs_queue") == 1
    err = capsys.readouterr().err
    assert "1 message waits in feedback." in err
    assert "feedback-dlq" not in err  # it stays
    assert world.did == []


def test_a_worker_goes_only_if_somebody_wants_that(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.worker = False
    world.lost = [deleted(SERVICE, "aws_ecs_service")]
    assert run("apply", "--yes") == 1
    assert f"{SERVICE}: no worker reads the queue" in capsys.readouterr().err
    assert run("apply", "--yes", "--no-image") == 0
    assert world.did == ["apply nothing"]


def test_what_exists_is_not_taken_over(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.existing = [Existing(QUEUE, "aws_sqs_queue", "https://sqs/feedback")]
    assert run("apply", "--yes", "--allow-loss", "aws_sqs_queue") == 1
    err = capsys.readouterr().err
    assert "the account has them already" in err
    assert f'  import {{\n    to = {QUEUE}\n    id = "https://sqs/feedback"\n  }}\n' in err
    assert world.did == ["engine"]
    assert run("plan") == 0
    assert "deploy would refuse this plan: Terraform would create" in capsys.readouterr().out


def test_a_plan_shows_what_is_lost(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.lost = [deleted(QUEUE, "aws_sqs_queue", url=WIRED["queue_url"])]
    assert run("plan") == 0
    assert "This plan loses what no later plan can restore:\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_in_ci_a_stack_needs_a_file_of_variables(
    world: World, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "terraform.tfvars").unlink()
    world.deploy(OLD)
    assert run(command, "--yes", "--allow-loss", "all") == 1
    assert f"deploy needs one: {tmp_path}/terraform.tfvars" in capsys.readouterr().err
    assert world.did == []
    (tmp_path / "all.auto.tfvars").touch()
    assert run(command, "--yes", "--allow-loss", "all") == 0


def test_a_first_deploy_needs_none(world: World, run: Run, tmp_path: Path) -> None:
    (tmp_path / "terraform.tfvars").unlink()
    assert run("apply", "--yes") == 0


def test_a_stack_is_named_after_its_environment_and_keeps_its_name(
    world: World, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "terraform.tfvars").unlink()
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/Pre_Prod.tfvars").touch()
    assert run("plan", "--env", "Pre_Prod") == 0
    assert world.name == "sesbounce-pre-prod"
    world.deploy(OLD)
    assert run("plan", "--env", "Pre_Prod") == 0
    assert world.name == "acme"


# --- repair --------------------------------------------------------------------------------------


def test_a_rollout_that_has_failed_is_repeated(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.deploy(OLD)
    world.images[TAG] = OLD
    world.failed = "ecs-svc/1"
    assert run("apply") == 0
    assert world.did == ["restart", "wait"]
    said = capsys.readouterr().out
    assert "The deployment of sesbounce before this one has failed, and nothing of it" in said


@pytest.fixture
def services(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A deployed stack with the API, which records what is done to which service."""

    def did(what: str) -> Callable[..., None]:
        return lambda _, service, *__: world.did.append(f"{what} {service.name}")

    world.api = True
    world.deploy(OLD)
    world.images[TAG] = OLD
    monkeypatch.setattr(rollout, "restart", did("restart"))
    monkeypatch.setattr(rollout, "await_stable", did("wait"))
    return world


def test_the_rollout_of_the_api_alone_is_repeated(
    services: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = {"sesbounce-api": "ecs-svc/7"}
    monkeypatch.setattr(rollout, "failed_deployment", lambda _, each: failed.get(each.name))
    assert run("apply") == 0
    assert services.did == ["restart sesbounce-api", "wait sesbounce", "wait sesbounce-api"]


@pytest.mark.parametrize("scheduled", [False, True])
def test_an_api_that_came_before_its_tables_begins_once_more_after_the_worker(
    services: World, run: Run, monkeypatch: pytest.MonkeyPatch, scheduled: bool
) -> None:
    services.scheduled = scheduled
    services.deploy(OLD)
    monkeypatch.setattr(rollout, "is_given_up", lambda *_: True)
    assert run("apply") == 0
    worker = "run sesbounce" if scheduled else "wait sesbounce"
    assert services.did == [worker, "restart sesbounce-api", "wait sesbounce-api"]


def test_a_rollout_that_fails_now_is_not_repeated(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deploy(OLD)
    world.failed = "ecs-svc/1"
    deployments = iter(["ecs-svc/1", "ecs-svc/2"])
    monkeypatch.setattr(rollout, "failed_deployment", lambda *_: next(deployments))
    assert run("apply", "--yes") == 0
    assert world.did == ["build", "push", "apply new", "wait"]


def test_a_restart_waits(world: World, run: Run) -> None:
    world.deploy(OLD)
    assert run("restart") == 0
    assert world.did == ["restart", "wait"]


def test_a_restart_takes_the_api_along(world: World, run: Run) -> None:
    world.api = world.scheduled = True
    world.deploy(OLD)
    assert run("restart") == 0
    assert world.did == ["restart", "wait", "run sesbounce"]


@pytest.mark.parametrize("command", [["restart"], ["cli", "--", "why", "jane@example.com"]])
def test_without_a_service_there_is_nothing_to_run(
    world: World, run: Run, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    world.deploy(None)
    assert run(*command) == 1
    assert "The stack has no worker: deploy one" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["service", "schedule"])
def test_a_command_is_run_beside_the_worker_and_its_exit_code_passed_on(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    def task(_: object, worker: Any, arguments: list[str], __: object, place: Placement) -> int:
        world.did.append(f"{worker.name}, {place.network}: {' '.join(arguments)}")
        return 3

    monkeypatch.setattr(run_task, "run", task)
    world.scheduled = mode == "schedule"
    world.deploy(OLD)
    assert run("cli", "--", "check", "--", "jane@example.com") == 3
    assert world.did == [f"sesbounce, beside the {mode}: check -- jane@example.com"]


# --- a worker that a schedule starts -------------------------------------------------------------


def test_a_deployment_shows_that_a_run_works(world: World, run: Run) -> None:
    world.scheduled = True
    world.deploy(OLD)
    assert run("apply", "--yes") == 0
    assert world.did == ["build", "push", "apply new", "run sesbounce"]


def test_a_deployment_whose_run_fails_fails(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RunError("The run has ended with exit code 2")

    monkeypatch.setattr(runs, "run_now", fail)
    world.scheduled = True
    world.deploy(OLD)
    assert run("apply", "--yes") == 1
    assert "exit code 2" in capsys.readouterr().err


def test_a_restart_starts_a_run(world: World, run: Run) -> None:
    world.scheduled = True
    world.deploy(OLD)
    assert run("restart") == 0
    assert world.did == ["run sesbounce"]


# --- a worker in AWS Lambda ----------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> str:
    """The path of the package from Terraform's directory."""
    return os.path.relpath(__file__, tmp_path)


def test_a_function_is_packed_deployed_and_called(world: World, run: Run, package: str) -> None:
    world.function = True
    assert run("apply", answers="y") == 0
    assert world.did == ["pack", f"apply {package}", "sweep"]


def test_nothing_new_calls_the_function_only(world: World, run: Run, package: str) -> None:
    world.function = True
    world.deploy(None, package)
    assert run("apply") == 0
    assert world.did == ["pack", "sweep"]


def test_a_chosen_image_takes_no_function_away(world: World, run: Run, package: str) -> None:
    world.function, world.pending = True, True
    world.deploy(None, package)
    assert run("apply", "--image", OTHER, "--yes") == 0
    assert world.did == ["pack", f"apply {package}", "sweep"]


def test_a_plan_has_the_package(world: World, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    world.function = True
    assert run("plan") == 0
    assert world.did == ["pack"]
    assert "The function's package: sha-" in capsys.readouterr().out


def test_a_function_that_fails_fails_the_deployment(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise FunctionError("sesbounce fails: the password is wrong")

    monkeypatch.setattr(function, "sweep_now", fail)
    world.function = True
    assert run("apply", "--yes") == 1
    assert "the password is wrong" in capsys.readouterr().err


def test_a_restart_gives_the_function_a_new_configuration(
    world: World, run: Run, package: str
) -> None:
    world.function = True
    world.deploy(None, package)
    assert run("restart") == 0
    assert world.did == ["restart function", "sweep"]


def test_a_command_beside_a_function_is_run_elsewhere(
    world: World, run: Run, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.function = True
    world.deploy(None, package)
    assert run("cli", "--", "why", "jane@example.com") == 1
    said = capsys.readouterr().err
    assert "SESBOUNCE_DATABASE_URL=… .venv/bin/sesbounce why jane@example.com" in said
    assert world.did == []
