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
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from scripts import ScriptError

CHECKOUT = Path(__file__).resolve().parents[2]
ENDPOINT_VARIABLE = "LOCALSTACK_ENDPOINT"
IMAGE = "localstack/localstack:4.12.0"

_REQUIREMENTS = Path(__file__).with_name("localstack-requirements.txt")
_PYTHONS = ((3, 11), (3, 13))
_OTHER_WAYS = f"or start a Docker engine, or set {ENDPOINT_VARIABLE} to a LocalStack that runs"
_READY_SECONDS = 120.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1

Kind = Literal["attached", "container", "process"]
Progress = Callable[[str], None]


class LocalStackError(ScriptError):
    """LocalStack can't be had, or has stopped working."""


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
    files = _Files(root)
    with _locked(files, progress):
        if (running := _load(files)) and running.alive() and answers(running.endpoint):
            return LocalStack(running.endpoint, running.kind, started=False)
        _clear(files)
        server = _start(files, progress)
        return LocalStack(server.endpoint, server.kind, started=True)


def find(root: Path = CHECKOUT) -> LocalStack | None:
    """Return the LocalStack that `ensure` would use without starting one, or None."""
    if endpoint := os.environ.get(ENDPOINT_VARIABLE):
        return _attach(endpoint)
    server = _load(_Files(root))
    if server and server.alive() and answers(server.endpoint):
        return LocalStack(server.endpoint, server.kind, started=False)
    return None


def install(root: Path = CHECKOUT, progress: Progress = print) -> None:
    """Install what a LocalStack without a container needs, once; nothing where Docker answers."""
    if not _docker_answers():
        files = _Files(root)
        with _locked(files, progress):
            _venv(files, progress)


def stop(root: Path = CHECKOUT, progress: Progress = print) -> bool:
    """End the LocalStack that `ensure` started, and forget its data; tell whether one ran."""
    files = _Files(root)
    if not files.run.exists():
        return False
    with _locked(files, progress):
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


class _Files:
    """Where things lie in a checkout."""

    def __init__(self, root: Path) -> None:
        self.local = root.resolve() / ".local"
        self.run = self.local / "localstack"
        self.data = self.run / "root"
        self.log = self.run / "log"
        self.state = self.run / "state.json"
        # Outside `run`, which goes when LocalStack is stopped.
        self.lock = self.local / "localstack.lock"
        self.venv = self.local / "localstack-venv"
        self.pip_cache = self.local / "pip-cache"


# --- What was started: a process or a container -----------------------------------------------


@dataclass(frozen=True)
class _Process:
    """A LocalStack process, known by its pid and its birth: a pid alone may be another's by now."""

    kind: ClassVar[Kind] = "process"
    port: int
    pid: int
    birth: str

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        now = _stat(self.pid)
        if now is None or now.birth != self.birth:
            return False
        if now.ended:
            with contextlib.suppress(ChildProcessError):  # another run's child is not ours to reap
                os.waitpid(self.pid, os.WNOHANG)
        return not now.ended

    def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive():
                return
            # It leads a process group of its own, so its children go with it.
            os.killpg(self.pid, number)
            _wait(lambda: not self.alive(), _STOP_SECONDS)


@dataclass(frozen=True)
class _Container:
    """A LocalStack container."""

    kind: ClassVar[Kind] = "container"
    port: int
    id: str

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        return self._listed()

    def end(self) -> None:
        if self._listed("--all"):
            _docker("rm", "--force", "--volumes", self.id)

    def _listed(self, *options: str) -> bool:
        try:
            return bool(_docker("ps", "--quiet", "--filter", f"id={self.id}", *options))
        except _DockerError as error:
            raise LocalStackError(
                f"LocalStack was started in container {self.id[:12]}, but Docker says: {error}\n"
                "Start the Docker engine, or delete .local/localstack to forget the container."
            ) from error


_Server = _Process | _Container


@dataclass(frozen=True)
class _Stat:
    birth: str
    ended: bool


def _stat(pid: int) -> _Stat | None:
    """Return what tells a process from any other that ever had its pid; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name, in parentheses, may hold blanks; the fixed fields come after it.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return _Stat(birth=f"{boot}/{start_ticks}", ended=state in "ZX")


def _load(files: _Files) -> _Server | None:
    try:
        state = json.loads(files.state.read_text(encoding="utf-8"))
        kinds: dict[str, type[_Server]] = {"process": _Process, "container": _Container}
        return kinds[state.pop("kind")](**state)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalStackError(
            f"{files.state} can't be read ({error!r}). End the LocalStack that may still run, "
            f"then delete {files.run}."
        ) from error


def _save(files: _Files, server: _Server) -> None:
    written = files.state.with_suffix(".new")
    written.write_text(json.dumps({"kind": server.kind, **asdict(server)}), encoding="utf-8")
    written.replace(files.state)


def _clear(files: _Files) -> bool:
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


def _start(files: _Files, progress: Progress) -> _Server:
    files.run.mkdir(parents=True)
    if _docker_answers():
        progress(f"Starting LocalStack in a container ({IMAGE}, fetched the first time)")
        try:
            return _await_ready(files, _start_container())
        except _DockerError as error:
            # An engine that can't fetch the image is no reason to give up.
            progress(f"Docker could not: {error}")
    python = _venv(files, progress)
    progress("Starting LocalStack")
    return _await_ready(files, _start_process(files, python))


def _start_process(files: _Files, python: Path) -> _Process:
    port = _free_port()
    for name in ("home", "tmp"):
        (files.data / name).mkdir(parents=True)
    # posix_spawn rather than Popen: the process outlives this one, with nobody to wait for it.
    pid = os.posix_spawn(
        python,
        # -P: what lies in the current folder must not be imported.
        [str(python), "-P", "-m", "localstack.runtime.main"],
        _process_environment(port, files.data),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(files.log), os.O_WRONLY | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    stat = _stat(pid)
    return _Process(port, pid, stat.birth if stat else "")


def _process_environment(port: int, data: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's but the PATH."""
    home = data / "home"
    return _settings(port) | {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        # The default server listens on every address, whatever GATEWAY_LISTEN says.
        "GATEWAY_SERVER": "hypercorn",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "DNS_ADDRESS": "0",
        # Inside a container of somebody's it would take all of the file system for its own, and
        # not heed FILESYSTEM_ROOT.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(data),
        "HOME": str(home),
        # Python heeds TMP as it does TMPDIR, which LocalStack warns about.
        "TMP": str(data / "tmp"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
    }


def _settings(port: int) -> dict[str, str]:
    """Return the settings of LocalStack's that a process and a container share."""
    return {
        # Else queue URLs are below localhost.localstack.cloud, which needs the public DNS, and
        # the SNS certificate's URL too. "off" gives http://127.0.0.1:port/account/queue.
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "SQS_ENDPOINT_STRATEGY": "off",
        # Nothing goes to or comes from the outside.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }


def _await_ready(files: _Files, server: _Server) -> _Server:
    _save(files, server)
    try:
        _wait(lambda: answers(server.endpoint) or not server.alive(), _READY_SECONDS)
        _check_ready(files, server)
    except BaseException:  # an interrupt too must leave nothing behind
        server.end()
        files.state.unlink()
        raise
    return server


def _check_ready(files: _Files, server: _Server) -> None:
    if not server.alive():
        raise LocalStackError(f"LocalStack ended while it started. {_log_end(files, server)}")
    if not answers(server.endpoint):
        raise LocalStackError(
            f"LocalStack did not answer at {server.endpoint} within {_READY_SECONDS:.0f} s. "
            f"{_log_end(files, server)}"
        )


def _log_end(files: _Files, server: _Server) -> str:
    if isinstance(server, _Container):
        return f"The end of its log:\n{_tail(_docker('logs', '--tail', '15', server.id))}"
    text = files.log.read_text(encoding="utf-8", errors="replace")
    return f"The end of its log ({files.log}):\n{_tail(text)}"


def answers(endpoint: str) -> bool:
    """Whether a LocalStack answers at the endpoint."""
    # No proxy: a system-wide one can't reach our loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_localstack/health", timeout=5) as response:
            return "services" in json.load(response)
    except (OSError, ValueError, HTTPException):
        return False


# --- A container --------------------------------------------------------------------------------


class _DockerError(LocalStackError):
    """The docker command failed; these are its words."""


def _start_container() -> _Container:
    port = _free_port()
    settings = [f"--env={name}={value}" for name, value in _settings(port).items()]
    # No --rm: the log of a container that ends at once would go with it.
    said = _docker("run", "--detach", f"--publish=127.0.0.1:{port}:4566", *settings, IMAGE)
    return _Container(port, id=said.splitlines()[-1])


def _docker_answers() -> bool:
    """Whether there is a Docker engine on this machine: another's ports are not on our loopback."""
    try:
        version = _docker("info", "--format", "{{.ServerVersion}}", timeout=5)
        host = _docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", timeout=5)
    except _DockerError:
        return False
    return bool(version) and host.splitlines()[-1].startswith("unix://")


def _docker(*arguments: str, timeout: float | None = None) -> str:
    """Run the docker command and return what it said, on both streams."""
    try:
        run = subprocess.run(
            ["docker", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=True,
        )
    except FileNotFoundError as error:
        raise _DockerError("there is no docker command on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise _DockerError(f"no answer within {timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise _DockerError(_tail(error.stdout)) from error
    return run.stdout.strip()


# --- The Python package -------------------------------------------------------------------------


def _venv(files: _Files, progress: Progress) -> Path:
    """Return the Python that has LocalStack, which is installed once for each set of versions."""
    python = files.venv / "bin/python"
    # Written last, so that a half-made environment has none.
    stamp = files.venv / "requirements.sha256"
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return python
    _check_machine()
    progress("Installing LocalStack from PyPI (once; it takes a minute or two)")
    if files.venv.exists():
        shutil.rmtree(files.venv)
    _install(
        files,
        [sys.executable, "-m", "venv", str(files.venv)],
        f"Install what is missing (on Debian and Ubuntu: apt install python3-venv), {_OTHER_WAYS}.",
    )
    pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
    _install(
        files,
        [*pip, "--requirement", str(_REQUIREMENTS)],
        f"Check the way to the package index (pip config list) and try again, {_OTHER_WAYS}.",
    )
    stamp.write_text(wanted, encoding="ascii")
    return python


def _check_machine() -> None:
    oldest, newest = (".".join(map(str, version)) for version in _PYTHONS)
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        raise LocalStackError(
            f"LocalStack's package needs Python {oldest} to {newest}, and this is "
            f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}). Run this with one "
            f"of those, {_OTHER_WAYS}."
        )
    if sys.platform != "linux":
        raise LocalStackError(
            f"LocalStack's package is run on Linux only, and this is {sys.platform}. Start a "
            f"Docker engine, or set {ENDPOINT_VARIABLE} to a LocalStack that runs."
        )


def _install(files: _Files, command: list[str], advice: str) -> None:
    # PYTHON* are about the Python that runs this; PIP_* may hold the user's index.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PIP_CACHE_DIR": str(files.pip_cache), "PIP_USER": "0"}
    run = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if run.returncode != 0:
        raise LocalStackError(f"`{' '.join(command)}` failed:\n{_tail(run.stdout)}\n{advice}")


# --- Small tools --------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(files: _Files, progress: Progress) -> Iterator[None]:
    """Let one run at a time start or stop; the lock goes with the process, however it ends."""
    files.local.mkdir(parents=True, exist_ok=True)
    with files.lock.open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Waiting for another run that starts or stops LocalStack")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until the condition holds, at most so long."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])


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
