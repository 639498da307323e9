"""Runs checkov over `terraform/`, without network: any finding is an error.

    python -m scripts.checkov

checkov is installed into `.local/checkov-venv`, once for each set of versions, since it pins many
that the rest does not use. What it finds and is meant so is skipped by a comment with the reason
beside the resource; a skip that skips nothing is an error, too.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts import ScriptError
from scripts.setup.uv import ROOT
from scripts.setup.venvs import Venv, ensure

_SKIP = re.compile(r"checkov:skip=(?P<check>\w+)(?P<reason>.*)")


class CheckovError(ScriptError):
    """checkov can't be had, or has not understood a file."""


def report(terraform: Path, program: Path) -> dict[str, Any]:
    """Return what checkov says of a folder.

    Raises:
        CheckovError: it says nothing that can be read, or could not read a file.
    """
    command = [str(program), "--directory", str(terraform), "--framework", "terraform"]
    # Terraform's tests are no configuration.
    command += ["--skip-path", r"tests/.*\.tftest\.hcl", "--skip-download", "--output", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        results: dict[str, Any] = json.loads(run.stdout)["results"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckovError(f"checkov failed: {(run.stderr or run.stdout).strip()}") from error
    if results["parsing_errors"]:
        raise CheckovError(f"checkov can't read {', '.join(results['parsing_errors'])}")
    return results


def complaints(terraform: Path, results: dict[str, Any]) -> list[str]:
    """Return what the developer must put right: findings, skips without a reason or a use."""
    found = {
        f"{check['file_path']}: {check['check_id']} {check['check_name']} ({check['resource']})"
        for check in results["failed_checks"]
    }
    used = {check["check_id"] for check in results["skipped_checks"]}
    skips = [
        (file.relative_to(terraform), skip["check"], skip["reason"])
        for file in sorted(terraform.rglob("*.tf"))
        for skip in _SKIP.finditer(file.read_text("utf-8"))
    ]
    found |= {f"{file}: {check} skips nothing" for file, check, _ in skips if check not in used}
    found |= {
        f"{file}: {check} is skipped without a reason"
        for file, check, reason in skips
        if not re.match(r": \w.+", reason)
    }
    return sorted(found)


def venv(folder: Path = ROOT / ".local" / "checkov-venv") -> Venv:
    """Return the environment that checkov is installed into."""
    return Venv("checkov", folder, Path(__file__).with_name("checkov-requirements.txt"))


def program() -> Path:
    """Return checkov's program, which is installed once for each set of versions."""
    return ensure(venv()).with_name("checkov")


def main(terraform: Path = ROOT / "terraform") -> int:
    """Run the check; returns the exit code."""
    try:
        results = report(terraform, program())
        wrong = complaints(terraform, results)
    except ScriptError as error:
        print(f"checkov: {error}", file=sys.stderr)
        return 2
    for line in wrong:
        print(f"checkov: {line}", file=sys.stderr)
    passed, skipped = len(results["passed_checks"]), len(results["skipped_checks"])
    print(f"checkov: {passed} checks passed, {skipped} skipped with a reason, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
