"""Runs the pinned uv with the settings of this machine's pip.

    python -m scripts.setup.uv pip list --python .venv/bin/python

uv comes from the package index, checked by hash, into `.local/uv`: it needs only a Python that
can make virtual environments.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from scripts import ScriptError
from scripts.setup import pip_settings
from scripts.setup.once import once

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("uv-requirements.txt")

_VENV = ROOT / ".local" / "uv"
_ADVICE = "Check the way to the package index (pip config list) and try again."
_SHOWN_LINES = 15


class UvError(ScriptError):
    """uv can't be had, or it failed."""


def uv(*arguments: str) -> None:
    """Run uv quietly.

    Raises:
        UvError: uv failed; its own words are in it.
    """
    _run([str(install() / "uv"), "--quiet", *arguments], environment())


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that uv runs in."""
    # PYTHON* are about the Python that runs this.
    own = {name: value for name, value in base.items() if not name.startswith("PYTHON")}
    defaults = {
        # What is downloaded stays in the checkout, and no Python is.
        "UV_CACHE_DIR": str(ROOT / ".local" / "uv-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return defaults | pip_settings.for_uv(_pip_options(), own)


def install() -> Path:
    """Return the folder that holds `uv` and a `python` with pip, after installing them once."""
    once(_VENV, (REQUIREMENTS,), _install, waiting=lambda: None)
    return _VENV / "bin"


@cache
def _pip_options() -> dict[str, str]:
    return pip_settings.read(install() / "python")


def _install() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        raise UvError(
            f"{sys.executable} can't make virtual environments, since its module ensurepip is "
            "missing. Install it (on Debian and Ubuntu: apt install python3-venv)."
        )
    # PIP_USER would install elsewhere; the other PIP_* may hold the user's index.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own |= {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    _run([sys.executable, "-m", "venv", str(_VENV)], own)
    pip = [str(_VENV / "bin" / "python"), "-m", "pip", "-qq", "--no-cache-dir", "install"]
    _run([*pip, "--require-hashes", "--no-deps", "--requirement", str(REQUIREMENTS)], own)


def _run(command: list[str], env: Mapping[str, str]) -> None:
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        said = "\n".join(run.stdout.strip().splitlines()[-_SHOWN_LINES:])
        raise UvError(f"`{' '.join(command)}` failed:\n{said}\n{_ADVICE}")


def main() -> None:
    """Become uv with the arguments of the command line."""
    try:
        program = str(install() / "uv")
        env = environment()
    except ScriptError as error:
        sys.exit(f"uv: {error}")
    os.execve(program, [program, *sys.argv[1:]], env)  # noqa: S606


if __name__ == "__main__":
    main()
