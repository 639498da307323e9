"""How fast the worker drains a queue, beside what one would otherwise write, in one run.

`python -m tests.bench.bench_worker` has every contestant drain a stub of SQS for some seconds, in
turn, several times, and prints messages per second, CPU per message, API calls and commits per
1,000 messages, peak memory, and how the worker stands to its goals. `--million` has the worker
alone drain a million messages and tells what memory it takes. Linux only.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from tests.bench.chart import draw
from tests.bench.contest import (
    CONTESTANTS,
    WORKER,
    BenchError,
    Contestant,
    Supply,
    measure,
    running,
)
from tests.bench.figures import Sample, standing
from tests.bench.machine import this_machine
from tests.bench.results import (
    Conditions,
    Memory,
    Results,
    remembered,
    section,
    tables,
    write_section,
)
from tests.bench.sqs_stub import DELAY_MS

_MILLION = 1_000_000
_AT_PERCENT = (5, 50, 100)
_CHART = "bench-worker.svg"
# Narrower, the tables could not be read.
_WIDTH = 124


def rounds(
    contestants: Sequence[Contestant], supply: Supply, conditions: Conditions, console: Console
) -> dict[str, list[Sample]]:
    """All samples; the rounds begin with another contestant each."""
    samples: dict[str, list[Sample]] = {c.letter: [] for c in contestants}
    with Progress(console=console) as progress:
        task = progress.add_task("", total=conditions.rounds * len(contestants))
        for number in range(conditions.rounds):
            for contestant in _turned(contestants, number):
                progress.update(task, description=contestant.name)
                sample = measure(contestant, supply, conditions.warm_up, conditions.seconds)
                samples[contestant.letter].append(sample)
                progress.advance(task)
    return samples


def _turned(contestants: Sequence[Contestant], number: int) -> Iterator[Contestant]:
    first = number % len(contestants)
    yield from contestants[first:]
    yield from contestants[:first]


def remember(total: int, console: Console) -> Memory:
    """What the worker has resident while it drains so many messages."""
    bytes_at: dict[int, int] = {}
    peak = 0
    with running(WORKER, Supply(total)) as run, Progress(console=console) as progress:
        task = progress.add_task("memory", total=total)
        began = time.monotonic()
        done = 0
        while done < total:
            time.sleep(0.5)
            run.check()
            done = run.counts().deleted
            now = run.memory()
            peak = max(peak, now)
            progress.update(task, completed=done)
            for at in _AT_PERCENT:
                if done * 100 >= at * total:
                    bytes_at.setdefault(at, now)
        seconds = time.monotonic() - began
    return Memory(total, seconds, bytes_at, peak)


def chosen(letters: str) -> list[Contestant]:
    """The contestants of these letters, separated by commas; all of them if there is none.

    Raises:
        BenchError: there is none of that letter.
    """
    wanted = letters.split(",") if letters else [c.letter for c in CONTESTANTS]
    known = {c.letter: c for c in CONTESTANTS}
    unknown = set(wanted) - set(known)
    if unknown:
        raise BenchError(f"--only names {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [known[letter] for letter in wanted]


def write(results: Results, options: argparse.Namespace) -> None:
    """Write the files that are asked for."""
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    if options.markdown and options.rounds:
        draw(results.samples, results.names, options.markdown.with_name(_CHART))
        write_section(section(results, _CHART), options.markdown)


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of every contestant (5); 0: none")
    parser.add_argument("--seconds", type=float, default=10, help="that are measured (10)")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds before that (3)")
    parser.add_argument("--only", default="", help="some contestants: a,b,h")
    parser.add_argument("--same", action="store_true", help="the same message again and again")
    parser.add_argument(
        "--million",
        type=int,
        nargs="?",
        const=_MILLION,
        metavar="MESSAGES",
        help="tell the worker's memory over a million messages as well",
    )
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    parser.add_argument(
        "--markdown", type=Path, help="rewrite the section in this file, and its chart beside it"
    )
    return parser.parse_args()


def run(options: argparse.Namespace, console: Console) -> Results:
    """Measure what is asked for.

    Raises:
        BenchError: a contestant does not do its work.
    """
    machine = this_machine()
    conditions = Conditions(
        options.rounds, options.seconds, options.warm_up, DELAY_MS, options.same
    )
    samples = rounds(chosen(options.only), Supply(same=options.same), conditions, console)
    memory = remember(options.million, console) if options.million else None
    names = {c.letter: c.name for c in CONTESTANTS}
    return Results(machine, conditions, names, samples, standing(samples), memory)


def main() -> None:
    """Run the command line."""
    options = parse()
    console = Console(width=max(Console().width, _WIDTH))
    try:
        results = run(options, console)
    except BenchError as error:
        raise SystemExit(f"bench: {error}") from None
    if options.rounds:
        for table in tables(results):
            console.print(table)
    if results.memory:
        console.print(remembered(results.memory))
    write(results, options)


if __name__ == "__main__":
    main()
