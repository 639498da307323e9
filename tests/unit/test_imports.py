"""The packages import downward only, as CONTRIBUTING.md draws them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def lint(package: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contract against a copy of the package."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as c; c()",
            str(ROOT / "pyproject.toml"),
            "--no-cache",
        ],
        cwd=package.parent,
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(tmp_path: Path) -> Path:
    source = ROOT / "worker/src/sesbounce"
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(source, tmp_path / "sesbounce", ignore=ignored))


def test_contributing_draws_the_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    block = re.search(r"downward only.*?```\w*\n(.*?)```", text, re.DOTALL | re.IGNORECASE)
    assert block
    drawn = [set(re.findall(r"[a-z_]+", line.partition("#")[0])) for line in block[1].splitlines()]
    (contract,) = CONTRACT["contracts"]
    assert drawn == [set(re.findall(r"[a-z_]+", layer)) for layer in contract["layers"]]


def test_the_package_keeps_it(tmp_path: Path) -> None:
    run = lint(copied(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 kept, 0 broken" in run.stdout


def test_an_import_upward_breaks_it(tmp_path: Path) -> None:
    package = copied(tmp_path)
    module = package / "policy/verdict.py"
    module.write_text(f"from sesbounce.store import schema as schema\n{module.read_text()}")
    run = lint(package)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "sesbounce.policy.verdict -> sesbounce.store.schema" in run.stdout


def test_a_package_without_a_layer_breaks_it(tmp_path: Path) -> None:
    package = copied(tmp_path)
    (package / "attic").mkdir()
    (package / "attic/__init__.py").write_text("")
    assert lint(package).returncode == 1
