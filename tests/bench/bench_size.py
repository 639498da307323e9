"""What an event takes on the disk: bytes of each table, and of PostgreSQL's log (WAL); and its CPU.

`python -m tests.bench.bench_size` records deliveries and bounces by the store as it is, in batches
of 200: first one about each address, then as many about random ones, from right after a checkpoint
(when PostgreSQL logs each page that changes as a whole), and then as many once more without one.
"""

import argparse
import dataclasses
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import POSTGRESQL
from tests.databases.servers import running
from tests.support import AT, disposed, mail, said

BATCH = 200
# One mail in fifty bounces, docs/costs.md.
ONE_BOUNCE_IN = 50
# As it comes, but without checkpoints of its own.
SERVER = dataclasses.replace(
    POSTGRESQL, options=("--timezone=UTC", "--checkpoint_timeout=1d", "--max_wal_size=40GB")
)
TABLES = ("feedback_message", "feedback_event", "feedback_address")
_SIZES = {
    "postgresql": "SELECT pg_total_relation_size('{}')",
    "sqlite": "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN"
    " (SELECT name FROM sqlite_master WHERE tbl_name = '{}')",
}
_WAL = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"


def message(number: int, address: int) -> Decoded:
    """A delivery, or a bounce, to that address; each a second after the one before it."""
    scenario = Scenario.BOUNCE if number % ONE_BOUNCE_IN == 0 else Scenario.SUCCESS
    at = AT.timestamp() * 1000 + number * 1000
    mail_id = f"0100{int(at):012x}-{random.getrandbits(128):032x}-000000"
    return decode(json.dumps(said(scenario, mail(f"user{address}@example.com", mail_id))))


def batches(first: int, addresses: Sequence[int]) -> Iterator[list[Decoded]]:
    """Messages about these addresses in their order, by batches."""
    for start in range(0, len(addresses), BATCH):
        some = addresses[start : start + BATCH]
        yield [message(first + start + n, address) for n, address in enumerate(some)]


def sizes(engine: sa.Engine) -> dict[str, int]:
    """The bytes of each table with its indexes; and of the log, on PostgreSQL."""
    with engine.connect() as connection:

        def number(query: str) -> int:
            return int(connection.exec_driver_sql(query).scalar_one())

        size = _SIZES[engine.dialect.name]
        found = {name: number(size.format(name)) for name in TABLES}
        if engine.dialect.name == "postgresql":
            found["WAL"] = number(_WAL)
        return found


def server_seconds(engine: sa.Engine) -> float:
    """CPU seconds that PostgreSQL's processes have taken, also those that have ended."""
    with engine.connect() as connection:
        (backend,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
    postmaster = psutil.Process(backend).parent()
    assert postmaster
    processes = [postmaster, *postmaster.children()]
    ended = postmaster.cpu_times()
    now = sum(times.user + times.system for times in (one.cpu_times() for one in processes))
    return float(now + ended.children_user + ended.children_system)


def measure(engine: sa.Engine, events: int, console: Console) -> None:
    """Record three times as many events, and print what each takes."""
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    everyone = list(range(events))
    random.shuffle(everyone)
    table = Table(engine.dialect.name, *TABLES, "WAL", "CPU µs", title="bytes an event")
    on_server = engine.dialect.name == "postgresql"
    for number, (name, addresses) in enumerate(
        {
            "each address for the first time": everyone,
            "random addresses, after a checkpoint": random.choices(everyone, k=events),
            "random addresses, later": random.choices(everyone, k=events),
        }.items()
    ):
        if on_server and number == 1:
            with engine.connect() as connection:
                connection.exec_driver_sql("CHECKPOINT")
        before, seconds = sizes(engine), server_seconds(engine) if on_server else 0
        total = events // BATCH
        for batch in track(batches(number * events, addresses), name, total, console=console):
            store.record(batch, AT)
        after = sizes(engine)
        took = [f"{(after[key] - before[key]) / events:,.0f}" for key in before]
        if on_server:
            took.append(f"{(server_seconds(engine) - seconds) / events * 1e6:,.0f}")
        table.add_row(name, *took)
    console.print(table)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="of each third (100,000)")
    parser.add_argument("--without-sqlite", action="store_true", help="measure PostgreSQL alone")
    options = parser.parse_args()
    random.seed(1)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        if not options.without_sqlite:
            with disposed(open_database(f"sqlite:///{folder}/size.sqlite3")) as engine:
                measure(engine, options.events, console)
        with running(SERVER, Path(folder)) as url, disposed(open_database(url)) as engine:
            measure(engine, options.events, console)


if __name__ == "__main__":
    main()
