"""How long `sesbounce serve` takes to answer, with many addresses in its database.

A server process on SQLite, and a client on the same machine with one connection, which asks about
addresses at random, of which every second one has a row: wall-clock time at the client, and CPU
time of the server.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from rich.table import Table

from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope, Token
from tests.bench.addresses import fill, member
from tests.ports import LOOPBACK, free_port
from tests.support import AT, disposed, until

SERVE = [sys.executable, "-c", "from sesbounce.__main__ import main; main()", "serve"]
SECRET = "a secret that the server and its client know"
AT_ONCE = 10_000
SEED = 16
_TICKS = os.sysconf("SC_CLK_TCK")


class Answered(NamedTuple):
    """How long answers took.

    Attributes:
        name: the request.
        seconds: the wall-clock time of each answer, sorted.
        cpu: the CPU time of the server for one answer, in seconds.
    """

    name: str
    seconds: list[float]
    cpu: float

    def percentile(self, percent: int) -> float:
        """The milliseconds within which so many of a hundred answers came."""
        return self.seconds[(len(self.seconds) - 1) * percent // 100] * 1000


@contextmanager
def serving(
    url: str, token: str, folder: Path, *options: str
) -> Iterator[tuple[httpx.Client, int]]:
    """Run the server with some options; yields a client, and the id of the process."""
    port = free_port()
    environment = {
        **os.environ,
        "SESBOUNCE_DATABASE_URL": url,
        "SESBOUNCE_SERVE_PORT": str(port),
        "SESBOUNCE_SERVE_RATE": "1000000",
        "SESBOUNCE_SERVE_SECRET": SECRET,
    }
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([*SERVE, *options], env=environment, stderr=stderr)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        until(lambda: process.poll() is not None or b"serving" in log.read_bytes())
        with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", headers=headers) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait()


def answered(name: str, ask: Callable[[], httpx.Response], pid: int, times: int) -> Answered:
    """Ask several times."""
    ask()
    seconds, before = [], _cpu_seconds(pid)
    for _ in range(times):
        began = time.perf_counter()
        response = ask()
        seconds.append(time.perf_counter() - began)
        if response.is_error:
            response.raise_for_status()
    return Answered(name, sorted(seconds), (_cpu_seconds(pid) - before) / times)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measured(addresses: int) -> list[Answered]:
    """Fill a database, and ask a server about it."""
    chance = random.Random(SEED)

    def one() -> str:
        return member(chance.randrange(2 * addresses))

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'sesbounce.sqlite3')}"
        with disposed(open_database(url)) as engine:
            fill(engine, addresses)
            made = Token(name="bench", scopes=(Scope.CHECK,), created_at=AT, created_by="bench")
            token = tokens.create(engine, made)
        with serving(url, token, Path(folder)) as (client, pid):

            def check(number: int) -> Callable[[], httpx.Response]:
                bodies = [{"addresses": [one() for _ in range(number)]} for _ in range(20)]
                return lambda: client.post("/v1/check", json=chance.choice(bodies), timeout=60)

            return [
                answered(
                    "GET /v1/suppressions/{address}",
                    lambda: client.get(f"/v1/suppressions/{one()}"),
                    pid,
                    1000,
                ),
                answered("POST /v1/check, one address", check(1), pid, 1000),
                answered(f"POST /v1/check, {AT_ONCE:,} addresses", check(AT_ONCE), pid, 50),
            ]


def table(addresses: int) -> Table:
    """Measure, and show the times."""
    answers = measured(addresses)
    printed = Table(title=f"sesbounce serve, {addresses:,} addresses in SQLite; milliseconds")
    printed.add_column("request")
    for column in ("median", "p95", "p99", "CPU"):
        printed.add_column(column, justify="right")
    for one in answers:
        times = (one.percentile(50), one.percentile(95), one.percentile(99), one.cpu * 1000)
        printed.add_row(one.name, *(f"{value:.1f}" for value in times))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    printed.caption = f"the largest process that was started: {memory} MB"
    return printed
