"""Terraform's own checks, run once a session on a copy: the source tree stays clean."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform.env import terraform_binary, terraform_env

SOURCE = Path(__file__).parents[2] / "terraform"
# The stack and each module of it: whatever says which versions it needs.
FOLDERS = sorted(str(file.parent.relative_to(SOURCE)) for file in SOURCE.rglob("versions.tf"))


class Terraform:
    """Terraform in a copy of the source tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = terraform_env()
        self.binary = str(terraform_binary())
        self.ready: set[str] = set()

    def __call__(self, *arguments: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.root / "terraform" / folder,
            env={**self.env, "TF_DATA_DIR": str(self.root / "data" / folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def init(self, folder: str) -> None:
        """Make a folder ready, once; only the stack gets the provider from outside."""
        if folder in self.ready:
            return
        arguments = ["init", "-backend=false", "-input=false", "-no-color"]
        if folder != ".":
            self.init(".")
            arguments.append(f"-plugin-dir={self.root / 'data' / 'providers'}")
        done = self(*arguments, folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        self.ready.add(folder)

    def validate(self, folder: str) -> dict[str, Any]:
        self.init(folder)
        result: dict[str, Any] = json.loads(self("validate", "-json", folder=folder).stdout)
        return result

    def test(self, folder: str, *options: str) -> list[dict[str, Any]]:
        """Run the folder's tests and return what Terraform reports, line by line."""
        self.init(folder)
        lines = self("test", "-json", *options, folder=folder).stdout.splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    root = tmp_path_factory.mktemp("terraform")
    left_by_users = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars")
    shutil.copytree(SOURCE, root / "terraform", ignore=left_by_users)
    yield Terraform(root)
    # pytest keeps its folders, but the provider is large.
    shutil.rmtree(root / "data", ignore_errors=True)
