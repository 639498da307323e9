"""What the threads of a running worker cost, by what they do. Linux only."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import psutil

from tests.bench.contest import Contestant, Supply, running

WRITER = "writer"
PARENT = "parent"


class Cost(msgspec.Struct):
    """What threads have cost.

    Attributes:
        cpu_seconds: their CPU time.
        switches: how many times they gave their core up, or lost it.
    """

    cpu_seconds: float = 0.0
    switches: int = 0

    def add(self, after: "Cost", before: "Cost") -> None:
        """Add what was spent from one reading of a thread to another."""
        self.cpu_seconds += after.cpu_seconds - before.cpu_seconds
        self.switches += after.switches - before.switches


class Costs(msgspec.Struct, frozen=True):
    """What the threads of a worker have cost in some seconds.

    Attributes:
        messages: how many messages were deleted in the meantime.
        seconds: how long it was.
        kinds: the cost by kind of thread.
        stub_cpu_seconds: the CPU time of the queue's stub.
    """

    messages: int
    seconds: float
    kinds: Mapping[str, Cost]
    stub_cpu_seconds: float


def measure(processes: int, warm_up: float, seconds: float) -> Costs:
    """Measure a worker for some seconds, after others to warm up.

    Raises:
        BenchError: it has ended by itself, or does nothing.
    """
    command = [sys.executable, "-m", "tests.bench.named_threads", "run"]
    # The worker of this tree, as this process has it.
    settings = {"SESBOUNCE_PROCESSES": str(processes), "PYTHONPATH": os.pathsep.join(sys.path)}
    worker = Contestant("h", "sesbounce", command, settings, cores=min(processes, 2))
    with running(worker, Supply()) as run:
        run.wait_for(1)
        time.sleep(warm_up)
        deleted, stub, began = run.counts().deleted, cpu_seconds(run.stub), time.monotonic()
        before = _reading(run.tree())
        time.sleep(seconds)
        after = _reading(run.tree())
        deleted, stub = run.counts().deleted - deleted, cpu_seconds(run.stub) - stub
        lasted = time.monotonic() - began
        run.check()
    kinds: dict[str, Cost] = defaultdict(Cost)
    for thread, (kind, cost) in after.items():
        kinds[kind].add(cost, before.get(thread, (kind, Cost()))[1])
    return Costs(deleted, lasted, kinds, stub)


def cpu_seconds(process: psutil.Process) -> float:
    """The CPU time of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _reading(tree: Iterable[psutil.Process]) -> dict[int, tuple[str, Cost]]:
    """The kind and the cost of each thread until now, by the system's number of the thread."""
    pids = [process.pid for process in tree]
    found = {}
    for pid in pids:
        main = PARENT if len(pids) > 1 and pid == pids[0] else WRITER
        for folder in Path(f"/proc/{pid}/task").iterdir():
            thread = int(folder.name)
            name = (folder / "comm").read_text().strip()
            found[thread] = (main if thread == pid else kind_of(name), _cost(folder))
    return found


def kind_of(name: str) -> str:
    """What a thread does, by its name: `poller` for `poller-3`."""
    return name.rstrip("0123456789").removesuffix("-")


def _cost(folder: Path) -> Cost:
    """The cost of a thread until now.

    https://docs.kernel.org/scheduler/sched-stats.html,
    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    nanoseconds = int((folder / "schedstat").read_text().split()[0])
    switches = sum(
        int(line.split()[1])
        for line in (folder / "status").read_text().splitlines()
        if "voluntary_ctxt_switches" in line
    )
    return Cost(nanoseconds / 1e9, switches)
