"""Ports on which no process listens."""

# Tests take them from here.
from scripts.ports import LOOPBACK as LOOPBACK  # noqa: PLC0414
from scripts.ports import free_port as free_port  # noqa: PLC0414
