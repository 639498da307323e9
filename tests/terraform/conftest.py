"""Terraform's own checks, run once a session on a copy: the source tree stays clean."""

import functools
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform.env import terraform_binary, terraform_env
from tests.provider import installed_provider, running_provider

SOURCE = Path(__file__).parents[2] / "terraform"
# The stack and each module of it: whatever says which versions it needs.
FOLDERS = sorted(str(file.parent.relative_to(SOURCE)) for file in SOURCE.rglob("versions.tf"))

Report = list[dict[str, Any]]
"""What `terraform test` reports, line by line."""


class Terraform:
    """Terraform in a copy of the source tree.

    Each worker of pytest-xdist has a copy of its own. The provider is in none of them: Terraform
    links every folder to the mirror or, where there is no mirror, to what the stack has fetched.
    What is no `init` attaches to one provider that runs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = terraform_env()
        self.binary = str(terraform_binary())
        self.ready: set[str] = set()
        self.running = ExitStack()

    def __call__(self, *arguments: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.root / "terraform" / folder,
            env={
                **(self.env if arguments[0] == "init" else self.attached),
                "TF_DATA_DIR": str(self.root / "data" / folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @functools.cached_property
    def provider(self) -> Path:
        """The provider's program."""
        self.init(".")
        return installed_provider(self.root / "data")

    @functools.cached_property
    def attached(self) -> Mapping[str, str]:
        return self.running.enter_context(running_provider(self.provider, self.env))

    def init(self, folder: str) -> None:
        """Make a folder ready, once; only the stack gets the provider from outside."""
        if folder in self.ready:
            return
        arguments = ["init", "-backend=false", "-input=false", "-no-color"]
        if folder == ".":
            # With the locked provider and no other: where a registry answers, this checks the lock.
            arguments.append("-lockfile=readonly")
        else:
            self.init(".")
            arguments.append(f"-plugin-dir={self.root / 'data' / 'providers'}")
        done = self(*arguments, folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        self.ready.add(folder)

    def validate(self, folder: str) -> dict[str, Any]:
        self.init(folder)
        result: dict[str, Any] = json.loads(self("validate", "-json", folder=folder).stdout)
        return result

    def test(self, folder: str, file: str, *options: str) -> Report:
        """Run one test file of a folder; Terraform validates the folder before each run."""
        self.init(folder)
        command = ("test", "-json", f"-filter=tests/{file}", *options)
        return [json.loads(line) for line in self(*command, folder=folder).stdout.splitlines()]


def assert_passed(report: Report) -> None:
    """Assert that there was a run, that all passed, and that nothing was complained about."""
    # Deprecation comes as a warning, and every warning is a diagnostic.
    assert [line["@message"] for line in report if line["type"] == "diagnostic"] == []
    (summary,) = [line["test_summary"] for line in report if line["type"] == "test_summary"]
    # Terraform calls it a success when there is no test at all.
    assert summary.pop("passed") > 0
    assert summary == {"status": "pass", "failed": 0, "errored": 0, "skipped": 0}


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    root = tmp_path_factory.mktemp("terraform")
    left_by_users = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars")
    shutil.copytree(SOURCE, root / "terraform", ignore=left_by_users)
    terraform = Terraform(root)
    with terraform.running:
        yield terraform
    # pytest keeps its folders, but the provider is large.
    shutil.rmtree(root / "data", ignore_errors=True)


# --- The policies that Terraform renders -------------------------------------------------------


@pytest.fixture(scope="session")
def report(terraform: Terraform) -> Report:
    return terraform.test(".", "rendered.tftest.hcl", "-verbose")


@pytest.fixture(scope="session")
def rendered(report: Report) -> dict[str, dict[str, Any]]:
    """The outputs of each run of the stack's own test, by the run's name."""
    return {
        line["@testrun"]: {
            name: output["value"] for name, output in line["test_state"]["outputs"].items()
        }
        for line in report
        if line["type"] == "test_state"
    }


@pytest.fixture(scope="session")
def full(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return rendered["full"]


@pytest.fixture(scope="session")
def least(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return rendered["least"]


@pytest.fixture(scope="session")
def planned(report: Report) -> dict[str, list[dict[str, Any]]]:
    """The resources of each run, by the run's name."""
    return {
        line["@testrun"]: list(_managed(line["test_state"]["root_module"]))
        for line in report
        if line["type"] == "test_state"
    }


def _managed(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _managed(child)


@pytest.fixture(scope="session")
def deploy_of(rendered: dict[str, dict[str, Any]]) -> dict[str, str]:
    """All that the deploy role may do, as one document, by the run's name."""
    return {
        run: joined(outputs["deploy_role_policies"].values())
        for run, outputs in rendered.items()
        if "deploy_role_policies" in outputs  # Terraform leaves out what is null
    }


def joined(policies: Iterable[str]) -> str:
    documents = [json.loads(policy) for policy in policies]
    statements = [statement for document in documents for statement in document["Statement"]]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="session")
def deploy(deploy_of: dict[str, str]) -> str:
    return deploy_of["full"]
