"""Runs one contestant against a stub of its own, and measures it from outside."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from scripts import ScriptError
from sesbounce.store.schema import event
from tests.bench.backlog import ENDLESS
from tests.bench.commits import commits
from tests.bench.figures import Sample
from tests.bench.sqs_stub import QUEUE, Counts, counts_of

ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
_STOP_SECONDS = 30
_PAUSE_SECONDS = 0.05


class BenchError(ScriptError):
    """A contestant did not do its work, or there is none of that letter."""


class Contestant(msgspec.Struct, frozen=True):
    """One way to do the work.

    Attributes:
        letter: by which it is called.
        name: what it is.
        command: how its process is started.
        settings: environment variables of its own.
        cores: on how many cores it runs.
        durable: whether it records the messages.
    """

    letter: str
    name: str
    command: Sequence[str]
    settings: dict[str, str] = {}
    cores: int = 1
    durable: bool = True


def _script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.contestants.{name}", *arguments]


_RUN = (str(Path(sys.executable).with_name("sesbounce")), "run")
WORKER = Contestant("h", "sesbounce", _RUN)
CONTESTANTS = (
    Contestant("a", "tutorial loop", _script("tutorial")),
    Contestant("b", "Powertools' BatchProcessor", _script("powertools")),
    Contestant("c", "sqs-workers", _script("sqs_workers_raw")),
    Contestant("d", "kombu", _script("kombu_consumer")),
    Contestant("e", "16 boto3 threads", _script("boto3_threads")),
    Contestant("f", "16 aiobotocore tasks", _script("aiobotocore_tasks")),
    Contestant("g", "null pump", _script("null_pump"), durable=False),
    Contestant(
        "g2",
        "null pump, 2 processes",
        _script("null_pump", "--processes", "2"),
        cores=2,
        durable=False,
    ),
    Contestant("g3", "lean null pump", _script("null_pump", "--direct"), durable=False),
    WORKER,
    Contestant("h2", "sesbounce, 2 processes", _RUN, {"SESBOUNCE_PROCESSES": "2"}, cores=2),
)


class Supply(msgspec.Struct, frozen=True):
    """What the stub holds.

    Attributes:
        messages: how many.
        same: whether they are one and the same.
    """

    messages: int = ENDLESS
    same: bool = False

    @property
    def options(self) -> list[str]:
        """The same for its command line."""
        return ["--messages", str(self.messages), *(["--same"] if self.same else [])]


class Running(msgspec.Struct, frozen=True):
    """A contestant at work."""

    contestant: Contestant
    process: psutil.Popen
    stub: psutil.Popen
    address: str
    database: Path
    log: Path

    def counts(self) -> Counts:
        """What it has asked of the stub so far."""
        return counts_of(self.address)

    def check(self) -> None:
        """Whether it still runs.

        Raises:
            BenchError: it does not.
        """
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise BenchError(f"{self.contestant.name} ended by itself:\n{tail}")

    def wait_for(self, deleted: int, seconds: float = _START_SECONDS) -> None:
        """Wait until it has deleted so many messages.

        Raises:
            BenchError: it has ended, or does not get there in time.
        """
        late = time.monotonic() + seconds
        while self.counts().deleted < deleted:
            self.check()
            if time.monotonic() > late:
                raise BenchError(f"{self.contestant.name} deleted too little in {seconds:g} s")
            time.sleep(_PAUSE_SECONDS)

    def tree(self) -> list[psutil.Process]:
        """Its processes, the first one first."""
        return [self.process, *self.process.children(recursive=True)]

    def memory(self) -> int:
        """Bytes that its processes have resident now."""
        return sum(process.memory_info().rss for process in self.tree())


@contextmanager
def running(contestant: Contestant, supply: Supply) -> Iterator[Running]:
    """Start a stub and the contestant; end both, and look whether it has done its work.

    Each has a core of its own, where there are two; two processes share theirs with the stub.

    Raises:
        BenchError: a message was deleted that had not been recorded.
    """
    cores = _cores()
    # A file system on a disk: elsewhere to make a commit durable costs nothing.
    (ROOT / ".local").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".local") as folder:
        database, log = Path(folder) / "bench.sqlite3", Path(folder) / "log"
        with _stub(supply, cores[-1:]) as (stub, address), log.open("wb") as output:
            with _started(
                contestant.command,
                cores[: contestant.cores],
                env=_environment(folder, address, database) | contestant.settings,
                stdout=output,
                stderr=output,
            ) as process:
                now = Running(contestant, process, stub, address, database, log)
                yield now
            deleted = now.counts().deleted
        if contestant.durable:
            _check(contestant, database, 1 if supply.same else deleted)


def measure(contestant: Contestant, supply: Supply, warm_up: float, seconds: float) -> Sample:
    """Measure a contestant for some seconds, after others to warm up from its first message on.

    Raises:
        BenchError: it has ended by itself, or does nothing.
    """
    with running(contestant, supply) as run:
        run.wait_for(1)
        time.sleep(warm_up)
        before = _reading(run)
        time.sleep(seconds)
        after = _reading(run)
        peak = sum(map(_peak, run.tree()))
        run.check()
    deleted = after.counts.deleted - before.counts.deleted
    if not deleted:
        raise BenchError(f"{contestant.name} deleted nothing in {seconds:g} s: measure longer")
    lasted = after.at - before.at
    calls = sum(after.counts.calls.values()) - sum(before.counts.calls.values())
    return Sample(
        messages=deleted,
        seconds=lasted,
        cpu_seconds=after.cpu - before.cpu,
        calls=calls,
        commits=after.commits - before.commits,
        peak_bytes=peak,
        stub_share=(after.stub_cpu - before.stub_cpu) / lasted,
    )


class _Reading(msgspec.Struct, frozen=True):
    """All counters at one moment."""

    at: float
    counts: Counts
    cpu: float
    stub_cpu: float
    commits: int


def _reading(run: Running) -> _Reading:
    counts = run.counts()
    return _Reading(
        at=time.monotonic(),
        counts=counts,
        cpu=sum(_cpu_seconds(process) for process in run.tree()),
        stub_cpu=_cpu_seconds(run.stub),
        commits=commits(run.database),
    )


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak(process: psutil.Process) -> int:
    """The most that a process ever had resident, in bytes.

    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def _stub(supply: Supply, cores: Sequence[int]) -> Iterator[tuple[psutil.Popen, str]]:
    command = [sys.executable, "-m", "tests.bench.sqs_stub", *supply.options]
    with _started(command, cores, stdout=subprocess.PIPE, text=True) as stub:
        address = stub.stdout.readline().strip()
        if not address:
            raise BenchError("the stub does not start, see above")
        yield stub, address


@contextmanager
def _started(
    command: Sequence[str], cores: Sequence[int], **options: Any
) -> Iterator[psutil.Popen]:
    """A process on some cores; it is asked to end, and killed if it takes too long."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        # A process runs where the one that starts it does.
        process = psutil.Popen(command, cwd=ROOT, **options)
    finally:
        os.sched_setaffinity(0, own)
    try:
        yield process
    finally:
        _end(process)


def _end(process: psutil.Popen) -> None:
    if process.poll() is not None:
        return
    tree = [process, *process.children(recursive=True)]
    process.terminate()
    _, alive = psutil.wait_procs(tree, timeout=_STOP_SECONDS)
    for left in alive:
        left.kill()
    process.wait()


def _cores() -> list[int]:
    """The first core and one other, if there is one."""
    return sorted(os.sched_getaffinity(0))[:2]


def _environment(folder: str, address: str, database: Path) -> dict[str, str]:
    """Nothing of this process's own settings, so that all start alike."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "SESBOUNCE_QUEUE_URL": f"{address}/{QUEUE}",
        "SESBOUNCE_DATABASE_URL": f"sqlite:///{database}",
    }


def _check(contestant: Contestant, database: Path, least: int) -> None:
    with closing(sqlite3.connect(database)) as connection:
        (events,) = connection.execute(f"SELECT count(*) FROM {event.name}").fetchone()
    if events < least:
        raise BenchError(f"{contestant.name} deleted {least} messages and recorded {events}")
