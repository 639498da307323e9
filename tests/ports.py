"""Ports on which no process listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Tests take them from here.
from scripts.ports import LOOPBACK as LOOPBACK  # noqa: PLC0414
from scripts.ports import free_port as free_port  # noqa: PLC0414


@contextmanager
def silent_port() -> Iterator[int]:
    """A port on which no process can listen while the block runs."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]
