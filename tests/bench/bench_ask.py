"""How fast questions are answered: by a process that asks once, by a warm engine, and of files.

`python -m tests.bench.bench_ask` prints a table for each part, and how the goals stand. Each part
compares with something in the same run, in turn in each round: a ratio is the median of the
rounds' own ratios, so that a machine that slows down halfway slows down both sides. Nothing is
asserted.
"""

import argparse
import platform
import sqlite3
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sesbounce.store.engine import open_database
from tests.bench import ask_server, ask_start, ask_table
from tests.bench.addresses import fill
from tests.bench.ask_table import Files, Pair
from tests.bench.figures import Standing
from tests.bench.processes import Used
from tests.bench.recording import postgresql_url

START, ONE, MANY, FILE, SERVER = PARTS = ("start", "one", "many", "file", "server")
DATABASES = ("SQLite", "PostgreSQL")
_MILLION = 1_000_000
# In microseconds; the roundtrips to a server take their time.
_ONE_LIMITS = {"SQLite": 300, "PostgreSQL": 1000}
_MANY_LIMIT_MS = 250
_FILE_LIMIT_SECONDS = 6
_START_LIMIT = 1.3
# Of the speed of the bare SELECT.
_SHARE = 0.5
# Of the memory for a tenth of the file.
_FLAT = 1.1


def median_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(these, those, strict=True))


def at_most(what: str, value: float, limit: float) -> Standing:
    """How a goal stands that is a greatest value."""
    return Standing(what, value, f"≤ {limit:g}", value <= limit)


def share(what: str, ours: Sequence[float], bare: Sequence[float]) -> Standing:
    """How the goal stands for the speed beside the bare SELECT."""
    value = median_ratio(bare, ours)
    return Standing(f"{what}, times the bare SELECT", value, f"≥ {_SHARE:g}", value >= _SHARE)


def printed(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table for a terminal."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def start(runs: Mapping[str, Sequence[Used]], console: Console) -> Iterator[Standing]:
    """Print the CPU time of processes that ask once."""
    cpu = {name: [one.cpu for one in taken] for name, taken in runs.items()}
    base = cpu[ask_start.BASE]
    ratios = {name: median_ratio(taken, base) for name, taken in cpu.items()}
    rows = [
        (name, f"{statistics.median(taken) * 1000:.0f}", f"{ratios[name]:.2f}")
        for name, taken in cpu.items()
    ]
    title = f"A process that asks once; medians of {len(base)} rounds, user and system"
    console.print(printed(title, ("process", "CPU ms", "x imports"), rows))
    yield at_most("check, CPU times the imports", ratios[ask_start.CHECK], _START_LIMIT)


def warm(name: str, pair: Pair, size: int, limit: float, console: Console) -> Iterator[Standing]:
    """Print how long a warm engine takes; the limit is in microseconds."""
    ours, bare = ([one.seconds for one in taken] for taken in pair)
    times = (ours, [one.cpu for one in pair.ours], bare, [one.cpu for one in pair.bare])
    cells = [f"{statistics.median(taken) * 1e6:,.0f}" for taken in times]
    what = "one address" if size == 1 else f"{size:,} addresses"
    title = f"Warm engine: {what}; medians of {len(ours)} rounds"
    columns = ("database", "may_mail, µs", "its CPU", "bare SELECT, µs", "its CPU", "speed, x bare")
    row = (name, *cells, f"{median_ratio(bare, ours):.2f}")
    console.print(printed(title, columns, [row]))
    yield at_most(f"{name}: {what}, µs", statistics.median(ours) * 1e6, limit)
    yield share(f"{name}: {what}", ours, bare)


def whole_file(name: str, files: Files, rows: int, console: Console) -> Iterator[Standing]:
    """Print how long a file takes, and how much memory."""
    cells = [
        (
            what,
            f"{statistics.median(one.seconds for one in taken):.1f}",
            f"{statistics.median(one.cpu for one in taken):.1f}",
            f"{statistics.median(map(ask_table.peak, taken)):.0f}",
        )
        for what, taken in (
            ("check --file", files.whole),
            ("check --file, a tenth", files.tenth),
            ("bare SELECT", files.bare),
        )
    ]
    title = f"{name}: a file of {rows:,}; medians of {len(files.whole)} rounds"
    console.print(printed(title, ("process", "seconds", "its CPU", "peak MB"), cells))
    ours, bare = ([one.seconds for one in taken] for taken in (files.whole, files.bare))
    peaks = ([ask_table.peak(one) for one in taken] for taken in (files.whole, files.tenth))
    limit = _FILE_LIMIT_SECONDS * rows / _MILLION
    yield at_most(f"{name}: a file of {rows:,}, seconds", statistics.median(ours), limit)
    yield share(f"{name}: a file of {rows:,}", ours, bare)
    yield at_most(f"{name}: memory, times that for a tenth", median_ratio(*peaks), _FLAT)


@contextmanager
def filled(database: str, count: int) -> Iterator[str]:
    """The URL of a database of its own with so many addresses."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{folder}/bench.sqlite3"
        if database == "PostgreSQL":
            url = stack.enter_context(postgresql_url())
        engine = open_database(url)
        fill(engine, count)
        engine.dispose()
        yield url


def of_table(database: str, options: argparse.Namespace, console: Console) -> Iterator[Standing]:
    """Measure and print the parts that ask a large table."""
    known, rounds = options.addresses, options.rounds
    with filled(database, known) as url, tempfile.TemporaryDirectory() as folder:
        if ONE in options.part:
            pair = ask_table.warm(url, known, rounds, 1, ask_table.ONE_A_ROUND)
            yield from warm(database, pair, 1, _ONE_LIMITS[database], console)
        if MANY in options.part:
            pair = ask_table.warm(url, known, rounds, ask_table.MANY, 1)
            yield from warm(database, pair, ask_table.MANY, _MANY_LIMIT_MS * 1000, console)
        if FILE in options.part:
            files = ask_table.files(
                url, Path(folder), known, options.file_rounds, options.file_rows
            )
            yield from whole_file(database, files, options.file_rows, console)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Measures how fast questions are answered.")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; default: all")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    parser.add_argument("--rounds", type=int, default=15, help="15 by default")
    parser.add_argument("--file-rounds", type=int, default=3, help="of files; 3 by default")
    parser.add_argument("--addresses", type=int, default=2 * _MILLION, help="in the table")
    parser.add_argument("--file-rows", type=int, default=_MILLION, help="in the file")
    options = parser.parse_args()
    options.part = options.part or PARTS
    console = Console()
    console.print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    standing: list[Standing] = []
    if START in options.part:
        standing += start(ask_start.measured(options.rounds), console)
    if {ONE, MANY, FILE} & set(options.part):
        for database in options.database or DATABASES:
            standing += of_table(database, options, console)
    if SERVER in options.part:
        console.print(ask_server.table(options.addresses))
    rows = [
        (one.what, f"{one.value:,.2f}", one.goal, "met" if one.met else "missed")
        for one in standing
    ]
    console.print(printed("", ("goal", "measured", "goal", ""), rows))


if __name__ == "__main__":
    main()
