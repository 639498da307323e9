"""LocalStack's own Python package, in a virtual environment of its own.

Standard library only: it is installed beside `.venv`.
"""

import os
import sys
from pathlib import Path

from scripts import ScriptError
from scripts.local.localstack_container import docker_answers
from scripts.local.localstack_shared import (
    CHECKOUT,
    ENDPOINT_VARIABLE,
    OTHER_WAYS,
    Files,
    LocalStackError,
    Progress,
)
from scripts.setup import venvs
from scripts.setup.venvs import Venv

REQUIREMENTS = Path(__file__).with_name("localstack-requirements.txt")

_PYTHONS = ((3, 11), (3, 13))


def install(root: Path = CHECKOUT, progress: Progress = print) -> None:
    """Install the package, unless `ensure` would do without it."""
    if not (venv(root).is_made or os.environ.get(ENDPOINT_VARIABLE) or docker_answers()):
        python(root, progress)


def python(root: Path, progress: Progress) -> Path:
    """Return the Python that has LocalStack, which is installed once for each set of versions.

    Raises:
        LocalStackError: it can't be installed; the message says what to do.
    """
    wanted = venv(root)
    if not wanted.is_made:
        _check_python()
    try:
        return venvs.ensure(wanted, progress)
    except ScriptError as error:
        raise LocalStackError(f"{error}\nOr else {OTHER_WAYS}.") from error


def venv(root: Path) -> Venv:
    """Return the environment that LocalStack is installed into."""
    return Venv("LocalStack", Files(root).venv, REQUIREMENTS)


def _check_python() -> None:
    oldest, newest = (".".join(map(str, version)) for version in _PYTHONS)
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        raise LocalStackError(
            f"LocalStack's package needs Python {oldest} to {newest}, and this is "
            f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}). Run this with one "
            f"of those, or {OTHER_WAYS}."
        )
