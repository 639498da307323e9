"""The results of the worker's benchmark: as tables for a terminal, and as a section of Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from tests.bench.figures import WORKER, Sample, Standing, median, ratio
from tests.bench.machine import Machine

HEADING = "## The worker: `make bench`"

_SETTING = """\
{machine.cpu}, {machine.cores} cores, {machine.system}; Python {machine.python}, SQLite \
{machine.sqlite}, {packages}; load average {machine.load:.1f} before. Medians of {rounds} rounds \
in turn, {seconds:g} seconds each after {warm_up:g} to warm up; a ratio is the median of the \
rounds' own ratios, and "sesbounce : it" says how many times as fast sesbounce is.

An SQS stub (`tests/bench/sqs_stub.py`) answers every call after {delay:g} ms from an endless \
backlog of hard bounces in SNS envelopes, {messages}. It has one core, the contestant the other; \
two processes use both. All but (g), (g2) and (g3) do the same durable work on SQLite with \
`synchronous = FULL`: decode, insert the event, update the address, and only after the commit \
delete. Messages are those that left the queue, API calls are the stub's counts, commits the \
change counter in SQLite's WAL index, CPU and memory (the peaks of all its processes) the \
kernel's. All run with the same versions; aiobotocore decides on that of botocore."""

_CONTESTANTS = """\
The contestants are in `tests/bench/contestants/`: (a) receives ten, handles one, deletes one; \
(b) and (c) handle one, and delete the ten at once; (d) is a kombu consumer with the prefetch \
count it comes with; (e) and (f) receive ten, commit ten, delete ten, 16 times at once, and take \
turns with SQLite by a lock of their own, for SQLite's own waiting is slower; (g) has sesbounce's \
own pollers and deleters, calls SQS by boto3, and does nothing in between; (g2) is two of these, \
so that (g2) : (g) is what two processes can gain on this machine; (g3) is (g) by the requests of \
sesbounce's own that `SESBOUNCE_SQS_DIRECT` is about, so that (h) : (g3) is what the work between \
receiving and deleting costs; (h) is `sesbounce run` as it comes."""


class Memory(msgspec.Struct, frozen=True):
    """What the worker had resident while it worked on a great number of messages.

    Attributes:
        messages: how many there were.
        seconds: how long it took.
        bytes_at: bytes resident by percent of the messages done.
        peak_bytes: the most that was ever resident.
    """

    messages: int
    seconds: float
    bytes_at: dict[int, int]
    peak_bytes: int


class Conditions(msgspec.Struct, frozen=True):
    """How it was measured; times in seconds, the stub's delay in milliseconds."""

    rounds: int
    seconds: float
    warm_up: float
    delay_ms: float
    same: bool


class Results(msgspec.Struct, frozen=True):
    """All that a run found out."""

    machine: Machine
    conditions: Conditions
    names: Mapping[str, str]
    samples: Mapping[str, Sequence[Sample]]
    standing: Sequence[Standing]
    memory: Memory | None


_COLUMNS = (
    "contestant",
    "messages/s",
    "sesbounce : it",
    "CPU µs",
    "calls/1,000",
    "commits/1,000",
    "peak MB",
    "stub CPU",
)
_GOALS = ("sesbounce", "measured", "goal", "")


def _contestants(results: Results) -> Iterable[tuple[str, ...]]:
    samples = results.samples
    ours = samples.get(WORKER)
    for letter, name in results.names.items():
        own = samples.get(letter)
        if own:
            yield (
                f"({letter}) {name}",
                f"{median(own, lambda s: s.rate):,.0f}",
                f"{ratio(ours, own, lambda s: s.rate):.2f}" if ours else "",
                f"{median(own, lambda s: s.cpu):,.0f}",
                f"{median(own, lambda s: s.calls_per_1000):,.0f}",
                f"{median(own, lambda s: s.commits_per_1000):,.1f}",
                f"{median(own, lambda s: s.peak_bytes) / 1e6:,.0f}",
                f"{median(own, lambda s: s.stub_share):.0%}",
            )


def _goals(results: Results) -> Iterable[tuple[str, ...]]:
    for goal in results.standing:
        yield goal.what, f"{goal.value:.2f}", goal.goal, "met" if goal.met else "missed"


def remembered(memory: Memory) -> str:
    """What the worker had resident, in a sentence."""
    parts = [f"{size / 1e6:,.0f} MB after {at} %" for at, size in memory.bytes_at.items()]
    return (
        f"{memory.messages:,} messages in {memory.seconds:,.0f} seconds: resident were "
        f"{', '.join(parts)}; at most {memory.peak_bytes / 1e6:,.0f} MB."
    )


def tables(results: Results) -> Iterable[Table]:
    """The tables, for a terminal."""
    for columns, rows in ((_COLUMNS, _contestants(results)), (_GOALS, _goals(results))):
        table = Table()
        table.add_column(columns[0], no_wrap=True)
        for column in columns[1:]:
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(*row)
        yield table


def section(results: Results, chart: str) -> str:
    """The section of Markdown, its heading included; `chart` is the path of the picture."""
    conditions = results.conditions
    setting = _SETTING.format(
        machine=results.machine,
        packages=", ".join(f"{k} {v}" for k, v in results.machine.packages.items()),
        rounds=conditions.rounds,
        seconds=conditions.seconds,
        warm_up=conditions.warm_up,
        delay=conditions.delay_ms,
        messages=(
            "the same one again and again, so that recording it changes nothing"
            if conditions.same
            else "each with a mail and a recipient of its own"
        ),
    )
    parts = [
        HEADING,
        setting,
        f"![Messages per second and CPU per message]({chart})",
        markdown(_COLUMNS, _contestants(results)),
        _CONTESTANTS,
        markdown(_GOALS, _goals(results)),
    ]
    if results.memory:
        parts.append(f"Memory (`--million`): {remembered(results.memory)}")
    return "\n\n".join(parts) + "\n"


def write_section(text: str, file: Path) -> None:
    """Put the section into a document, in place of the one with its heading or at the end."""
    document = file.read_text() if file.exists() else "# Benchmarks\n"
    heading, _, _ = text.partition("\n")
    before, found, rest = document.partition(heading + "\n")
    if not found:
        file.write_text(f"{document.rstrip()}\n\n{text}")
        return
    _, following, after = rest.partition("\n## ")
    file.write_text(before + text + (following + after))


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
