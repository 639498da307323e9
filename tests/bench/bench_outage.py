"""A simulated outage of a mailbox provider: what it costs without incidents and with them.

The same messages are recorded without the detection of incidents, and with it in several random
orders on each kind of database, with sweeps at random moments. Nobody with an earlier delivery may
be suppressed for good, each dead address must be, and the tables must be the same in all runs.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from sesbounce.store.engine import open_database
from tests import outage
from tests.databases.servers import empty_database, mariadb, postgresql
from tests.outage import Tables, Traffic
from tests.support import disposed

DATABASES = ("sqlite", "postgresql", "mariadb")


@contextmanager
def server(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a server; for SQLite, of a file that no database is made of."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/none.sqlite3"
        return
    with {"postgresql": postgresql, "mariadb": mariadb}[kind](folder) as url:
        yield url


@contextmanager
def database(kind: str, url: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/outage.sqlite3"
    else:
        with empty_database(url) as empty:
            yield empty


def run(kind: str, url: str, traffic: Traffic, order: int, first: list[Tables]) -> list[str]:
    """Record the traffic in an order, check the outcome, and return a row of the report."""
    random = Random(order)
    told = outage.disordered(traffic.messages, random)
    with database(kind, url) as empty, disposed(open_database(empty)) as engine:
        began, cpu = time.perf_counter(), time.process_time()
        outage.record(engine, told, random, mode="hold" if order else "off")
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        suppressed = outage.suppressed_for_good(engine)
        if order:
            outage.check(engine, traffic)
            found = outage.tables(engine)
            if not first:
                first.append(found)
            assert found == first[0], "another order or database, other tables"
    numbers = (len(told), len(suppressed & traffic.live), len(suppressed & traffic.dead))
    order_ = str(order) if order else "no incidents"
    return [kind, order_, *(f"{n:,}" for n in numbers), f"{seconds:.1f}", f"{cpu:.1f}"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addresses", type=int, default=40_000, help="live ones that bounce")
    parser.add_argument("--orders", type=int, default=3)
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    options = parser.parse_args()
    console = Console()
    traffic = outage.outage(options.addresses)
    console.print(
        f"{len(traffic.messages):,} messages; {len(traffic.live):,} live addresses bounce, "
        f"{len(traffic.dead):,} dead ones"
    )
    table = Table("database", "order", "messages", "live", "dead", "s", "CPU s")
    table.title = "Suppressed for good"
    first: list[Tables] = []
    for kind in options.databases:
        with tempfile.TemporaryDirectory() as folder:
            # The server runs as a user of its own where root runs this.
            Path(folder).chmod(0o755)
            with server(kind, Path(folder)) as url:
                # Without incidents the databases do not differ.
                for order in range(kind != options.databases[0], options.orders + 1):
                    row = run(kind, url, traffic, order, first)
                    table.add_row(*row)
                    console.print(*row)
    console.print(table)


if __name__ == "__main__":
    main()
