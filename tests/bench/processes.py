"""Runs a process, and measures what it takes."""

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_ANSWERED = {0, 1}  # yes and no


class Used(NamedTuple):
    """What a process took.

    Attributes:
        seconds: how long it ran.
        cpu: its processor time in seconds, user and system.
        output: what it wrote to standard output.
    """

    seconds: float
    cpu: float
    output: str


def used(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Run a command of sesbounce, or a program beside it, to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode not in _ANSWERED or "Traceback" in run.stderr:
        raise SystemExit(f"{' '.join(command)} failed: {run.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(seconds, cpu, run.stdout)
