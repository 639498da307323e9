"""How much CPU time a question takes, next to the imports that no answer can do without.

`python -m tests.bench.bench_ask` prints a table, and one of the HTTP API (see `ask_server`). A
process that asks for one address does nearly nothing but start: what it takes is compared with a
process that imports click, SQLAlchemy and msgspec, and does no more.

How it is measured: every program runs in a process of its own, user and system time added up, one
after the other in each round; the first round, in which Python compiles modules, does not count.
A ratio is the median of the rounds' own ratios, so that a machine that slows down halfway slows
down both sides. Nothing is asserted: `tests/unit/sesbounce/cli/test_loaded_modules.py` holds what
may be imported.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.bench import ask_server
from tests.support import AT

ADDRESS = "jane@example.com"
BASE = "import click, sqlalchemy, msgspec"
ANSWERED = {0, 1}  # yes and no


class Program(NamedTuple):
    """A program that is measured, by what it is called in the table."""

    name: str
    code: str


def command(*arguments: str) -> Program:
    """A command of sesbounce, as its entry point runs it."""
    code = f"import sys; sys.argv[1:] = {arguments!r}; from sesbounce.cli import main; main()"
    return Program(" ".join(["sesbounce", *arguments]), code)


PROGRAMS = (
    Program(BASE, BASE),
    command("check", ADDRESS),
    command("why", ADDRESS),
    command("list"),
    Program(
        "sesbounce.client.may_mail",
        f"from sesbounce.client import may_mail; may_mail(['{ADDRESS}'])",
    ),
    Program("import pydantic_settings, which they avoid", f"{BASE}, pydantic_settings"),
)


def seconds(program: Program, environment: Mapping[str, str]) -> float:
    """The CPU seconds of one run, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-c", program.code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in ANSWERED or "Traceback" in run.stderr:
        raise SystemExit(f"{program.name} failed: {run.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def filled(folder: str) -> str:
    """The URL of a database in which one address is suppressed."""
    url = f"sqlite:///{Path(folder, 'sesbounce.sqlite3')}"
    engine = open_database(url)
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    store.record([decide(ADDRESS, Reason.SUPPRESSED_BY_HAND, AT, by="bench", note=None)], AT)
    engine.dispose()
    return url


def measured(rounds: int) -> dict[str, list[float]]:
    """The CPU seconds of each program, a value a round."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "SESBOUNCE_DATABASE_URL": filled(folder),
            # Bytecode of their own: where none may be written, every run would compile it all.
            "PYTHONPYCACHEPREFIX": folder,
            "PYTHONDONTWRITEBYTECODE": "",
        }
        runs: dict[str, list[float]] = {program.name: [] for program in PROGRAMS}
        for number in range(rounds + 1):
            for program in PROGRAMS:
                taken = seconds(program, environment)
                if number:
                    runs[program.name].append(taken)
    return runs


def table(runs: Mapping[str, list[float]]) -> Table:
    """The medians, and the medians of the rounds' own ratios to the base."""
    rounds = len(runs[BASE])
    printed = Table(
        title=f"Python {platform.python_version()}, {rounds} rounds; CPU time, user and system"
    )
    printed.add_column("process")
    printed.add_column("CPU ms", justify="right")
    printed.add_column("x imports", justify="right")
    for name, taken in runs.items():
        ratios = (ours / base for ours, base in zip(taken, runs[BASE], strict=True))
        printed.add_row(
            name, f"{statistics.median(taken) * 1000:.0f}", f"{statistics.median(ratios):.2f}"
        )
    return printed


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measures commands that ask, and the server.")
    parser.add_argument("--rounds", type=int, default=15, help="15 by default")
    parser.add_argument(
        "--addresses",
        type=int,
        default=2_000_000,
        help="addresses in the database of the server, 2,000,000 by default; 0 leaves it out",
    )
    arguments = parser.parse_args()
    console = Console()
    console.print(table(measured(arguments.rounds)))
    if arguments.addresses:
        console.print(ask_server.table(arguments.addresses))


if __name__ == "__main__":
    main()
