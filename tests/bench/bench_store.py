"""How fast batches are recorded, beside a bare insert of the same events in the same run.

A record is all that the worker does: the log, the merge, the verdict and the strike-off, in one
transaction. The bare insert writes the same events with `INSERT … ON CONFLICT DO NOTHING`, a
transaction a batch, through SQLAlchemy as one writes it. "Its writes" are the statements of the
record that write, with their rows ready made: what the database takes for them, whoever sends
them. The rounds of all three and of all batch sizes take turns. Both databases wait for the disk
at each commit.

With `--growth`: how fast batches of 200 are recorded in a SQLite database of millions of events
and addresses, beside one that begins empty; the addresses are any of the millions. A bare update
of one small column of as many rows says what finding and changing a row alone takes there, which
no design can save in which an address has a row that changes with each event about it.
"""

import argparse
import dataclasses
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import asdict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy.dialects import postgresql, sqlite

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database, write
from sesbounce.store.schema import event, metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.bench.growth import fill
from tests.databases.products import POSTGRESQL
from tests.databases.servers import running
from tests.support import AT, mail, said

SIZES = (1, 10, 100, 200, 500)
STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE email = :address"
MEMBERS = 10_000
GROWTH_BATCH = 200
GROWTH_MESSAGES = 10_000
# A change each time, of no other length.
_TOUCH = (
    "UPDATE feedback_address SET original = CASE original WHEN upper(original) "
    "THEN lower(original) ELSE upper(original) END WHERE address = ?"
)


class LoopSettings(NamedTuple):
    """How fast something went.

    Attributes:
        rate: messages a second.
        cpu: microseconds of this process's CPU time a message.
    """

    rate: float
    cpu: float


def message(recipient: str, number: int, at: datetime) -> Decoded:
    """A bounce of a mail of its own; one in five hard, the rest of full mailboxes."""
    scenario = Scenario.BOUNCE if number % 5 == 0 else Scenario.MAILBOX_FULL
    # SES's ids begin with the time.
    mail_id = f"0100{int(at.timestamp() * 1000):012x}-{random.getrandbits(128):032x}-000000"
    return decode(json.dumps(said(scenario, mail(recipient, mail_id), at=at)))


def messages(count: int, batch: int) -> list[Decoded]:
    """Bounces about different members."""
    begin = AT + timedelta(days=batch)
    return [
        message(f"{(n * 7919) % MEMBERS}@example.com", n, begin + timedelta(seconds=n))
        for n in range(count)
    ]


def batches(told: Sequence[Decoded], size: int) -> Iterator[Sequence[Decoded]]:
    """The messages in batches."""
    return (told[start : start + size] for start in range(0, len(told), size))


def emptied(engine: sa.Engine) -> None:
    """Begin each round with no events and all members mailable."""
    # PostgreSQL would keep what is deleted until it is vacuumed.
    empty = "TRUNCATE" if engine.dialect.name == "postgresql" else "DELETE FROM"
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"{empty} {table.name}")
        connection.exec_driver_sql("UPDATE member SET mailable = 1")


def timed(work: Callable[[], None], count: int) -> LoopSettings:
    """Measure work on that many messages."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return LoopSettings(count / seconds, cpu / count * 1e6)


def record(engine: sa.Engine, told: Sequence[Decoded], size: int) -> None:
    """The worker's way."""
    store = Store(engine, Policy(), StrikeOff(STRIKE_OFF))
    for batch in batches(told, size):
        store.record(batch, AT)


def insert(engine: sa.Engine, told: Sequence[Decoded], size: int) -> None:
    """A bare insert of the same events."""
    dialect = sqlite if engine.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(event).on_conflict_do_nothing(index_elements=["dedupe_key"])
    for batch in batches(told, size):
        rows: list[dict[str, Any]] = [
            {name: value for name, value in asdict(event).items() if name != "attribution"}
            | asdict(event.attribution)
            | {"message_digest": one.message.digest if one.message else "", "recorded_at": AT}
            for one in batch
            for event in one.events
        ]
        with write(engine) as connection:
            connection.execute(statement, rows)


def writes(engine: sa.Engine, told: Sequence[Decoded], size: int) -> Callable[[], None]:
    """Record, and tell how to have the database write the same again, and nothing else."""
    transactions: list[list[tuple[str, Any]]] = []

    def begun(_connection: sa.Connection) -> None:
        transactions.append([])

    def executed(_connection: object, _cursor: object, sql: str, rows: Any, *_: object) -> None:
        if sql.startswith(("INSERT", "UPDATE")):
            transactions[-1].append((sql, rows))

    def again() -> None:
        for statements in transactions:
            with write(engine) as connection:
                for sql, rows in statements:
                    connection.exec_driver_sql(sql, rows)

    listeners = (("begin", begun), ("before_cursor_execute", executed))
    for name, listener in listeners:
        sa.event.listen(engine, name, listener)
    record(engine, told, size)
    for name, listener in listeners:
        sa.event.remove(engine, name, listener)
    return again


def touch(engine: sa.Engine, keys: Sequence[str]) -> None:
    """Change the rows of addresses in one column, which no index has: nothing else."""
    for start in range(0, len(keys), GROWTH_BATCH):
        some = sorted(set(keys[start : start + GROWTH_BATCH]))
        with write(engine) as connection:
            connection.exec_driver_sql(_TOUCH, [(key,) for key in some])


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
    recorded: dict[int, list[LoopSettings]] = {size: [] for size in SIZES}
    inserted: dict[int, list[LoopSettings]] = {size: [] for size in SIZES}
    written: dict[int, list[LoopSettings]] = {size: [] for size in SIZES}
    for number in track(range(rounds), description=name, console=console):
        for size in SIZES:
            told = messages(max(200, size * 4), number)
            for way, paces in ((record, recorded), (insert, inserted)):
                emptied(engine)
                pace = timed(lambda: way(engine, told, size), len(told))  # noqa: B023  runs now
                paces[size].append(pace)
            emptied(engine)
            again = writes(engine, told, size)
            emptied(engine)
            written[size].append(timed(again, len(told)))
    table = Table(title=f"{name}: messages a second, medians of {rounds} rounds")
    for heading in ("batch", "recorded", "bare insert", "ratio", "x its own batch of 1"):
        table.add_column(heading, justify="right")
    for heading in ("CPU µs", "its writes, CPU µs"):
        table.add_column(heading, justify="right")
    single = median(pace.rate for pace in recorded[1])
    for size in SIZES:
        ours, bare = (median(pace.rate for pace in paces[size]) for paces in (recorded, inserted))
        ratio = median(a.rate / b.rate for a, b in zip(recorded[size], inserted[size], strict=True))
        cpu, least = (median(pace.cpu for pace in paces[size]) for paces in (recorded, written))
        cells = (f"{ours:,.0f}", f"{bare:,.0f}", f"{ratio:.2f}", f"{ours / single:.1f}")
        table.add_row(str(size), *cells, f"{cpu:,.0f}", f"{least:,.0f}")
    console.print(table)


def median(values: Iterator[float]) -> float:
    """Of the rounds."""
    return statistics.median(values)


@contextmanager
def postgresql_url() -> Iterator[str]:
    """A server of its own that waits for the disk at each commit, as users run it."""
    durable = dataclasses.replace(POSTGRESQL, options=("--timezone=UTC",))
    with tempfile.TemporaryDirectory() as folder:
        # The server runs as a user of its own where root runs this.
        Path(folder).chmod(0o755)
        with running(durable, Path(folder)) as url:
            yield url


def growth(events: int, addresses: int, rounds: int, console: Console) -> None:
    """Measure and print what a large database costs."""
    paces: list[tuple[LoopSettings, LoopSettings, LoopSettings]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.sqlite3"
        engine = prepare(f"sqlite:///{path}")
        record(engine, messages(1000, 0), GROWTH_BATCH)
        engine.dispose()
        fill(path, events, addresses)
        console.print(
            f"{events:,} events, {addresses:,} addresses: {path.stat().st_size / 1e9:.1f} GB"
        )
        large = open_database(f"sqlite:///{path}")
        for number in track(range(rounds), description="growth", console=console):
            told = scattered(addresses, number)
            with tempfile.TemporaryDirectory() as fresh:
                empty = prepare(f"sqlite:///{fresh}/empty.sqlite3")
                small = timed(lambda: record(empty, told, GROWTH_BATCH), len(told))  # noqa: B023
                empty.dispose()
            grown = timed(lambda: record(large, told, GROWTH_BATCH), len(told))  # noqa: B023
            keys = [somebody(addresses) for _ in told]
            bare = timed(lambda: touch(large, keys), len(told))  # noqa: B023
            paces.append((small, grown, bare))
        large.dispose()
    table = Table(title=f"SQLite, batches of {GROWTH_BATCH}, medians of {rounds} rounds")
    for heading in ("database", "messages/s", "CPU µs"):
        table.add_column(heading, justify="right")
    for place, name in enumerate(("empty", "large", "large, bare update of a row")):
        rate, cpu = (median(round_[place][n] for round_ in paces) for n in (0, 1))
        table.add_row(name, f"{rate:,.0f}", f"{cpu:,.0f}")
    rate, cpu = (median(large[n] / small[n] for small, large, _ in paces) for n in (0, 1))
    table.add_row("large/empty", f"{rate:.2f}", f"{cpu:.2f}")
    most = median(bare.rate / (bare.rate + small.rate) for small, _, bare in paces)
    table.add_row("if a event took no more than both", f"{most:.2f}", "")
    console.print(table)


def scattered(addresses: int, number: int) -> list[Decoded]:
    """Bounces about any of the addresses, after all that is there."""
    begin = AT + timedelta(days=1 + number)
    return [
        message(somebody(addresses), n, begin + timedelta(seconds=n))
        for n in range(GROWTH_MESSAGES)
    ]


def somebody(addresses: int) -> str:
    """Any of the addresses."""
    return f"a{random.randrange(addresses)}@example.com"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="needs 8 GB in the temporary folder")
    parser.add_argument("--events", type=int, default=10_000_000, help="of --growth")
    parser.add_argument("--addresses", type=int, default=2_000_000, help="of --growth")
    options = parser.parse_args()
    console = Console()
    if options.growth:
        growth(options.events, options.addresses, options.rounds, console)
        return
    with tempfile.TemporaryDirectory() as folder:
        engine = prepare(f"sqlite:///{folder}/bench.sqlite3")
        messages(200, 0)
        gc.freeze()  # as `sesbounce run` does
        measure("SQLite", engine, options.rounds, console)
        engine.dispose()
    with postgresql_url() as url:
        engine = prepare(url)
        measure("PostgreSQL", engine, options.rounds, console)
        engine.dispose()


if __name__ == "__main__":
    main()
