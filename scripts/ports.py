"""Ports of this machine's loopback on which no process listens."""

import contextlib
import functools
import itertools
import os
import secrets
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections, which are in use at random.
_PORTS = range(20_000, 32_000)
# A server takes its port some time after it was chosen. Processes that run side by side have
# numbers that are near to each other: they choose from different ports, and each chooses all of its
# own before it chooses one a second time.
_SHARES = 100


def free_port() -> int:
    """Return a port that no process listens on, and that others do not choose meanwhile."""
    for port in itertools.islice(_turns(os.getpid()), len(_PORTS) // _SHARES):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise OSError(
        f"no port of {LOOPBACK} that this process may choose is free from {_PORTS.start} to "
        f"{_PORTS.stop - 1}"
    )


@functools.cache
def _turns(process: int) -> Iterator[int]:
    """The ports from which a process chooses, in a random order, without an end."""
    own = list(_PORTS[process % _SHARES :: _SHARES])
    secrets.SystemRandom().shuffle(own)
    return itertools.cycle(own)
