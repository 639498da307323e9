"""How fast batches of 200 are recorded in a database of millions of events and addresses.

They take turns with batches in a database that begins empty, on the same server; the addresses are
any of the millions. A bare update of one small column of as many rows says what finding and
changing a row alone takes there, which no design can save in which an address has a row that
changes with each event about it.

Then each operation runs once in the large database; see `tests.bench.operations`.

PostgreSQL waits for the disk at each commit, as users run it. Its buffers take 2 GB, which is what
RDS gives them on a machine of 8 GB, and its log has the settings that docs/database.md advises.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sesbounce.feedback.decode import Decoded
from sesbounce.store.engine import open_database, write
from tests.bench.fill import SPAN, fill
from tests.bench.operations import operations
from tests.bench.recording import Speed, median, message, postgresql_url, prepare, record, timed
from tests.databases.servers import empty_database
from tests.support import AT

DATABASES = ("sqlite", "postgresql")
BATCH = 200
MESSAGES = 10_000
MODELS = 1000
_SERVER = ("--shared_buffers=2GB", "--max_wal_size=8GB", "--wal_compression=lz4")
# A change each time, of no other length.
_TOUCH = (
    "UPDATE feedback_address SET original = CASE original WHEN upper(original) "
    "THEN lower(original) ELSE upper(original) END WHERE address = :address"
)


class _Measured(NamedTuple):
    """What recording messages takes.

    Attributes:
        speed: its rate, and the CPU time of this process.
        server: microseconds of the server's CPU time a message; 0 on SQLite.
    """

    speed: Speed
    server: float


def growth(kind: str, events: int, addresses: int, rounds: int, console: Console) -> None:
    """Measure and print what a large database of a kind costs."""
    with _databases(kind) as new:
        large = _filled(new(), events, addresses)
        size = f"{_size(large) / 1e9:.1f} GB"
        console.print(f"{kind}: {events:,} events, {addresses:,} addresses: {size}")
        measured: list[tuple[_Measured, ...]] = []
        for number in track(range(rounds), description="recording", console=console):
            told = scattered(addresses, number)
            empty = prepare(new())
            keys = [somebody(addresses) for _ in told]
            measured.append(
                (
                    _measure(empty, lambda: record(empty, told, BATCH)),  # noqa: B023  runs now
                    _measure(large, lambda: record(large, told, BATCH)),  # noqa: B023
                    _measure(large, lambda: _touch(large, keys)),  # noqa: B023
                )
            )
            empty.dispose()
        console.print(_table(kind, measured))
        console.print(operations(large))
        large.dispose()


def _filled(url: str, events: int, addresses: int) -> sa.Engine:
    """A database filled with that many."""
    engine = prepare(url)
    models = [message(f"{n}@example.com", n, AT - SPAN * (1 - n / MODELS)) for n in range(MODELS)]
    record(engine, models, BATCH)
    engine.dispose()
    fill(url, events, addresses)
    return open_database(url)


@contextmanager
def _databases(kind: str) -> Iterator[Callable[[], str]]:
    """A function that returns the URL of an empty database each time, on one server."""
    with ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield lambda: f"sqlite:///{tempfile.mkdtemp(dir=folder)}/events.sqlite3"
            return
        url = stack.enter_context(postgresql_url(*_SERVER))
        yield lambda: stack.enter_context(empty_database(url))


def _measure(engine: sa.Engine, work: Callable[[], None]) -> _Measured:
    """Measure work on the messages of a round, for which the engine needs one connection."""
    before = _server_seconds(engine)
    speed = timed(work, MESSAGES)
    return _Measured(speed, (_server_seconds(engine) - before) / MESSAGES * 1e6)


def _server_seconds(engine: sa.Engine) -> float:
    """The CPU time that the server's process for our connection has taken."""
    if engine.dialect.name == "sqlite":
        return 0.0
    with engine.connect() as connection:
        process = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold blanks.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _size(engine: sa.Engine) -> int:
    """How many bytes a database takes."""
    if engine.dialect.name == "sqlite":
        return Path(engine.url.database or "").stat().st_size
    with engine.connect() as connection:
        return connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0


def _touch(engine: sa.Engine, keys: Sequence[str]) -> None:
    """Change the rows of addresses in one column, which no index has: nothing else."""
    statement = sa.text(_TOUCH)
    for start in range(0, len(keys), BATCH):
        some = sorted(set(keys[start : start + BATCH]))
        with write(engine) as connection:
            connection.execute(statement, [{"address": key} for key in some])


def _table(kind: str, measured: Sequence[tuple[_Measured, ...]]) -> Table:
    table = Table(title=f"{kind}, batches of {BATCH}, medians of {len(measured)} rounds")
    for heading in ("database", "messages/s", "CPU µs", "server's CPU µs"):
        table.add_column(heading, justify="right")
    for place, name in enumerate(("empty", "large", "large, bare update of a row")):
        some = [turns[place] for turns in measured]
        rate, cpu = (median(one.speed[n] for one in some) for n in (0, 1))
        server = median(one.server for one in some)
        table.add_row(name, f"{rate:,.0f}", f"{cpu:,.0f}", f"{server:,.0f}" if server else "")
    rate, cpu = (
        median(large.speed[n] / empty.speed[n] for empty, large, _ in measured) for n in (0, 1)
    )
    table.add_row("large/empty", f"{rate:.2f}", f"{cpu:.2f}")
    most = median(
        bare.speed.rate / (bare.speed.rate + empty.speed.rate) for empty, _, bare in measured
    )
    table.add_row("if an event took no more than empty and bare", f"{most:.2f}")
    return table


def scattered(addresses: int, number: int) -> list[Decoded]:
    """Bounces about any of the addresses, after all that is there."""
    begin = AT + timedelta(days=1 + number)
    return [message(somebody(addresses), n, begin + timedelta(seconds=n)) for n in range(MESSAGES)]


def somebody(addresses: int) -> str:
    """Any of the addresses."""
    return f"a{random.randrange(addresses)}@example.com"
