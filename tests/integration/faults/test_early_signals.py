"""Signals at any moment of the start end the command, and leave no traceback."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesbounce.worker.processes import Processes
from tests.integration.worker_process import Running

COMMAND = (sys.executable, "-m", "sesbounce", "run")
AS_PROCESS_1 = ("unshare", "--pid", "--fork", "--kill-child")
# Nobody listens on this port: the worker waits for the queue.
NOWHERE = "http://127.0.0.1:9"
# Far more than an end takes, even on a busy machine. A worker that is late ends with another code.
SOON_SECONDS = 60
MOMENTS = (0.01, 0.05, 0.05, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)


@contextmanager
def starting(
    folder: Path,
    *command: str,
    processes: int = 1,
    stderr: int = subprocess.STDOUT,
    modules: Sequence[Path] = (),
) -> Iterator[Running]:
    """Start the command in a process group of its own."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [*map(str, modules), os.environ.get("PYTHONPATH")])
        ),
        "AWS_ENDPOINT_URL": NOWHERE,
        "SESBOUNCE_DATABASE_URL": f"sqlite:///{folder}/sesbounce.sqlite3",
        "SESBOUNCE_PROCESSES": str(processes),
        "SESBOUNCE_QUEUE_URL": f"{NOWHERE}/queue",
    }
    output = folder / "log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command or COMMAND,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield Running(process, output)
    finally:
        process.kill()
        process.wait()


def ends_soon(running: Running) -> int:
    code = running.process.wait(SOON_SECONDS)
    assert "Traceback" not in running.log
    return code


def test_on_a_terminal_ctrl_c_says_what_the_worker_waits_for(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    with starting(tmp_path, stderr=terminal) as running:
        shown = b""
        while b"messages not received" not in shown:
            shown += os.read(ours, 4096)
        running.signal(signal.SIGINT)
        while b"to end at once" not in shown:
            shown += os.read(ours, 4096)
        assert b"Waiting up to 20 seconds for a receive that is under way" in shown
        assert running.process.wait(SOON_SECONDS) == 0
    os.close(terminal)
    os.close(ours)


def child(pid: int) -> int | None:
    """The first child of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def may_unshare() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*AS_PROCESS_1, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="needs the right to make a PID namespace")
def test_process_1_ends_at_once(tmp_path: Path) -> None:
    # In the middle of the slow imports, which take as long as the test needs.
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "click.py").write_text("import time\ntime.sleep(600)\n")
    with starting(tmp_path, *AS_PROCESS_1, *COMMAND, modules=[modules]) as running:
        running.until(lambda: child(running.process.pid))
        pid = child(running.process.pid)
        assert pid
        running.until(lambda: catches(pid, signal.SIGTERM))
        os.kill(pid, signal.SIGTERM)
        # Not 0: the worker has not begun, so the handler was there long before.
        assert ends_soon(running) == 128 + signal.SIGTERM


def test_the_handler_is_there_before_the_slow_imports() -> None:
    program = (
        "import signal, sys\n"
        "import sesbounce.__main__\n"
        "slow = {'click', 'msgspec', 'boto3', 'sqlalchemy', 'pydantic', 'structlog'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click':\n"
        "            print(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "sys.argv[1:] = ['--version']\n"
        "sesbounce.__main__.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "True"), done


def test_a_signal_at_any_moment_of_the_start_ends_the_process(tmp_path: Path) -> None:
    for moment in MOMENTS:
        with starting(tmp_path) as running:
            time.sleep(moment)
            running.signal(signal.SIGTERM)
            # Before Python runs, the signal itself ends the process; a worker that runs stops.
            assert ends_soon(running) in {-signal.SIGTERM, 128 + signal.SIGTERM, 0}


def ended_by_sigterm(_report: object) -> int:
    signal.raise_signal(signal.SIGTERM)
    return 0


def test_a_signal_that_the_children_get_before_their_parent_is_no_failure() -> None:
    """So it is on a busy machine: all of them have ended when the parent looks."""
    Processes(1, ended_by_sigterm, lambda *_: None, 60).run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_processes_that_are_starting_ends_all_of_them(
    tmp_path: Path, number: signal.Signals
) -> None:
    for moment in (0.0, 0.05, 0.2, 0.5, 1.0):
        with starting(tmp_path, processes=2) as running:
            running.until(running.children)
            time.sleep(moment)
            # As a terminal does, and systemd.
            os.killpg(running.process.pid, number)
            assert ends_soon(running) == 0, running.log
