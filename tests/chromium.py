"""A browser for tests: Debian's Chromium, which Playwright drives."""

import functools
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.debian import apt_get, update


@functools.cache
def executable() -> str:
    """The path of Chromium, installed where there is none; the test is skipped without one."""
    if found := shutil.which("chromium"):
        return found
    if os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get"):
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)  # noqa: T201
        if not update():
            apt_get("install", "--no-install-recommends", "chromium")
        if found := shutil.which("chromium"):
            return found
    pytest.skip(
        "CHROMIUM IS MISSING: no chromium on PATH. Install it (Debian: apt-get install "
        "--no-install-recommends chromium)"
    )
