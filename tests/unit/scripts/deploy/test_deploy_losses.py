"""What deploy asks or refuses, before something is lost or taken over."""

from pathlib import Path

import pytest

from scripts.deploy.adoption import Existing
from tests.unit.scripts.deploy.recorded import OLD, QUEUE, SERVICE, TAG, WIRED, Run, World, deleted

# --- destroy --------------------------------------------------------------------------------------


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


# --- what a plan loses, or takes over -------------------------------------------------------------


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
