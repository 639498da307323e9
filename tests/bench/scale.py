"""Computes what docs/scale.md says: tasks, database and cost by events a second, and autoscaling.

    python -m tests.bench.scale           # prints the tables
    python -m tests.bench.scale --write   # writes them into docs/scale.md

The measured figures and the prices are here, and nowhere else; a test holds the document to them.
"""

import argparse
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sesbounce.worker.loop import LoopSettings
from tests.bench import autoscaling

PAGE = Path(__file__).parents[2] / "docs/scale.md"

# Measured: `make bench`, contestant (h), and `python -m tests.bench.bench_size` on PostgreSQL.
CPU_MICROSECONDS = 120.0
DATABASE_CPU_MICROSECONDS = 80.0
MESSAGE_BYTES, EVENT_BYTES, ADDRESS_BYTES = 1490, 590, 590
WAL_BYTES = 3010
# At most, by the schema: the row of the address, its index, the index of the events by address.
PAGES, PAGE_BYTES = 3, 8192
# One line of the log a batch.
LOG_BYTES = 440

# The tasks should use no more of their CPU: the target of the autoscaling.
BUSY = 0.6
MONTH_SECONDS, MONTH_HOURS = 730 * 3600, 730
MILLION, GB = 1e6, 1e9

# Prices in USD, of the same region and date as those of docs/costs.md.
VCPU_HOUR, GB_HOUR, IPV4_HOUR = 0.03238, 0.00356, 0.005
SNS_MILLION, SQS_MILLION, SES_MILLION = 0.50, 0.40, 100.0
# Sends, receives and deletes where messages always wait.
CALLS_A_MESSAGE = 1.4
DISK_GB, IOPS, LOG_GB = 0.115, 0.02, 0.50
# The rows of docs/costs.md that are the same for each sender.
REST = 7.50 + 0.80 + 0.40 + 0.20
# A disk of 400 GB and more has so many operations a second for nothing.
LARGE_DISK_GB, FREE_IOPS_SMALL, FREE_IOPS_LARGE = 400, 3000, 12_000
FREE_LOG_GB = 5


class Database(msgspec.Struct, frozen=True):
    """A class of RDS for PostgreSQL.

    Attributes:
        name: its name.
        vcpus: how many CPUs it has.
        memory_gb: how much memory it has.
        hour: what an hour costs in one zone.
    """

    name: str
    vcpus: int
    memory_gb: int
    hour: float


MICRO = Database("db.t4g.micro", 2, 1, 0.016)
LARGE = Database("db.m6g.large", 2, 8, 0.159)
HUGE = Database("db.r6g.8xlarge", 32, 256, 3.597)


class Case(msgspec.Struct, frozen=True):
    """A sender.

    Attributes:
        rate: events a second.
        addresses: how many addresses it mails.
        days: how long it keeps messages and events (`sesbounce prune`).
        vcpu: the CPUs of a task.
        memory_gb: the memory of a task.
        database: the database.
    """

    rate: int
    addresses: float
    days: int
    vcpu: float
    memory_gb: float
    database: Database

    @property
    def tasks(self) -> int:
        """How many tasks handle it."""
        return max(math.ceil(self.rate * CPU_MICROSECONDS / MILLION / (self.vcpu * BUSY)), 1)

    @property
    def commits(self) -> float:
        """Transactions a second: each waits for more messages, unless it is full."""
        settings, share = LoopSettings(), self.rate / self.tasks
        batch = min(max(share * settings.batch_wait + 1, 1), settings.batch_size)
        return self.rate / batch

    @property
    def millions(self) -> float:
        """Events a month, in millions."""
        return self.rate * MONTH_SECONDS / MILLION

    @property
    def log_gb(self) -> float:
        """The size of the event log with its messages, and of the addresses."""
        kept = self.rate * 86_400 * self.days * (MESSAGE_BYTES + EVENT_BYTES)
        return (kept + self.addresses * ADDRESS_BYTES) / GB

    @property
    def disk_gb(self) -> int:
        """The disk, of which a fifth is free; RDS begins at 20 GB."""
        return max(math.ceil(self.log_gb / 0.8 / 10) * 10, 20)

    @property
    def iops(self) -> int:
        """Operations of the disk a second: each page is read, and written at the checkpoint.

        The part of the addresses that fits into three quarters of the memory is not read.
        """
        cached = min(self.database.memory_gb * 0.75 * GB / (self.addresses * ADDRESS_BYTES), 1)
        return math.ceil(self.rate * PAGES * (2 - cached))


CASES = (
    Case(1, 0.5e6, 90, 0.25, 0.5, MICRO),
    Case(100, 20e6, 30, 0.25, 0.5, LARGE),
    Case(10_000, 500e6, 7, 1, 2, HUGE),
)


def needs() -> Iterator[list[str]]:
    """A row for each need, a column for each case."""
    rows: Mapping[str, Sequence[str]] = {
        "Events a second": [f"{case.rate:,}" for case in CASES],
        "Events a month, millions": [f"{case.millions:,.1f}" for case in CASES],
        "Addresses, millions": [f"{case.addresses / MILLION:,.1f}" for case in CASES],
        "CPU of the workers": [f"{case.rate * CPU_MICROSECONDS / MILLION:.4f}" for case in CASES],
        "Tasks": [f"{case.tasks} of {case.vcpu:g} vCPU, {case.memory_gb:g} GB" for case in CASES],
        "Messages in flight, at most": [f"{case.tasks * LoopSettings().room:,}" for case in CASES],
        "Transactions a second": [f"{case.commits:,.0f}" for case in CASES],
        "CPU of the database": [
            f"{case.rate * DATABASE_CPU_MICROSECONDS / MILLION:.4f}" for case in CASES
        ],
        "WAL, MB a second": [f"{case.rate * WAL_BYTES / MILLION:,.2f}" for case in CASES],
        "WAL, MB a second, each page whole": [
            f"{case.rate * (WAL_BYTES + PAGES * PAGE_BYTES) / MILLION:,.2f}" for case in CASES
        ],
        "Operations of the disk a second": [f"{case.iops:,}" for case in CASES],
        "GB a day": [
            f"{case.rate * 86_400 * (MESSAGE_BYTES + EVENT_BYTES) / GB:,.1f}" for case in CASES
        ],
        "Days kept": [f"{case.days}" for case in CASES],
        "GB in all": [f"{case.log_gb:,.0f}" for case in CASES],
        "Database": [
            f"{case.database.name}, {case.database.vcpus} vCPU, {case.database.memory_gb} GB"
            for case in CASES
        ],
    }
    for name, cells in rows.items():
        yield [name, *cells]


def costs() -> Iterator[list[str]]:
    """A row for each item of the bill, in USD a month, a column for each case."""
    total = [0.0] * len(CASES)
    for name, amounts in _items().items():
        total = [sum_ + amount for sum_, amount in zip(total, amounts, strict=True)]
        yield [name, *(f"{amount:,.2f}" for amount in amounts)]
    yield ["**Sum**", *(f"**{sum_:,.2f}**" for sum_ in total)]
    each = [sum_ / case.millions for sum_, case in zip(total, CASES, strict=True)]
    yield ["A million events", *(f"{amount:,.2f}" for amount in each)]
    yield [
        "For comparison: SES's price of the mails",
        *(f"{case.millions * SES_MILLION:,.2f}" for case in CASES),
    ]


def _items() -> dict[str, list[float]]:
    def each(amounts: Iterator[float]) -> list[float]:
        # The sum is that of the figures that are shown.
        return [round(amount, 2) for amount in amounts]

    def free_iops(case: Case) -> int:
        return FREE_IOPS_LARGE if case.disk_gb >= LARGE_DISK_GB else FREE_IOPS_SMALL

    def written_gb(case: Case) -> float:
        return case.commits * MONTH_SECONDS * LOG_BYTES / GB

    return {
        "Fargate, ARM": each(
            MONTH_HOURS * case.tasks * (case.vcpu * VCPU_HOUR + case.memory_gb * GB_HOUR)
            for case in CASES
        ),
        "Public IPv4 addresses": each(MONTH_HOURS * case.tasks * IPV4_HOUR for case in CASES),
        "RDS, instance in one zone": each(MONTH_HOURS * case.database.hour for case in CASES),
        "RDS, disk": each(case.disk_gb * DISK_GB for case in CASES),
        "RDS, operations of the disk": each(
            max(case.iops - free_iops(case), 0) * IOPS for case in CASES
        ),
        "SNS, publishing": each(max(case.millions - 1, 0) * SNS_MILLION for case in CASES),
        "SQS, requests": each(
            max(case.millions * CALLS_A_MESSAGE - 1, 0) * SQS_MILLION for case in CASES
        ),
        "CloudWatch, metrics and alarms; secret; ECR": [REST] * len(CASES),
        "CloudWatch, log": each(max(written_gb(case) - FREE_LOG_GB, 0) * LOG_GB for case in CASES),
    }


def scaling() -> Iterator[list[str]]:
    """A row for each load under the rules that are deployed, and others for comparison."""
    deployed = autoscaling.deployed()
    small = round(MILLION * 0.25 / CPU_MICROSECONDS / 10) * 10
    backlog_alone = msgspec.structs.replace(deployed, cpu=None)
    large = msgspec.structs.replace(deployed, max_tasks=2 * CASES[-1].tasks)
    for name, rules, rate, loads in (
        ("¼ vCPU", deployed, small, autoscaling.LOADS),
        ("¼ vCPU, by the backlog alone", backlog_alone, small, [autoscaling.STEADY]),
        (f"1 vCPU, at most {large.max_tasks}", large, small * 4, [autoscaling.LARGE]),
    ):
        for load, *cells in autoscaling.rows(rules, rate, loads):
            yield [load, name, *cells]


def _table(heads: Sequence[str], rows: Iterator[list[str]]) -> str:
    right = ["---"] + ["---:"] * (len(heads) - 1)
    lines = [heads, right, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables() -> dict[str, str]:
    """The tables of the document, by the names of their places in it."""
    senders = ["", *(f"{case.rate:,} a second" for case in CASES)]
    return {
        "needs": _table(senders, needs()),
        "costs": _table(["USD a month", *senders[1:]], costs()),
        "scaling": _table(
            [
                "load",
                "tasks of",
                "most waiting",
                "oldest",
                "empty since",
                "most tasks",
                "changes",
                "tasks on average",
            ],
            scaling(),
        ),
    }


def with_tables(text: str) -> str:
    """The document with the tables as they are computed now.

    Raises:
        ValueError: the document has no place for a table.
    """
    for name, table in tables().items():
        begin, end = f"<!-- BEGIN {name} -->\n", f"<!-- END {name} -->"
        place = f"(?s){re.escape(begin)}.*?{re.escape(end)}"
        text, count = re.subn(place, f"{begin}{table}\n{end}", text)
        if count != 1:
            raise ValueError(f"{PAGE.name} has no place for the table {name}")
    return text


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scale.md")
    if parser.parse_args().write:
        PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    else:
        print(*tables().values(), sep="\n\n")  # noqa: T201  what it is for


if __name__ == "__main__":
    main()
