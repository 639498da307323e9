"""Ports on which no process listens."""

import contextlib
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections, which are in use at random.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    for _ in _PORTS:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise OSError(f"no port of {LOOPBACK} is free from {_PORTS.start} to {_PORTS.stop - 1}")
