"""What runs deploy on a stack that only records its calls."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.deploy import adoption, applying, aws, deploy, ecr, function, release, rollout, runs
from scripts.deploy.run_task import Placement
from scripts.image import container_engine
from scripts.image.build import Image
from scripts.image.container_engine import Credentials
from scripts.package.build import Package
from sesbounce.doctor import checks, rights
from sesbounce.doctor.examine import Check
from tests.unit.scripts.deploy.recorded import (
    NEW,
    REPOSITORY,
    TAG,
    FakeRepository,
    FakeStack,
    World,
)


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


@pytest.fixture
def package(tmp_path: Path) -> str:
    """The path of the package from Terraform's directory."""
    return os.path.relpath(__file__, tmp_path)
