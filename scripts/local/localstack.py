"""Starts, finds and stops a LocalStack that listens on this machine alone.

    python -m scripts.local.localstack start|stop|status|endpoint

The first of these that is to be had is taken:

1. the one that `LOCALSTACK_ENDPOINT` names; it is used, and never stopped;
2. the one that an earlier run started;
3. a container, where a Docker engine answers;
4. LocalStack's own Python package, in a virtual environment of its own.

All files lie in the checkout under `.local/`.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from scripts.local import localstack_container, localstack_package, localstack_process
from scripts.local.localstack_container import Container, DockerError
from scripts.local.localstack_package import install
from scripts.local.localstack_process import Process
from scripts.local.localstack_shared import (
    CHECKOUT,
    ENDPOINT_VARIABLE,
    Files,
    Kind,
    LocalStackError,
    Progress,
    answers,
    wait,
)
from scripts.setup.once import locked

__all__ = [
    "CHECKOUT",
    "ENDPOINT_VARIABLE",
    "LocalStack",
    "LocalStackError",
    "answers",
    "ensure",
    "environment",
    "find",
    "install",
    "stop",
]

_READY_SECONDS = 120.0

_Server = Process | Container


@dataclass(frozen=True)
class LocalStack:
    """A LocalStack that answers."""

    endpoint: str
    kind: Kind
    started: bool
    """Whether this call started it."""


def ensure(root: Path = CHECKOUT, progress: Progress = print) -> LocalStack:
    """Return a LocalStack that answers, starting one if there is none."""
    if endpoint := os.environ.get(ENDPOINT_VARIABLE):
        return _attach(endpoint)
    files = Files(root)
    with locked(files.lock, _waiting(progress)):
        if (running := _load(files)) and _is_ready(running):
            return LocalStack(running.endpoint, running.kind, started=False)
        _clear(files)
        server = _start(files, progress)
        return LocalStack(server.endpoint, server.kind, started=True)


def find(root: Path = CHECKOUT) -> LocalStack | None:
    """Return the LocalStack that `ensure` would use without starting one, or None."""
    if endpoint := os.environ.get(ENDPOINT_VARIABLE):
        return _attach(endpoint)
    server = _load(Files(root))
    if server and server.alive() and answers(server.endpoint):
        return LocalStack(server.endpoint, server.kind, started=False)
    return None


def stop(root: Path = CHECKOUT, progress: Progress = print) -> bool:
    """End the LocalStack that `ensure` started, and forget its data; tell whether one ran."""
    files = Files(root)
    if not files.run.exists():
        return False
    with locked(files.lock, _waiting(progress)):
        return _clear(files)


def environment(endpoint: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `base` as a whole environment whose AWS clients reach `endpoint` and nothing else.

    Every AWS setting of the user's goes, files included, but for the region: neither a real
    credential nor a profile's own endpoint can get in.
    """
    region = base.get("AWS_REGION") or base.get("AWS_DEFAULT_REGION") or "us-east-1"
    env = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    host = urlsplit(endpoint).hostname or ""
    # botocore sends even requests to the loopback through a proxy, unless told not to.
    no_proxy = ",".join(filter(None, (base.get("no_proxy") or base.get("NO_PROXY"), host)))
    return env | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _load(files: Files) -> _Server | None:
    try:
        state = json.loads(files.state.read_text(encoding="utf-8"))
        kinds: dict[str, type[_Server]] = {"process": Process, "container": Container}
        return kinds[state.pop("kind")](**state)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalStackError(
            f"{files.state} can't be read ({error!r}). End the LocalStack that may still run, "
            f"then delete {files.run}."
        ) from error


def _save(files: Files, server: _Server) -> None:
    written = files.state.with_suffix(".new")
    written.write_text(json.dumps({"kind": server.kind, **asdict(server)}), encoding="utf-8")
    written.replace(files.state)


def _clear(files: Files) -> bool:
    """End what an earlier run started and remove its data; tell whether it was alive."""
    server = _load(files)
    alive = server is not None and server.alive()
    if server is not None:
        server.end()
    if files.run.exists():
        shutil.rmtree(files.run)
    return alive


# --- Starting -----------------------------------------------------------------------------------


def _attach(endpoint: str) -> LocalStack:
    endpoint = endpoint.rstrip("/")
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise LocalStackError(
            f"{ENDPOINT_VARIABLE} is {endpoint!r}; it must be a URL such as http://127.0.0.1:4566."
        )
    if not answers(endpoint):
        raise LocalStackError(
            f"{ENDPOINT_VARIABLE} is {endpoint}, but no LocalStack answers there. Start it, or "
            "unset the variable to have one started."
        )
    return LocalStack(endpoint, "attached", started=False)


def _start(files: Files, progress: Progress) -> _Server:
    files.run.mkdir(parents=True)
    if localstack_container.docker_answers():
        image = localstack_container.IMAGE
        progress(f"Starting LocalStack in a container ({image}, fetched the first time)")
        try:
            return _await_ready(files, localstack_container.start())
        except DockerError as error:
            # An engine that can't fetch the image is no reason to give up.
            progress(f"Docker could not: {error}")
    python = localstack_package.python(files.root, progress)
    progress("Starting LocalStack")
    return _await_ready(files, localstack_process.start(files, python))


def _await_ready(files: Files, server: _Server) -> _Server:
    _save(files, server)
    try:
        _check_ready(files, server)
    except BaseException:  # an interrupt too must leave nothing behind
        server.end()
        files.state.unlink()
        raise
    return server


def _check_ready(files: Files, server: _Server) -> None:
    if _is_ready(server):
        return
    if not server.alive():
        raise LocalStackError(f"LocalStack ended while it started. {server.log_end(files)}")
    raise LocalStackError(
        f"LocalStack did not answer at {server.endpoint} within {_READY_SECONDS:.0f} s. "
        f"{server.log_end(files)}"
    )


def _is_ready(server: _Server) -> bool:
    """Wait until a server answers, which a busy one does late; false where it ends or never does.

    So no run ends a LocalStack that another one uses.
    """
    return (
        wait(lambda: answers(server.endpoint) or not server.alive(), _READY_SECONDS)
        and server.alive()
    )


def _waiting(progress: Progress) -> Callable[[], None]:
    return partial(progress, "Waiting for another run that starts or stops LocalStack")


# --- The command line ---------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.local.localstack",
        description="Start, find and stop a LocalStack that listens on this machine alone.",
        epilog=f"With {ENDPOINT_VARIABLE} set, the one it names is used, and never stopped.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("start", help="start one, unless one answers, and print its endpoint")
    commands.add_parser("stop", help="end the one that was started, with its data")
    commands.add_parser("status", help="tell whether one answers (exit status 1: none)")
    commands.add_parser("endpoint", help="print the endpoint of the one that answers")
    try:
        return _run(parser.parse_args(arguments).command)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str) -> int:
    if command == "start":
        print(ensure(CHECKOUT, _to_stderr).endpoint)
        return 0
    if command == "stop":
        stopped = stop(CHECKOUT, _to_stderr)
        print("LocalStack stopped" if stopped else "No LocalStack was running")
        return 0
    running = find(CHECKOUT)
    if command == "status":
        print(f"LocalStack ({running.kind}): {running.endpoint}" if running else "No LocalStack")
    elif running:
        print(running.endpoint)
    else:
        _to_stderr("No LocalStack answers; start one: python -m scripts.local.localstack start")
    return 0 if running else 1


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
