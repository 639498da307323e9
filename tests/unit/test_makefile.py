"""What `make help` tells, and what make does first."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PHONY = MAKEFILE.partition(".PHONY:")[2].partition("\n\n")[0].replace("\\\n", " ").split()
GROUPS = ["Set up", "Try it", "Deploy", "Test", "Benchmarks", "Develop"]


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def groups() -> dict[str, dict[str, str]]:
    """The sentences of `make help`, by group and target."""
    blocks = re.sub(r"\033\[\d+m", "", make("help")).strip().split("\n\n")
    return {
        title: dict(line.split(maxsplit=1) for line in lines)
        for title, *lines in map(str.splitlines, blocks)
    }


def test_help_has_these_groups(groups: dict[str, dict[str, str]]) -> None:
    assert list(groups) == GROUPS


@pytest.mark.parametrize("target", PHONY)
def test_every_target_has_a_sentence_in_one_group(
    groups: dict[str, dict[str, str]], target: str
) -> None:
    (sentence,) = [lines[target] for lines in groups.values() if target in lines]
    # The target is the actor, so that the line reads as a sentence: "demo runs the whole path".
    assert re.match(r"[a-z]+s\b", sentence), sentence


def test_help_names_no_target_that_is_not(groups: dict[str, dict[str, str]]) -> None:
    assert {target for lines in groups.values() for target in lines} == set(PHONY)


NEED_TERRAFORM = ["demo", "plan", "deploy", "check-wiring", "destroy", "restart", "cli", "outputs"]
NEED_TERRAFORM += ["test", "test-all", "test-local", "test-terraform"]


@pytest.mark.parametrize("target", NEED_TERRAFORM)
def test_terraform_comes_before_all_that_is_installed(target: str) -> None:
    commands = make("--dry-run", "--always-make", target).splitlines()
    assert commands[0].endswith("-m scripts.terraform.fetch")


def test_the_arguments_of_cli_stay_apart_as_they_were_quoted() -> None:
    arguments = "suppress jane@example.com --note 'asked by phone'"
    said = make("--dry-run", "cli", "ENV=staging", f"ARGS={arguments}")
    assert said.endswith(f' cli --env "staging" -- {arguments}\n')
