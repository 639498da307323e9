"""The real worker as a process, and the sender's own database that it writes to."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("sesbounce"))


@dataclass(frozen=True)
class Worker:
    """A worker's environment, and its database with a table of the sender's own."""

    environment: Mapping[str, str]
    database: Path

    @classmethod
    def make(
        cls, environment: Mapping[str, str], queue_url: str, folder: Path, *members: str
    ) -> "Worker":
        database = folder / "sesbounce.sqlite3"
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE member (email TEXT, mailable INTEGER, struck INTEGER)")
            connection.executemany(
                "INSERT INTO member VALUES (?, 1, 0)", [(member,) for member in members]
            )
        own = {
            "SESBOUNCE_QUEUE_URL": queue_url,
            "SESBOUNCE_DATABASE_URL": f"sqlite:///{database}",
            "SESBOUNCE_STRIKE_OFF_SQL": (
                "UPDATE member SET mailable = 0, struck = struck + 1 WHERE lower(email) = :address"
            ),
            "SESBOUNCE_RESTORE_SQL": "UPDATE member SET mailable = 1 WHERE lower(email) = :address",
        }
        return cls({**environment, **own}, database)

    def run(self, *arguments: str) -> str:
        """Run a command of sesbounce to its end; what it printed, logs included."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def drain(self) -> str:
        return self.run("run", "--until-empty")

    @contextmanager
    def running(self, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """`sesbounce run` in the background; killed if it outlives the test."""
        process = subprocess.Popen(
            [COMMAND, "run"],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql).fetchall()

    def members(self) -> dict[str, int]:
        return dict(self.rows("SELECT email, mailable FROM member"))


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL: nothing of the process runs any more."""
    os.kill(process.pid, 9)
    process.wait()
