"""The real worker as a process, and the sender's own database that it writes to."""

import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

COMMAND = str(Path(sys.executable).with_name("sesbounce"))

_PATIENCE_SECONDS = 300
_LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A running worker process, and the file that it prints to."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def log(self) -> str:
        """The text that the worker has printed until now."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until the worker has brought the condition about."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(_LOOK_AGAIN_SECONDS)

    def says(self, text: str, times: int = 1) -> None:
        """Wait until the worker's log holds the text that many times."""
        self.until(lambda: self.log.count(text) >= times)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def heeds(self, number: int) -> bool:
        """Whether it has a handler for a signal by now, which would else just end it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end of the process."""
        self.process.kill()
        self.process.wait()

    def ends(self) -> int:
        """Wait for the end; return the exit code, which is minus the number of a signal."""
        return self.process.wait(_PATIENCE_SECONDS)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.ends()

    def children(self) -> list[int]:
        """The ids of the worker's child processes."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it has ended since then
                # Python starts one more child, the resource tracker.
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found


@dataclass(frozen=True)
class Worker:
    """A worker's environment, and its database with a table of the sender's own."""

    environment: Mapping[str, str]
    folder: Path

    @classmethod
    def make(
        cls,
        environment: Mapping[str, str],
        queue_url: str,
        folder: Path,
        *members: str,
        database_url: str | None = None,
    ) -> "Worker":
        """Make a worker on an SQLite database in the folder, or on another database."""
        database_url = database_url or f"sqlite:///{folder / 'sesbounce.sqlite3'}"
        own = {
            "SESBOUNCE_QUEUE_URL": queue_url,
            "SESBOUNCE_DATABASE_URL": database_url,
            "SESBOUNCE_STRIKE_OFF_SQL": (
                "UPDATE member SET mailable = 0, struck = struck + 1 WHERE lower(email) = :address"
            ),
            "SESBOUNCE_RESTORE_SQL": "UPDATE member SET mailable = 1 WHERE lower(email) = :address",
        }
        worker = cls({**environment, **own}, folder)
        worker.rows("CREATE TABLE member (email TEXT, mailable INTEGER, struck INTEGER)")
        for member in members:
            worker.rows(f"INSERT INTO member VALUES ('{member}', 1, 0)")
        return worker

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command of sesbounce to its end; return what it printed, logs included."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def drain(self) -> str:
        return self.run("run", "--until-empty")

    @contextmanager
    def running(self, *program: str, **environment: str) -> Iterator[Running]:
        """Run `sesbounce run`, or another program, in the background; kill it after the block."""
        with tempfile.NamedTemporaryFile(prefix="log-", dir=self.folder, delete=False) as output:
            process = subprocess.Popen(
                program or [COMMAND, "run"],
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Running(process, Path(output.name))
        finally:
            process.kill()
            process.wait()

    def rows(self, sql: str) -> list[Any]:
        """Run a statement without the worker's own code; return the rows of the answer."""
        url = self.environment["SESBOUNCE_DATABASE_URL"]
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            # SQLite has one writer at a time, who may be slow.
            connect_args={"timeout": _PATIENCE_SECONDS} if url.startswith("sqlite") else {},
        )
        with engine.connect() as connection:
            answer = connection.exec_driver_sql(sql)
            return [tuple(row) for row in answer] if answer.returns_rows else []

    @property
    def database(self) -> Path:
        """The file of the SQLite database."""
        return self.folder / "sesbounce.sqlite3"

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Lock the SQLite database, so that every other writer waits without end."""
        other = sqlite3.connect(self.database, _PATIENCE_SECONDS, isolation_level=None)
        with closing(other):
            other.execute("BEGIN IMMEDIATE")
            yield

    def members(self) -> dict[str, int]:
        return dict(self.rows("SELECT email, mailable FROM member"))


def gone(pids: Sequence[int]) -> None:
    """Wait until processes have ended that are no children of this one."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while alive := [pid for pid in pids if _is_alive(pid)]:
        assert time.monotonic() < deadline, alive
        time.sleep(_LOOK_AGAIN_SECONDS)


def _is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
