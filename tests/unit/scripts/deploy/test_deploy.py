"""What deploy does and in which order, with a stack that only records its calls."""

import json
from pathlib import Path

import pytest

from scripts.deploy import applying, aws, deploy, release, rollout
from scripts.image.container_engine import EngineError
from tests.unit.scripts.deploy.recorded import ACCOUNT, NEW, OLD, OTHER, TAG, Run, World

# --- apply ----------------------------------------------------------------------------------------


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


# --- plan -----------------------------------------------------------------------------------------


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


# --- where ----------------------------------------------------------------------------------------


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
