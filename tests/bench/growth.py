"""How fast batches of 200 are recorded in a database of millions of events and addresses.

They take turns with batches in a database that begins empty, on the same server; the addresses are
any of the millions. A bare update of one small column of as many rows says what finding and
changing a row alone takes there, which no design can save in which an address has a row that
changes with each event about it.

Then each operation runs once in the large database; see `tests.bench.operations`.

PostgreSQL waits for the disk at each commit, as users run it. Its buffers take 2 GB, which is what
RDS gives them on a machine of 8 GB, and hold the table of addresses and the indexes by address from
the beginning. They are in huge pages, as on RDS, if this machine's kernel gives this user such
pages (on Linux: root), until the end of the measurement. Its log has the settings that
docs/database.md advises, or with `--log rds` those of RDS. The first round begins right after a
checkpoint, when nearly every change is the first one of its page, which goes to the log as a whole.
More events come before each further round, so that the rounds are spread over the time between two
checkpoints.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sesbounce.feedback.decode import Decoded
from sesbounce.store.engine import open_database, write
from tests.bench.fill import SPAN, Life, add, fill
from tests.bench.operations import operations
from tests.bench.recording import Speed, median, message, postgresql_url, prepare, record, timed
from tests.databases.servers import empty_database
from tests.support import AT

DATABASES = ("sqlite", "postgresql")
BATCH = 200
MESSAGES = 10_000
MODELS = 1000
BETWEEN_ROUNDS = 100_000
_BUFFERS = "--shared_buffers=2GB"
# https://docs.kernel.org/admin-guide/mm/hugetlbpage.html: how many pages of 2 MB the kernel keeps.
_HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")
# 2 GB of buffers, and a sixth more for the rest of the memory that the server's processes share.
_NUMBER_OF_HUGE_PAGES = 1200
# The default parameter groups of RDS leave the other settings of the log as they are.
LOGS = {
    "advised": ("--max_wal_size=8GB", "--checkpoint_timeout=15min", "--wal_compression=lz4"),
    "rds": ("--max_wal_size=2GB",),
}
_IN_MEMORY = ("feedback_address", "pk_feedback_address", "ix_feedback_event_address")
# A change each time, of no other length.
_TOUCH = (
    "UPDATE feedback_address SET original = CASE original WHEN upper(original) "
    "THEN lower(original) ELSE upper(original) END WHERE address = :address"
)


class Size(NamedTuple):
    """How many events and addresses the large database is filled with."""

    events: int
    addresses: int


class _Server(NamedTuple):
    """What PostgreSQL has used; nothing on SQLite.

    Attributes:
        cpu: microseconds of CPU time of the process for our connection.
        log: bytes of its log.
        pages: whole pages in its log.
    """

    cpu: float = 0.0
    log: float = 0.0
    pages: float = 0.0


class _Measured(NamedTuple):
    """What recording messages takes.

    Attributes:
        speed: its rate, and the CPU time of this process.
        server: what the server has used for a message.
    """

    speed: Speed
    server: _Server


def growth(
    kind: str, size: Size, rounds: int, log: str, console: Console, *, huge_pages: bool
) -> None:
    """Measure and print what a large database of a kind costs."""
    title = f"{kind}: {size.events:,} events, {size.addresses:,} addresses"
    with ExitStack() as stack:
        options = LOGS[log]
        if kind == "postgresql":
            given = huge_pages and stack.enter_context(_given_huge_pages())
            options = (*options, f"--huge_pages={'on' if given else 'off'}")
            title += f", {'with' if given else 'without'} huge pages"
        new = stack.enter_context(_databases(kind, *options))
        large = _filled(new(), size)
        console.print(f"{title}: {_bytes(large) / 1e9:.1f} GB")
        measured: list[tuple[_Measured, ...]] = []
        for number in track(range(rounds), description="recording", console=console):
            added = number * BETWEEN_ROUNDS
            if added and kind == "postgresql":
                with write(large) as connection:
                    first = size.events + added - BETWEEN_ROUNDS
                    add(connection, Life(*size), first, BETWEEN_ROUNDS)
            told = scattered(size.addresses, AT + timedelta(days=1) + SPAN * (added / size.events))
            empty = prepare(new())
            keys = [somebody(size.addresses) for _ in told]
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


def _filled(url: str, size: Size) -> sa.Engine:
    """A database filled with that many, with what lies at random places in memory."""
    engine = prepare(url)
    models = [message(f"{n}@example.com", n, AT - SPAN * (1 - n / MODELS)) for n in range(MODELS)]
    record(engine, models, BATCH)
    engine.dispose()
    fill(url, Life(*size))
    engine = open_database(url)
    if engine.dialect.name == "postgresql":
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE EXTENSION pg_prewarm")
            for name in _IN_MEMORY:
                connection.execute(sa.select(sa.func.pg_prewarm(name)))
    return engine


@contextmanager
def _given_huge_pages() -> Iterator[bool]:
    """Let the kernel keep huge pages for the buffers; yields whether it does."""
    try:
        before = _HUGE_PAGES.read_text(encoding="ascii")
        _HUGE_PAGES.write_text(f"{int(before) + _NUMBER_OF_HUGE_PAGES}", encoding="ascii")
    except OSError:  # not Linux, or another user than root
        yield False
        return
    try:
        # It keeps fewer where it does not find as many.
        kept = int(_HUGE_PAGES.read_text(encoding="ascii"))
        yield kept >= int(before) + _NUMBER_OF_HUGE_PAGES
    finally:
        _HUGE_PAGES.write_text(before, encoding="ascii")


@contextmanager
def _databases(kind: str, *options: str) -> Iterator[Callable[[], str]]:
    """A function that returns the URL of an empty database each time, on one server."""
    with ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield lambda: f"sqlite:///{tempfile.mkdtemp(dir=folder)}/events.sqlite3"
            return
        url = stack.enter_context(postgresql_url(_BUFFERS, *options))
        yield lambda: stack.enter_context(empty_database(url))


def _measure(engine: sa.Engine, work: Callable[[], None]) -> _Measured:
    """Measure work on the messages of a round, for which the engine needs one connection."""
    before = _used(engine)
    speed = timed(work, MESSAGES)
    used = zip(_used(engine), before, strict=True)
    return _Measured(speed, _Server(*((new - old) / MESSAGES for new, old in used)))


def _used(engine: sa.Engine) -> _Server:
    """What the server has used by now, with all that the process for our connection has."""
    if engine.dialect.name == "sqlite":
        return _Server()
    with engine.connect() as connection:
        # By itself the process reports to pg_stat_wal once a second.
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    with engine.connect() as connection:
        process, log, pages = connection.exec_driver_sql(
            "SELECT pg_backend_pid(), pg_current_wal_insert_lsn() - '0/0'::pg_lsn, wal_fpi"
            " FROM pg_stat_wal"
        ).one()
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold blanks.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    seconds = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return _Server(seconds * 1e6, float(log), float(pages))


def _bytes(engine: sa.Engine) -> int:
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
    headings = ("messages/s", "CPU µs", "server's CPU µs", "log, bytes", "whole pages")
    table.add_column("database", justify="right")
    for heading in headings if kind == "postgresql" else headings[:2]:
        table.add_column(heading, justify="right")
    empty, large, bare = zip(*measured, strict=True)
    table.add_row("empty", *_cells(empty))
    table.add_row("large", *_cells(large))
    table.add_row("large, bare update of a row", *_cells(bare))
    rates = [one.speed.rate / other.speed.rate for one, other in zip(large, empty, strict=True)]
    for number, (rate, turn) in enumerate(zip(rates, large, strict=True), 1):
        table.add_row(f"{rate:.2f} of empty in round {number}", *_cells([turn]))
    cpu = median(_cpu(one) / _cpu(other) for one, other in zip(large, empty, strict=True))
    table.add_row("large/empty", f"{median(rates):.2f}", f"{cpu:.2f} (both)")
    most = median(
        bare.speed.rate / (bare.speed.rate + empty.speed.rate) for empty, _, bare in measured
    )
    table.add_row("if an event took no more than empty and bare", f"{most:.2f}")
    return table


def _cpu(one: _Measured) -> float:
    """The CPU time of this process and the server's together."""
    return one.speed.cpu + one.server.cpu


def _cells(turns: Sequence[_Measured]) -> list[str]:
    """The medians of some rounds, without those of PostgreSQL on SQLite."""
    cells = [f"{median(one.speed[n] for one in turns):,.0f}" for n in (0, 1)]
    cpu, log, pages = (median(one.server[n] for one in turns) for n in (0, 1, 2))
    return [*cells, f"{cpu:,.0f}", f"{log:,.0f}", f"{pages:.2f}"] if log else cells


def scattered(addresses: int, begin: datetime) -> list[Decoded]:
    """Bounces about any of the addresses, one a second from a time on."""
    return [message(somebody(addresses), n, begin + timedelta(seconds=n)) for n in range(MESSAGES)]


def somebody(addresses: int) -> str:
    """Any of the addresses."""
    return f"a{random.randrange(addresses)}@example.com"
