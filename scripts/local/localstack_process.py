"""A LocalStack process: its Python package, started from an environment of its own."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from scripts.local.localstack_shared import Files, Kind, settings, tail, wait
from scripts.ports import free_port

_STOP_SECONDS = 10.0
_CLOCK_SECONDS = 1.5


@dataclass(frozen=True)
class Process:
    """A LocalStack process, known by its pid and its start: a pid alone may be another's by now."""

    kind: ClassVar[Kind] = "process"
    port: int
    pid: int
    started: float
    """Seconds from the boot of the machine; see `started`."""

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Whether the process runs."""
        now = started(self.pid)
        return now is not None and abs(now - self.started) < _CLOCK_SECONDS

    def end(self) -> None:
        """End the process with its children, by force if it takes too long."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive():
                return
            # It leads a process group of its own, so its children go with it.
            os.killpg(self.pid, number)
            wait(lambda: not self.alive(), _STOP_SECONDS)

    def log_end(self, files: Files) -> str:
        """Return the end of its log, for an error message."""
        text = files.log.read_text(encoding="utf-8", errors="replace")
        return f"The end of its log ({files.log}):\n{tail(text)}"


def started(pid: int) -> float | None:
    """Return when a process started, in seconds from the boot; None if it has ended.

    The time of day would change with the clock, and psutil tells the boot by whole seconds of it.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            with contextlib.suppress(ChildProcessError):  # another run's child is not ours to reap
                os.waitpid(pid, os.WNOHANG)
            return None
        return process.create_time() - psutil.boot_time()
    except psutil.NoSuchProcess:
        return None


def start(files: Files, python: Path) -> Process:
    """Start the package's server, which outlives this process."""
    port = free_port()
    for name in ("home", "tmp"):
        (files.data / name).mkdir(parents=True)
    # posix_spawn rather than Popen: the process outlives this one, with nobody to wait for it.
    pid = os.posix_spawn(
        python,
        # -P: what lies in the current folder must not be imported.
        [str(python), "-P", "-m", "localstack.runtime.main"],
        environment(port, files.data),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(files.log), os.O_WRONLY | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process(port, pid, started(pid) or 0.0)


def environment(port: int, data: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's but the PATH."""
    home = data / "home"
    return settings(port) | {
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
