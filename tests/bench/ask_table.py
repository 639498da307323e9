"""Questions to a large table, each beside a bare SELECT of the same addresses in the same run.

The bare SELECT is what a sender would write without sesbounce: the address and the times, 1,000
addresses a query, by SQLAlchemy with an engine as it comes. It brings no address into its stored
form, knows no forgotten address and no stream, and makes no answer of what it finds.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from sesbounce import client
from sesbounce.store.schema import address as table
from tests.bench.addresses import asked
from tests.bench.processes import Used, used

ONE_A_ROUND = 200
MANY = 10_000
_IN = 1000
_Ask = Callable[[Sequence[str]], object]

# What the process had resident at most: the kernel's count for children includes their parent.
_PEAK = (
    "import atexit, re; atexit.register(lambda: print(re.search(r'VmHWM:\\s*(\\d+) kB', "
    "open('/proc/self/status').read())[1]))"
)
_CHECK = f"""\
{_PEAK}
import sys
sys.argv[1:] = ["check", "--file", sys.argv[1], "--output", sys.argv[2]]
from sesbounce.cli import main
main()
"""
_BARE = f"""\
{_PEAK}
import os, sys
import sqlalchemy as sa
from tests.bench.ask_table import bare
with open(sys.argv[1]) as file:
    found = bare(sa.create_engine(os.environ["SESBOUNCE_DATABASE_URL"]))(list(map(str.strip, file)))
with open(sys.argv[2], "w") as file:
    print(len(found), file=file)
"""


class Took(NamedTuple):
    """What a question took: its seconds, and seconds of this process's CPU time among them."""

    seconds: float
    cpu: float


class Pair(NamedTuple):
    """What sesbounce and the bare SELECT took, a value a round."""

    ours: list[Took]
    bare: list[Took]


class Files(NamedTuple):
    """What `check --file` took for a whole file and for a tenth of it, and the bare SELECT.

    The process writes its peak of resident memory in kB; see `peak`.
    """

    whole: list[Used]
    tenth: list[Used]
    bare: list[Used]


def bare(engine: sa.Engine) -> Callable[[Sequence[str]], list[sa.Row[tuple[object, ...]]]]:
    """What selects the rows of addresses."""
    columns = [table.c.address, table.c.suppressed_since, table.c.suppressed_until]

    def select(addresses: Sequence[str]) -> list[sa.Row[tuple[object, ...]]]:
        rows: list[sa.Row[tuple[object, ...]]] = []
        with engine.connect() as connection:
            for start in range(0, len(addresses), _IN):
                some = addresses[start : start + _IN]
                query = sa.select(*columns).where(table.c.address.in_(some))
                rows += connection.execute(query).all()
        return rows

    return select


def warm(url: str, known: int, rounds: int, size: int, repeats: int) -> Pair:
    """Ask about `size` addresses at once; a round is the median of so many repeats.

    The first round, which opens the connections, does not count.
    """
    os.environ["SESBOUNCE_DATABASE_URL"] = url
    engine = sa.create_engine(url)
    ways: tuple[_Ask, _Ask] = (client.may_mail, bare(engine))
    addresses = asked((rounds + 1) * repeats * size, known)
    measured = Pair([], [])
    for number in range(rounds + 1):
        times = Pair([], [])
        for batch in _batches(addresses, size, repeats):
            for ask, taken in zip(ways, times, strict=True):
                taken.append(_timed(ask, batch))
        if number:
            for taken, medians in zip(times, measured, strict=True):
                medians.append(Took(*map(statistics.median, zip(*taken, strict=True))))
    client.close()
    engine.dispose()
    return measured


def files(url: str, folder: Path, known: int, rounds: int, rows: int) -> Files:
    """Check a file with so many addresses, a line each; and one with a tenth of them."""
    lines = [f"{address}\n" for address in asked(rows, known)]
    whole, tenth, output = (folder / name for name in ("whole.txt", "tenth.txt", "output"))
    whole.write_text("".join(lines))
    tenth.write_text("".join(lines[: rows // 10]))
    environment = {**os.environ, "SESBOUNCE_DATABASE_URL": url}
    measured = Files([], [], [])
    for _ in range(rounds):
        for code, source, taken in (
            (_CHECK, whole, measured.whole),
            (_CHECK, tenth, measured.tenth),
            (_BARE, whole, measured.bare),
        ):
            command = [sys.executable, "-c", code, str(source), str(output)]
            taken.append(used(command, environment))
    return measured


def peak(one: Used) -> float:
    """The most that a process of `files` had resident, in MB."""
    return int(one.output) * 1024 / 1e6


def _timed(ask: _Ask, batch: Sequence[str]) -> Took:
    began, cpu = time.perf_counter(), time.process_time()
    ask(batch)
    return Took(time.perf_counter() - began, time.process_time() - cpu)


def _batches(addresses: Iterator[str], size: int, count: int) -> Iterator[list[str]]:
    return (list(islice(addresses, size)) for _ in range(count))
