"""What deploy checks, and what fails."""

from pathlib import Path

import pytest

from scripts.deploy import aws
from sesbounce.doctor.finding import broken, hint, setting
from sesbounce.doctor.rights import Rights, Row
from tests.unit.scripts.deploy.recorded import ACCOUNT, OLD, TAG, Run, World


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
