"""Installs Debian's packages for tests whose programs are missing. Only root can do so."""

import functools
import os
import subprocess

_INSTALL_SECONDS = 300.0


@functools.cache
def update() -> str:
    return apt_get("update")


def apt_get(*arguments: str) -> str:
    """Run apt-get; returns an error in one line, or an empty text."""
    command = ["apt-get", "--quiet", "--yes", "--option=DPkg::Lock::Timeout=120", *arguments]
    try:
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
