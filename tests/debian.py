"""Installs Debian's packages for tests whose programs are missing. Only root can do so."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.setup.once import locked

_INSTALL_SECONDS = 900.0
_DEBIAN = Path("/etc/debian_version")
# apt-get waits for dpkg's lock, and not for that of its lists.
_LOCK = Path(tempfile.gettempdir()) / "sesbounce-apt.lock"


@functools.cache
def update() -> str:
    return apt_get("update")


def apt_get(*arguments: str) -> str:
    """Run apt-get; returns an error in one line, or an empty text."""
    command = ["apt-get", "--quiet", "--yes", "--option=DPkg::Lock::Timeout=120", *arguments]
    try:
        with locked(_LOCK, lambda: None):
            run = subprocess.run(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        return str(error)
    return " ".join(run.stdout.split("\n")[-3:]) if run.returncode else ""


def demand(whose: str, *packages: str) -> None:
    """Install what is missing of these packages; where that fails, the test is skipped.

    Args:
        whose: what needs them.
        packages: Debian's names.
    """
    if _are_installed(packages):
        return
    said = "only root installs packages, on Debian"
    if os.geteuid() == 0 and _DEBIAN.exists() and shutil.which("apt-get"):
        # Packages are the machine's business: whoever runs the tests should see it.
        print(f"Missing: apt-get install {' '.join(packages)}", file=sys.stderr)  # noqa: T201
        said = update() or apt_get("install", "--no-install-recommends", *packages)
    if not _are_installed(packages):
        pytest.skip(
            f"NOT TESTED: {whose}. Install what it needs (Debian: apt-get install "
            f"--no-install-recommends {' '.join(packages)}); {said}"
        )


def _are_installed(packages: tuple[str, ...]) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}\n", *packages]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode == 0 and set(run.stdout.split()) == {"installed"}
