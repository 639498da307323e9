"""The environments of this checkout, made side by side."""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from scripts import ScriptError, checkov, website
from scripts.local import localstack_package
from scripts.setup.uv import ROOT, install
from scripts.setup.venvs import Venv, ensure

_WORKER = ROOT / "worker"
_LINE_SECONDS = 5.0


def dev(folder: Path = ROOT / ".venv") -> Venv:
    """What `make setup` makes: the worker, the scripts' libraries, the checks and the tests'."""
    return Venv(folder.name, folder, ROOT / "requirements-dev.txt", _WORKER)


def bench(folder: Path = ROOT / ".local" / "bench") -> Venv:
    """What `make bench` runs in: aiobotocore decides on the version of botocore."""
    return Venv("the benchmark", folder, ROOT / "requirements-bench-worker.txt", _WORKER)


_VENVS: dict[str, Callable[..., Venv]] = {
    "dev": dev,
    "bench": bench,
    "checkov": checkov.venv,
    "docs": website.venv,
}
NAMES = (*_VENVS, "localstack")


def main(arguments: Sequence[str]) -> int:
    """Make the environments that the arguments name; returns the exit code."""
    if unknown := {argument.partition("=")[0] for argument in arguments} - set(NAMES):
        print(
            f"setup: no environment {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}",
            file=sys.stderr,
        )
        return 2
    try:
        install()  # uv, before many want it at once
    except ScriptError as failed:
        print(f"setup: {failed}", file=sys.stderr)
        return 1
    errors = _make_all(arguments)
    for error in errors:
        print(f"setup: {error}", file=sys.stderr)
    return 1 if errors else 0


def _make_all(arguments: Sequence[str]) -> list[ScriptError]:
    """Make all of them, with a line every few seconds about those that are still being made."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(arguments)) as pool:
        making = {pool.submit(_make, argument): argument for argument in arguments}
        while unfinished := wait(making, _LINE_SECONDS).not_done:
            names = ", ".join(sorted(making[one].partition("=")[0] for one in unfinished))
            seconds = time.monotonic() - began
            print(f"setup: still installing after {seconds:.0f} s: {names}", flush=True)
    return [error for one in making if (error := one.result())]


def _make(argument: str) -> ScriptError | None:
    name, _, folder = argument.partition("=")
    say = partial(print, "setup:", flush=True)
    try:
        if name == "localstack":
            localstack_package.install(progress=say)
        else:
            ensure(_VENVS[name](*([ROOT / folder] if folder else [])), say)
    except ScriptError as error:
        return error
    return None
