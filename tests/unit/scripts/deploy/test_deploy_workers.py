"""How deploy repairs, restarts and runs workers: services, scheduled ones and functions."""

from collections.abc import Callable
from typing import Any

import pytest

from scripts.deploy import function, rollout, run_task, runs
from scripts.deploy.function import FunctionError
from scripts.deploy.run_task import Placement
from scripts.deploy.runs import RunError
from tests.unit.scripts.deploy.recorded import OLD, OTHER, TAG, Run, World

# --- repair ---------------------------------------------------------------------------------------


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


# --- a worker that a schedule starts --------------------------------------------------------------


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


# --- a worker in AWS Lambda -----------------------------------------------------------------------


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
