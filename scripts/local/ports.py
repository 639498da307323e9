"""Finds ports for servers that are about to start."""

import contextlib
import secrets
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections: one of these could take a port before
# the server has started.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of the loopback that no process uses."""
    return next(free_ports(PORTS))


def free_ports(ports: range) -> Iterator[int]:
    """Yield those of the ports that no process uses, each once, in a random order."""
    yield from filter(_is_free, secrets.SystemRandom().sample(ports, len(ports)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((LOOPBACK, port))
        return True
    return False
