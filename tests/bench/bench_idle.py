"""What an idle worker costs: its calls of SQS, and how often its threads wake up.

`python -m tests.bench.bench_idle` runs `sesbounce run` on an empty queue of the stub, with metrics,
health and the lines for CloudWatch switched on, as Terraform deploys it.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from tests.bench.contest import WORKER, Supply, running
from tests.ports import free_port

# Until then the worker migrates its database, and reads the depth of the queue once.
_START_SECONDS = 25.0


class _Reading(msgspec.Struct, frozen=True):
    """The counters at one moment: calls of SQS by operation, wakes by thread, CPU seconds."""

    at: float
    calls: Counter[str]
    wakes: Counter[str]
    cpu: float


def wakes(process: psutil.Process) -> Counter[str]:
    """How often each thread of a process has woken up: its voluntary context switches.

    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    counts: Counter[str] = Counter()
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
        name = f"{process.pid} {status['Name']} {task.name}"
        counts[name] = int(status["voluntary_ctxt_switches"])
    return counts


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to measure (120)")
    parser.add_argument("--processes", type=int, default=1, help="SESBOUNCE_PROCESSES (1)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    options = parser.parse_args()
    settings = {
        "SESBOUNCE_EMF": "true",
        "SESBOUNCE_METRICS_PORT": str(free_port()),
        "SESBOUNCE_PROCESSES": str(options.processes),
        **dict(setting.split("=", 1) for setting in options.set),
    }
    idle = msgspec.structs.replace(WORKER, settings=settings)
    with running(idle, Supply(messages=0)) as run:

        def read() -> _Reading:
            tree = run.tree()
            cpu = sum(sum(process.cpu_times()[:2]) for process in tree)
            each = sum((wakes(process) for process in tree), Counter[str]())
            return _Reading(time.monotonic(), Counter(run.counts().calls), each, cpu)

        time.sleep(_START_SECONDS)
        before = read()
        time.sleep(options.seconds)
        after = read()
        run.check()
    lasted = after.at - before.at
    table = Table("what", "in all", "a minute", "a second")
    calls, woken = after.calls - before.calls, after.wakes - before.wakes
    for name, count in (
        *calls.items(),
        ("calls of SQS", calls.total()),
        *woken.most_common(),
        ("wakes", woken.total()),
        ("CPU ms", 1000 * (after.cpu - before.cpu)),
    ):
        table.add_row(name, f"{count:.0f}", f"{60 * count / lasted:.1f}", f"{count / lasted:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
