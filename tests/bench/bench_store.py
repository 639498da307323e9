"""How fast batches are recorded, beside a bare insert of the same events in the same run.

A record is all that the worker does: the log, the merge, the verdict and the strike-off, in one
transaction. The bare insert writes the same events with `INSERT … ON CONFLICT DO NOTHING`, a
transaction a batch, through SQLAlchemy as one writes it. "Its writes" are the statements of the
record that write, with their rows ready made: what the database takes for them, whoever sends
them. The rounds of all three and of all batch sizes take turns. Both databases wait for the disk
at each commit.

With `--growth`: the same in a database of millions of events and addresses; see
`tests.bench.growth`.
"""

import argparse
import gc
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy.dialects import postgresql, sqlite

from sesbounce.feedback.decode import Decoded
from sesbounce.store.engine import write
from sesbounce.store.schema import event, metadata
from tests.bench.growth import DATABASES, LOGS, Size, growth
from tests.bench.recording import (
    MEMBERS,
    Speed,
    batches,
    median,
    message,
    postgresql_url,
    prepare,
    record,
    timed,
)
from tests.support import AT

SIZES = (1, 10, 100, 200, 500)


def messages(count: int, batch: int) -> list[Decoded]:
    """Bounces about different members."""
    begin = AT + timedelta(days=batch)
    return [
        message(f"{(n * 7919) % MEMBERS}@example.com", n, begin + timedelta(seconds=n))
        for n in range(count)
    ]


def emptied(engine: sa.Engine) -> None:
    """Begin each round with no events and all members mailable."""
    # PostgreSQL would keep what is deleted until it is vacuumed.
    empty = "TRUNCATE" if engine.dialect.name == "postgresql" else "DELETE FROM"
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"{empty} {table.name}")
        connection.exec_driver_sql("UPDATE member SET mailable = 1")


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


def measure(name: str, engine: sa.Engine, rounds: int, console: Console) -> None:
    """Measure and print one kind of database."""
    recorded: dict[int, list[Speed]] = {size: [] for size in SIZES}
    inserted: dict[int, list[Speed]] = {size: [] for size in SIZES}
    written: dict[int, list[Speed]] = {size: [] for size in SIZES}
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


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="needs 12 GB of temporary files")
    parser.add_argument("--database", choices=DATABASES, help="of --growth; by default both")
    parser.add_argument("--events", type=int, default=10_000_000, help="of --growth")
    parser.add_argument("--addresses", type=int, default=2_000_000, help="of --growth")
    parser.add_argument(
        "--log", choices=LOGS, default="advised", help="settings of PostgreSQL's log, of --growth"
    )
    parser.add_argument(
        "--no-huge-pages", action="store_true", help="of PostgreSQL's buffers, of --growth"
    )
    options = parser.parse_args()
    console = Console()
    if options.growth:
        for kind in [options.database] if options.database else DATABASES:
            size = Size(options.events, options.addresses)
            huge_pages = not options.no_huge_pages
            growth(kind, size, options.rounds, options.log, console, huge_pages=huge_pages)
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
