"""How fast batches are recorded, beside a bare insert of the same events in the same run.

A record is all that the worker does: the log, the merge, the verdict and the strike-off, in one
transaction. The bare insert writes the same events with `INSERT … ON CONFLICT DO NOTHING`, a
transaction a batch. The rounds of both and of all batch sizes take turns.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy.dialects import postgresql, sqlite

from scripts.ses_messages import Scenario
from sesbounce.database import open_database, write
from sesbounce.decode import Decoded, decode
from sesbounce.policy import Policy
from sesbounce.schema import event, metadata
from sesbounce.store import Store
from sesbounce.strike_off import StrikeOff
from tests import databases
from tests.support import AT, mail, said

SIZES = (1, 10, 100, 500)
STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE email = :address"
MEMBERS = 10_000


def messages(count: int, batch: int) -> list[Decoded]:
    """Bounces of different mails; one in five hard, the rest of full mailboxes."""
    told = []
    for number in range(count):
        scenario = Scenario.BOUNCE if number % 5 == 0 else Scenario.MAILBOX_FULL
        about = mail(f"{(number * 7919) % MEMBERS}@example.com", f"m{batch}-{number}")
        at = AT + timedelta(seconds=number)
        told.append(decode(json.dumps(said(scenario, about, at=at))))
    return told


def batches(told: Sequence[Decoded], size: int) -> Iterator[Sequence[Decoded]]:
    """The messages in batches."""
    return (told[start : start + size] for start in range(0, len(told), size))


def emptied(engine: sa.Engine) -> None:
    """Begin each round with no facts and all members mailable."""
    with write(engine) as connection:
        # PostgreSQL would keep what is deleted until a vacuum comes.
        empty = "TRUNCATE" if engine.dialect.name == "postgresql" else "DELETE FROM"
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"{empty} {table.name}")
        connection.exec_driver_sql("UPDATE member SET mailable = 1")


def record(engine: sa.Engine, told: Sequence[Decoded], size: int) -> float:
    """Seconds that the worker's way takes."""
    store = Store(engine, Policy(), StrikeOff(STRIKE_OFF))
    began = time.perf_counter()
    for batch in batches(told, size):
        store.record(batch, AT)
    return time.perf_counter() - began


def insert(engine: sa.Engine, told: Sequence[Decoded], size: int) -> float:
    """Seconds that a bare insert of the same events takes."""
    dialect = sqlite if engine.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(event).on_conflict_do_nothing(index_elements=["dedupe_key"])
    began = time.perf_counter()
    for batch in batches(told, size):
        rows: list[dict[str, Any]] = [
            msgspec.structs.asdict(fact) | {"message_digest": message.digest, "recorded_at": AT}
            for message in batch
            for fact in message.feedback
        ]
        with write(engine) as connection:
            connection.execute(statement, rows)
    return time.perf_counter() - began


def prepare(url: str) -> sa.Engine:
    """A database with our tables and the sender's."""
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE member (email VARCHAR(320) PRIMARY KEY, mailable INTEGER)"
        )
        connection.execute(
            sa.text("INSERT INTO member VALUES (:email, 1)"),
            [{"email": f"{n}@example.com"} for n in range(MEMBERS)],
        )
    Store(engine, Policy(), StrikeOff(STRIKE_OFF)).prepare()
    return engine


def measure(name: str, engine: sa.Engine, rounds: int, console: Console) -> None:
    """Measure and print one kind of database."""
    recorded: dict[int, list[float]] = {size: [] for size in SIZES}
    inserted: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in track(range(rounds), description=name, console=console):
        for size in SIZES:
            told = messages(max(200, size * 4), number)
            emptied(engine)
            recorded[size].append(len(told) / record(engine, told, size))
            emptied(engine)
            inserted[size].append(len(told) / insert(engine, told, size))
    table = Table(title=f"{name}: messages a second, medians of {rounds} rounds")
    for heading in ("batch", "recorded", "bare insert", "ratio", "x its own batch of 1"):
        table.add_column(heading, justify="right")
    single = statistics.median(recorded[1])
    for size in SIZES:
        ours, bare = statistics.median(recorded[size]), statistics.median(inserted[size])
        pairs = zip(recorded[size], inserted[size], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        table.add_row(
            str(size), f"{ours:,.0f}", f"{bare:,.0f}", f"{ratio:.2f}", f"{ours / single:.1f}"
        )
    console.print(table)


@contextmanager
def postgresql_url() -> Iterator[str]:
    """A server of its own; it does not wait for the disk."""
    with tempfile.TemporaryDirectory() as folder:
        # The server runs as a user of its own where root runs this.
        Path(folder).chmod(0o755)
        with databases.postgresql(Path(folder)) as url:
            yield url


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        engine = prepare(f"sqlite:///{folder}/bench.sqlite3")
        measure("SQLite", engine, options.rounds, console)
        engine.dispose()
    with postgresql_url() as url:
        engine = prepare(url)
        measure("PostgreSQL", engine, options.rounds, console)
        engine.dispose()


if __name__ == "__main__":
    main()
