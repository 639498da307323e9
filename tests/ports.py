"""Ports on which no process listens."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.local.ports import LOOPBACK as LOOPBACK  # noqa: PLC0414  tests take it from here
from scripts.local.ports import PORTS, free_ports

# The processes that run tests side by side choose from different ports.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_free = free_ports(PORTS[_PROCESS::_PROCESSES])


def free_port() -> int:
    """A port for a server that is about to start; no other test gets it."""
    return next(_free)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port on which no process can listen while the block runs."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]
